"""Bias², variance and incoherence of groups of records: what `experiments.incoherence` prints."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import polars as pl

from hotmess_jax.llm.measures.clusters import clusters_of
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.left_out import left_out_by_difficulty
from hotmess_jax.llm.measures.means import by_part, overall
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.repeats import repeats
from hotmess_jax.llm.measures.samples import QUESTION, Samples, Unparsed, to_samples
from hotmess_jax.llm.measures.series import check_fields, settings_that_differ
from hotmess_jax.llm.measures.successes import SHARES_METRIC, share_questions
from hotmess_jax.llm.records import checked
from hotmess_jax.statistics.intervals import Clusters, number_of
from kernels.names import check_name, check_names

PARTS = ("error", "bias2", "variance", "incoherence")


def summarise(
    records: pl.DataFrame,
    by: Sequence[str] = (),
    metrics: Sequence[Metric] = METRICS,
    unparsed: Unparsed = "uniform",
    smoothing: float = 1e-12,
    resamples: int = 1000,
    seed: int = 0,
    cluster: str | None = None,
) -> list[dict[str, Any]]:
    """Return bias², variance and incoherence of each model, and of each value of the fields in `by`.

    Records of other settings (temperature, budget, format, prompt) are never pooled: where they differ
    within a model, they are grouped by too.

    Args:
        records: as `read_records` gives them, in any order.
        by: fields to group by, besides the model.
        metrics: which decompositions.
        unparsed: as in `to_samples`.
        smoothing: δ of the KL decomposition.
        resamples: data sets on which KL's corrected value is judged, at most.
        seed: of these.
        cluster: a field whose values are clusters of questions; intervals are then over clusters.

    Returns:
        A dictionary a group, in order, as the command line's JSON document has them. Metrics are None
        where no question has two samples or no answer could be read, and `why_none` says which.

    Raises:
        ValueError: for a field that no record has, another metric or treatment, and for what
            `records.checked` refuses.
    """
    check_names("metrics", metrics, METRICS)
    check_name("unparsed", unparsed, get_args(Unparsed))
    check_fields(records, by, " to group by")
    records = checked(records, by).table
    by = [*by, *settings_that_differ(records, ["model", *by])]
    rows = records.sort(keys := ["model", *by], nulls_last=True, maintain_order=True)
    parts = [
        (values, group, to_samples(group, unparsed))
        for values, group in rows.group_by(keys, maintain_order=True)
    ]
    # KL is compared at equal numbers of samples.
    least = min((samples.least for _, _, samples in parts if samples.blocks), default=None)
    settings = [
        AnalysisSettings(metric, unparsed, smoothing, resamples, seed, least, cluster)
        for metric in metrics
    ]
    return [
        {
            "by": dict(zip(by, values[1:], strict=True)),
            "model": values[0],
            **_counted(group, samples),
            "clusters": _clusters(cluster, clusters_of(group, samples.table, cluster)),
            "repeats": _repeats(group, unparsed, cluster),
            "metrics": {of.metric: _means(group, samples, of) for of in settings},
        }
        for values, group, samples in parts
    ]


def _counted(group: pl.DataFrame, samples: Samples) -> dict[str, Any]:
    """Return what was counted of a group."""
    left_out = left_out_by_difficulty(group, samples) if samples.left_out and samples.blocks else []
    return {
        "questions": samples.questions,
        "samples": samples.samples,
        "left_out": samples.left_out,
        "left_out_by": left_out,
        "why_none": None if samples.blocks else samples.why_none,
        "accuracy": samples.accuracy,
        "unparsed": samples.unparsed,
        "stated_step": samples.step,
    }


def _means(group: pl.DataFrame, samples: Samples, settings: AnalysisSettings) -> dict[str, Any] | None:
    """Return a group's means by part; None where no question is decomposed."""
    if not samples.blocks:
        return None
    # 0/1 has no incoherence.
    parts = PARTS[:3] if settings.metric == "zero_one" else PARTS
    return by_part(overall(questions_of(group, settings, samples)), parts)


def summarise_shares(
    records: pl.DataFrame,
    by: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
    cluster: str | None = None,
) -> list[dict[str, Any]]:
    """Return what `summarise` does, with the one metric `squared_error`, of outcomes between 0 and 1.

    Args:
        records: each with an outcome.
        by: fields to group by, besides the model and the settings that differ.
        resamples: as in `AnalysisSettings`.
        seed: likewise.
        cluster: likewise.

    Raises:
        ValueError: for a field that no record has, and for clusters as in `with_clusters`.
    """
    check_fields(records, by, " to group by")
    records = checked(records, by).table
    by = [*by, *settings_that_differ(records, ["model", *by])]
    keys = ["model", *by]
    settings = AnalysisSettings(resamples=resamples, seed=seed, cluster=cluster)
    groups = []
    for values, group in records.sort(keys, nulls_last=True, maintain_order=True).group_by(
        keys, maintain_order=True
    ):
        who = group.select(QUESTION).unique(maintain_order=True)
        labels = clusters_of(group, who, cluster)
        try:
            questions = share_questions(group, settings)
        except ValueError:
            questions = None
        groups.append(
            {
                "by": dict(zip(by, values[1:], strict=True)),
                "model": values[0],
                "questions": who.height,
                "samples": group.height,
                "left_out": who.height - (0 if questions is None else questions.table.height),
                "left_out_by": [],
                "why_none": "no question has two samples" if questions is None else None,
                "accuracy": float(
                    np.mean(group["outcome"].to_numpy() if questions is None else questions.accuracy)
                ),
                "unparsed": 0.0,
                "stated_step": None,
                "clusters": _clusters(cluster, labels),
                "repeats": _repeats(group, "uniform", cluster),
                "metrics": {
                    SHARES_METRIC: None if questions is None else by_part(overall(questions), PARTS)
                },
            }
        )
    return groups


def _clusters(field: str | None, labels: Clusters) -> dict[str, Any] | None:
    """Return how many clusters there are of which field; None without one."""
    return None if labels is None else {"field": field, "number": number_of(len(labels), labels)}


def _repeats(group: pl.DataFrame, unparsed: Unparsed, cluster: str | None) -> dict[str, Any] | None:
    """Return what k samples would do; None where no answer counts."""
    try:
        return repeats(group, unparsed, cluster).to_json()
    except ValueError:
        return None


def label(group: Mapping[str, Any]) -> str:
    """Return a group's name as tables and figures show it, a line a field."""
    named = (f"no {k}" if v is None else f"{k} {v}" for k, v in group["by"].items())
    return "\n".join([group["model"], *named])
