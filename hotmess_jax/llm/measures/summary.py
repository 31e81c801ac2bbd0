"""Bias², variance and incoherence of groups of records: what `experiments.incoherence` prints."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import polars as pl

from hotmess_jax.llm.measures.clusters import among, clusters_of
from hotmess_jax.llm.measures.clusters import number as number_of_clusters
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.left_out import left_out_by_difficulty
from hotmess_jax.llm.measures.means import by_part, overall
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.repeats import repeats
from hotmess_jax.llm.measures.samples import Samples, Unparsed, to_samples
from hotmess_jax.llm.measures.series import check_fields, settings_that_differ
from hotmess_jax.llm.records import checked
from kernels.names import check_name, check_names


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
    keys = ["model", *by]
    parts = [
        (values, group, to_samples(group, unparsed))
        for values, group in records.sort(keys, nulls_last=True, maintain_order=True).group_by(
            keys, maintain_order=True
        )
    ]
    # KL is compared at equal numbers of samples.
    least = min((samples.least for _, _, samples in parts if samples.blocks), default=None)
    settings = [
        AnalysisSettings(metric, unparsed, smoothing, resamples, seed, kl_samples=least)
        for metric in metrics
    ]
    return [
        {
            "by": dict(zip(by, values[1:], strict=True)),
            "model": values[0],
            **_counted(group, samples),
            **_clustered(group, samples, settings, cluster),
            "repeats": _repeats(group, unparsed, cluster),
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


def _clustered(
    group: pl.DataFrame, samples: Samples, settings: Sequence[AnalysisSettings], cluster: str | None
) -> dict[str, Any]:
    """Return each metric's means, over questions or whole clusters of them; None where nothing is decomposed."""
    labels = clusters_of(group, samples.table, cluster)
    places = [block.question for block in samples.blocks]
    clusters = among(labels, np.concatenate(places)) if places else None
    means = {
        of.metric: by_part(overall(questions_of(group, of, samples), clusters), parts_shown(of.metric))
        if places
        else None
        for of in settings
    }
    told = None if labels is None else {"field": cluster, "number": number_of_clusters(labels)}
    return {"clusters": told, "metrics": means}


def parts_shown(metric: str) -> tuple[str, ...]:
    """Return the parts of an error that a metric has: 0/1 has no incoherence."""
    parts = ("error", "bias2", "variance")
    return parts if metric == "zero_one" else (*parts, "incoherence")


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
