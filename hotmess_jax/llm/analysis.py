"""Analyses of a table of records, on the same kernels as the synthetic study."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Array, Bool, Float, Int, Key

from kernels.arrays import Scalar
from kernels.decompositions import Decomposition, Present, brier, incoherence, kl, zero_one
from kernels.estimators import jackknife_kl, unbiased
from kernels.resampling import bootstrap, percentile_interval

Metric = Literal["kl", "brier", "zero_one"]
Unparsed = Literal["uniform", "drop", "wrong"]
METRICS: tuple[Metric, ...] = ("kl", "brier", "zero_one")


class Block(NamedTuple):
    """Questions with one number of classes, as arrays."""

    probs: Float[np.ndarray, "questions samples classes"]
    target: Int[np.ndarray, " questions"]
    present: Bool[np.ndarray, "questions samples"]


class Samples(NamedTuple):
    """A group's questions as arrays, and what was counted on the way."""

    blocks: list[Block]
    questions: int
    samples: int
    # Questions with fewer than two samples, which are in no decomposition.
    left_out: int
    accuracy: float
    unparsed: float


def to_samples(records: pl.DataFrame, unparsed: Unparsed) -> Samples:
    """Bring one model's records to arrays, question by question.

    Args:
        records: of one model, from `read_records`.
        unparsed: what an answer that could not be parsed is: a uniform distribution over the options,
            no sample at all, or a class of its own, which is always wrong.
    """
    order = ["benchmark", "question_id", "context", "sample"]
    by_classes: dict[int, list[tuple[np.ndarray, int]]] = {}
    right, blank, left_out, questions = [], 0, 0, 0
    columns = ["options", "target", "answer", "probs"]
    for _, question in records.sort(order).group_by(["benchmark", "question_id"], maintain_order=True):
        questions += 1
        options = question["options"][0].to_list()
        labels = {label: i for i, label in enumerate(options)}
        classes = len(options) + (unparsed == "wrong")
        target = labels[question["target"][0]]
        rows, hits = [], []
        for _, _, answer, probs in question.select(columns).iter_rows():
            row = np.zeros(classes)
            if probs is not None:
                for label, p in json.loads(probs).items():
                    row[labels[label]] = p
            elif answer:
                row[labels[answer]] = 1.0
            else:
                blank += 1
                hits.append(False)
                if unparsed == "drop":
                    continue
                row[:] = 1 / classes if unparsed == "uniform" else np.eye(classes)[-1]
                rows.append(row)
                continue
            hits.append(int(np.argmax(row)) == target)
            rows.append(row)
        right.append(np.mean(hits))
        if len(rows) < 2:
            left_out += 1
        else:
            by_classes.setdefault(classes, []).append((np.asarray(rows), target))
    blocks = [_block(of_one_size) for of_one_size in by_classes.values()]
    return Samples(
        blocks, questions, records.height, left_out, float(np.mean(right)), blank / records.height
    )


def _block(questions: Sequence[tuple[np.ndarray, int]]) -> Block:
    most = max(len(rows) for rows, _ in questions)
    probs = np.zeros((len(questions), most, questions[0][0].shape[1]))
    present = np.zeros(probs.shape[:2], bool)
    for i, (rows, _) in enumerate(questions):
        probs[i, : len(rows)], present[i, : len(rows)] = rows, True
    return Block(probs, np.asarray([target for _, target in questions]), present)


@functools.partial(jax.jit, static_argnames=("metric",))
def decompose(
    metric: Metric,
    probs: Float[Array, "questions samples classes"],
    target: Int[Array, " questions"],
    present: Present,
    smoothing: Scalar,
) -> tuple[Decomposition, Decomposition | None]:
    """Return each question's plug-in and corrected decomposition; 0/1 has no corrected one."""
    if metric == "kl":
        return (
            kl(probs, target, smoothing, present),
            jackknife_kl(probs, target, smoothing, 1, present),
        )
    if metric == "brier":
        plugin = brier(probs, target, present)
        return plugin, unbiased(plugin, present.sum(axis=-1))
    return zero_one(probs, target, present), None


def metric_summary(
    samples: Samples, metric: Metric, smoothing: float, resamples: int, seed: int
) -> dict[str, Any]:
    """Return means over questions with 95 % intervals over resampled questions, as JSON values.

    Args:
        samples: of one group.
        metric: which decomposition.
        smoothing: δ of the KL decomposition.
        resamples: bootstrap replicates.
        seed: of the bootstrap.
    """
    pairs = [decompose(metric, *map(jnp.asarray, block), smoothing) for block in samples.blocks]
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
                    metric: metric_summary(samples, metric, smoothing, resamples, seed)
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
