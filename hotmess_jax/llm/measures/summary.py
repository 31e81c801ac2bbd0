"""Bias², variance and incoherence of groups of records: what `experiments.incoherence` prints."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import polars as pl

from hotmess_jax.llm.measures.clusters import among, clusters_of
from hotmess_jax.llm.measures.clusters import number as number_of_clusters
from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.left_out import left_out_by_difficulty
from hotmess_jax.llm.measures.questions import (
    AnalysisSettings,
    contexts_summary,
    decompose_blocks,
    estimate_parts,
    to_json,
)
from hotmess_jax.llm.measures.repeats import repeats
from hotmess_jax.llm.measures.samples import Block, Unparsed, to_samples
from hotmess_jax.llm.measures.series import check_fields, settings_that_differ
from hotmess_jax.llm.records import checked
from hotmess_jax.statistics.intervals import Clusters, effective_questions
from kernels.names import check_name, check_names


def metric_summary(
    blocks: Sequence[Block],
    metric: Metric,
    smoothing: float,
    resamples: int,
    seed: int,
    with_contexts: bool = False,
    kl_samples: int | None = None,
    clusters: Clusters = None,
) -> dict[str, Any]:
    """Return means over questions with 95 % intervals over questions, as JSON values.

    0/0 is None: incoherence where there is no error. `effective_questions` is how many questions of equal
    error would hold it as these do, `no_corrected` why `corrected` is None, and `kl_samples` the number of
    samples that KL's plug-in values are of.

    Args:
        blocks: a group's questions, by number of classes.
        metric: which decomposition.
        smoothing: δ of the KL decomposition.
        resamples: data sets on which KL's corrected value is judged, at most.
        seed: of these.
        with_contexts: whether the records say which context they are of; `contexts` then tells how much
            of the corrected variance is between contexts and how much within them.
        kl_samples: as in `AnalysisSettings`.
        clusters: of the questions in the blocks' order, as in `mean_interval`.
    """
    settings = AnalysisSettings(
        metric, smoothing=smoothing, resamples=resamples, seed=seed, kl_samples=kl_samples
    )
    of = decompose_blocks(blocks, settings)
    found: list[dict[str, Any]] = []
    for form in (of.plugin,) if of.no_corrected else (of.plugin, of.corrected):
        values, ends = estimate_parts(form._asdict(), of.most, clusters)
        if metric == "zero_one":
            del values["incoherence"], ends["incoherence"]
        found.append(to_json(values) | {"ci95": to_json(ends)})
    return found[0] | {
        "corrected": found[1] if len(found) > 1 else None,
        "no_corrected": of.no_corrected,
        "kl_samples": of.kl_samples,
        "effective_questions": to_json(float(effective_questions(np.asarray(of.plugin.error)))),
        "contexts": contexts_summary(of.contexts, of.most, clusters) if with_contexts else None,
    }


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
    groups = []
    for values, group, samples in parts:
        labels = clusters_of(group, samples.table, cluster)
        places = [block.question for block in samples.blocks]
        clusters = among(labels, np.concatenate(places)) if places else None
        groups.append(
            {
                "by": dict(zip(by, values[1:], strict=True)),
                "model": values[0],
                "questions": samples.questions,
                "samples": samples.samples,
                "left_out": samples.left_out,
                "left_out_by": left_out_by_difficulty(group, samples)
                if samples.left_out and samples.blocks
                else [],
                "why_none": None if samples.blocks else samples.why_none,
                "accuracy": samples.accuracy,
                "unparsed": samples.unparsed,
                "stated_step": samples.step,
                "clusters": None
                if labels is None
                else {"field": cluster, "number": number_of_clusters(labels)},
                "repeats": _repeats(group, unparsed, cluster),
                "metrics": {
                    metric: metric_summary(
                        samples.blocks,
                        metric,
                        smoothing,
                        resamples,
                        seed,
                        samples.contexts,
                        least,
                        clusters,
                    )
                    if samples.blocks
                    else None
                    for metric in metrics
                },
            }
        )
    return groups


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
