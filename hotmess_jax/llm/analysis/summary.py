"""Bias², variance and incoherence of groups of records: what `experiments.incoherence` prints."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import polars as pl
from jaxtyping import Array, Float, Int, Key

from hotmess_jax.llm.analysis.samples import Block, Unparsed, to_samples
from kernels.arrays import Scalar
from kernels.decompositions import Decomposition, Present, brier, incoherence, kl, zero_one
from kernels.estimators import jackknife_kl, unbiased
from kernels.resampling import bootstrap, percentile_interval

Metric = Literal["kl", "brier", "zero_one"]
METRICS: tuple[Metric, ...] = ("kl", "brier", "zero_one")


def plugin_of(
    metric: Metric,
    probs: Float[Array, "questions samples classes"],
    target: Int[Array, " questions"],
    present: Present,
    smoothing: Scalar,
) -> Decomposition:
    """Return each question's plug-in decomposition."""
    if metric == "kl":
        return kl(probs, target, smoothing, present)
    return (brier if metric == "brier" else zero_one)(probs, target, present)


@functools.partial(jax.jit, static_argnames=("metric",))
def decompose(
    metric: Metric,
    probs: Float[Array, "questions samples classes"],
    target: Int[Array, " questions"],
    present: Present,
    smoothing: Scalar,
) -> tuple[Decomposition, Decomposition | None]:
    """Return each question's plug-in and corrected decomposition; 0/1 has no corrected one."""
    plugin = plugin_of(metric, probs, target, present, smoothing)
    if metric == "kl":
        return plugin, jackknife_kl(probs, target, smoothing, 1, present)
    return plugin, unbiased(plugin, present.sum(axis=-1)) if metric == "brier" else None


def metric_summary(
    blocks: Sequence[Block], metric: Metric, smoothing: float, resamples: int, seed: int
) -> dict[str, Any]:
    """Return means over questions with 95 % intervals over resampled questions, as JSON values.

    Args:
        blocks: a group's questions, by number of classes.
        metric: which decomposition.
        smoothing: δ of the KL decomposition.
        resamples: bootstrap replicates.
        seed: of the bootstrap.
    """
    pairs = [
        decompose(metric, *map(jnp.asarray, (block.probs, block.target, block.present)), smoothing)
        for block in blocks
    ]
    forms = [
        jax.tree.map(lambda *parts: jnp.concatenate(parts), *form)
        for form in zip(*pairs, strict=True)
        if form[0] is not None
    ]

    key = jax.random.key(seed)
    found: list[dict[str, Any]] = []
    for form in forms:
        values, ci95 = _with_intervals(key, form, metric != "zero_one", resamples)
        found.append(
            {name: float(value) for name, value in values.items()}
            | {"ci95": {name: ends.tolist() for name, ends in ci95.items()}}
        )
    return found[0] | {"corrected": found[1] if len(found) > 1 else None}


@functools.partial(jax.jit, static_argnames=("ratio", "resamples"))
def _with_intervals(
    key: Key[Array, ""], parts: Decomposition, ratio: bool, resamples: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return means over questions, incoherence if `ratio`, and their percentile intervals."""

    def statistic(parts: Decomposition) -> dict[str, Array]:
        means = {name: getattr(parts, name).mean(axis=0) for name in Decomposition._fields}
        return means | {"incoherence": incoherence(parts)} if ratio else means

    # As many at once as keep the gathered parts under about 200 MB.
    batch = max(1, min(resamples, 25_000_000 // (3 * max(1, parts.error.size))))
    drawn = bootstrap(key, statistic, parts, replicates=resamples, batch=batch)
    return statistic(parts), jax.tree.map(percentile_interval, drawn)


def summarise(
    records: pl.DataFrame,
    by: Sequence[str] = (),
    metrics: Sequence[Metric] = METRICS,
    unparsed: Unparsed = "uniform",
    smoothing: float = 1e-12,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return bias², variance and incoherence of each model, and of each value of the fields in `by`.

    Args:
        records: from `read_records`.
        by: fields to group by, besides the model.
        metrics: which decompositions.
        unparsed: as in `to_samples`.
        smoothing: δ of the KL decomposition.
        resamples: bootstrap replicates behind each interval.
        seed: of the bootstrap.

    Returns:
        A dictionary a group, in order, as the command line's JSON document has them. Metrics are None
        where no question has two samples.

    Raises:
        ValueError: for a field that no record has.
    """
    for name in by:
        if name not in records.columns or records[name].null_count() == records.height:
            raise ValueError(f"no record has a field {name!r} to group by")
    keys = ["model", *by]
    groups = []
    for values, group in records.sort(keys, nulls_last=True).group_by(keys, maintain_order=True):
        samples = to_samples(group, unparsed)
        groups.append(
            {
                "by": dict(zip(by, values[1:], strict=True)),
                "model": values[0],
                "questions": samples.questions,
                "samples": samples.samples,
                "left_out": samples.left_out,
                "accuracy": samples.accuracy,
                "unparsed": samples.unparsed,
                "metrics": {
                    metric: metric_summary(samples.blocks, metric, smoothing, resamples, seed)
                    if samples.blocks
                    else None
                    for metric in metrics
                },
            }
        )
    return groups


def label(group: Mapping[str, Any]) -> str:
    """Return a group's name as tables and figures show it, a line a field."""
    return "\n".join([group["model"], *(f"{k} {v}" for k, v in group["by"].items())])
