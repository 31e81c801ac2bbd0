"""Questions grouped by a field of some of their samples, and decomposed by the others.

Where the samples that are measured also say which group a question is in, groups differ by noise alone: wrong
samples that happen to be longer, say, make longer questions look worse. So each question's samples are split
in two, many times: one part says which group it is in, the other is measured, and both are swapped.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from hotmess_jax.llm.measures.subsets import (
    Sampled,
    SampledBlock,
    SubsetParts,
    decompose_subsets,
    enough_samples,
)
from hotmess_jax.statistics.intervals import Clusters, difference_interval, ratio_interval, summed

# Splits of each question's samples, each used both ways.
SPLITS = 10
LEAST = 4
FORMS = ("plugin", "corrected")
PARTS = ("error", "bias2", "variance", "accuracy")
NO_KL = "KL has no corrected value of a part of a question's samples"


class CrossFitted(NamedTuple):
    """Questions with at least four samples, measured by parts of them."""

    # The mean of the field over the samples that are not measured.
    along: Float[np.ndarray, "sides questions"]
    # Of each form: error, bias2, variance and accuracy of the samples that are.
    values: dict[str, dict[str, Float[np.ndarray, "sides questions"]]]
    # Which of `Sampled.who` they are.
    question: Int[np.ndarray, " questions"]
    samples: int
    # How many samples the plug-in form is of.
    plugin_samples: int
    # Questions whose two parts share contexts, since they have two or three.
    shared_contexts: int


def measured_samples(
    block: SampledBlock, random: np.random.Generator, splits: int = SPLITS
) -> Bool[np.ndarray, "questions sides samples"]:
    """Return which samples are measured, on both sides of random splits: half of them on each.

    Of a question with four contexts or more whole contexts are split, since samples of one are not
    independent; of others samples are, as many of each context as goes.

    Args:
        block: questions with at least four samples.
        random: randomness.
        splits: how often.
    """
    present, context = block.present[:, None, :], block.context[:, None, :]
    shape = (len(present), splits, present.shape[2])
    contexts = 1 + np.where(present, context, -1).max(axis=2)
    # Places among all samples, those of the same place in their contexts side by side.
    chance = random.random(shape)
    sizes = (block.context[..., None] == np.arange(contexts.max())) & block.present[..., None]
    before = np.cumsum(sizes.sum(axis=1), axis=1) - sizes.sum(axis=1)
    start = np.take_along_axis(before, np.maximum(block.context, 0), axis=1)[:, None, :]
    within = _places(np.where(present, context + chance, np.inf)) - start
    place = _places(np.where(present, within + random.random(shape), np.inf))
    number = present.sum(axis=2, keepdims=True)
    # Places of their contexts among those that the question has.
    drawn = random.random((len(present), splits, int(contexts.max())))
    drawn = np.where(np.arange(drawn.shape[2]) < contexts[..., None], drawn, np.inf)
    at = np.take_along_axis(_places(drawn), np.broadcast_to(np.maximum(context, 0), shape), axis=2)
    whole = (contexts >= LEAST)[..., None]
    place, number = np.where(whole, at, place), np.where(whole, contexts[..., None], number)
    half = number // 2
    return np.concatenate([place < half, place >= number - half], axis=1) & present


def _places(keys: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(keys, axis=-1), axis=-1)


def cross_fit(
    sampled: Sampled,
    field: Sequence[Float[np.ndarray, "questions samples"]],
    seed: int,
    plugin_samples: int | None = None,
) -> CrossFitted:
    """Return questions measured by parts of their samples, and the field's mean over the others.

    The plug-in form is of the same number of samples in every question and split; the corrected one of all
    that are measured.

    Args:
        sampled: the questions; those with fewer than four samples are left out.
        field: of each block, each sample's value.
        seed: of the splits.
        plugin_samples: how many the plug-in form is of at most; None is as many as every question has.
    """
    random = np.random.default_rng(seed)
    kept, chosen, place = [], [], []
    first = 0
    for block, values in zip(sampled.blocks, field, strict=True):
        enough = enough_samples(block, LEAST)
        part = SampledBlock(*(of[enough] for of in block))
        kept.append((part, values[enough]))
        chosen.append(measured_samples(part, random))
        place.append(first + np.flatnonzero(enough))
        first += len(enough)
    least = min((int(of.sum(axis=2).min()) for of in chosen if len(of)), default=2)
    least = min(least, plugin_samples or least)
    found: list[tuple[np.ndarray, SubsetParts]] = []
    for (part, values), measured in zip(kept, chosen, strict=True):
        others = part.present[:, None, :] & ~measured
        along = (others * values[:, None, :]).sum(axis=2) / np.maximum(others.sum(axis=2), 1)
        parts = decompose_subsets(sampled.measure, part, measured)
        if (measured.sum(axis=2) > least).any():
            order = _places(np.where(measured, random.random(measured.shape), np.inf))
            equal = decompose_subsets(sampled.measure, part, measured & (order < least))
            parts = parts._replace(plugin=equal.plugin)
        found.append((along, parts))
    measured_values = {
        form: {
            **{
                name: _joined([getattr(getattr(parts, form), name) for _, parts in found])
                for name in PARTS[:3]
            },
            "accuracy": _joined([parts.accuracy for _, parts in found]),
        }
        for form in FORMS
    }
    contexts = [1 + part.context.max(axis=1, initial=0) for part, _ in kept]
    return CrossFitted(
        _joined([along for along, _ in found]),
        measured_values,
        np.concatenate([np.zeros(0, int), *place]),
        sum(int(part.present.sum()) for part, _ in kept),
        least,
        sum(int(((of > 1) & (of < LEAST)).sum()) for of in contexts),
    )


def cross_fit_all(
    sampled: Mapping[str, Sampled],
    fields: Mapping[str, Sequence[Float[np.ndarray, "questions samples"]]],
    seed: int,
) -> dict[str, CrossFitted]:
    """Return several models' questions, the plug-in forms all of one number of samples."""
    found = {
        name: cross_fit(of, fields[name], seed + i) for i, (name, of) in enumerate(sampled.items())
    }
    least = min(of.plugin_samples for of in found.values())
    return {
        name: of
        if of.plugin_samples == least
        else cross_fit(sampled[name], fields[name], seed + i, least)
        for i, (name, of) in enumerate(found.items())
    }


def _joined(parts: Sequence[np.ndarray]) -> Float[np.ndarray, "sides questions"]:
    return np.concatenate(parts).T if parts else np.zeros((2, 0))


def groups_along(
    along: Float[np.ndarray, "sides questions"], count: int, random: np.random.Generator
) -> Int[np.ndarray, "sides questions"]:
    """Return each question's group on each side: of equal size (to one), sorted, ties at random."""
    order = np.lexsort((random.random(along.shape), along), axis=-1)
    return np.argsort(order, axis=-1) * count // along.shape[1]


class Grouped(NamedTuple):
    """What each question gives to each group, `[questions, groups]`: means over sides.

    A group's mean of anything is its sum over questions divided by that of `share`.
    """

    share: Float[np.ndarray, "questions groups"]
    along: Float[np.ndarray, "questions groups"]
    error: Float[np.ndarray, "questions groups"]
    bias2: Float[np.ndarray, "questions groups"]
    variance: Float[np.ndarray, "questions groups"]
    accuracy: Float[np.ndarray, "questions groups"]

    def of_clusters(self, clusters: Clusters) -> "Grouped":
        """Return what each cluster of questions gives: their sums."""
        return Grouped(*(summed(part, clusters) for part in self))

    def quotient(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts and wholes whose sums are divided: of means by shares, of incoherence by errors."""
        if name == "incoherence":
            return self.variance, self.bias2 + self.variance
        return getattr(self, name), self.share


def in_groups(
    fitted: CrossFitted, form: str, group: Int[np.ndarray, "sides questions"], count: int
) -> Grouped:
    """Return what each question gives to each of `count` groups, in the form named."""

    def given(values: Float[np.ndarray, "sides questions"]) -> Float[np.ndarray, "questions groups"]:
        return np.stack([np.where(group == i, values, 0).mean(axis=0) for i in range(count)], axis=1)

    parts = {name: given(part) for name, part in fitted.values[form].items()}
    return Grouped(given(np.ones(group.shape)), given(fitted.along), **parts)


def group_values(
    grouped: Grouped, most: float, clusters: Clusters = None
) -> tuple[dict[str, Float[np.ndarray, " groups"]], dict[str, Float[np.ndarray, "2 groups"]]]:
    """Return means within groups, their incoherence and their intervals over questions.

    The mean of the field, `along`, has none.

    Args:
        grouped: what each question gives.
        most: the largest error that a question can have.
        clusters: of the questions; intervals are then over these.
    """
    grouped = grouped.of_clusters(clusters)
    values, ends = {}, {}
    for name in (*PARTS, "incoherence", "along"):
        part, whole = grouped.quotient(name)
        total = whole.sum(axis=0)
        with np.errstate(invalid="ignore"):
            values[name] = np.where(total > 0, part.sum(axis=0) / np.where(total > 0, total, 1), np.nan)
        ends[name] = np.full((2, len(total)), np.nan)
        if name != "along" and np.isfinite(part).all():
            scale = _scale(name, most)
            ends[name] = scale * ratio_interval(
                part / scale, whole, most if name == "incoherence" else 1.0
            )
    return values, ends


def halves_difference(
    grouped: Grouped, most: float, paired: bool, clusters: Clusters = None
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return the last of two groups less the first, and the intervals over questions.

    Args:
        grouped: what each question gives.
        most: the largest error that a question can have.
        paired: whether every question is in both groups; else what the groups share is no more than
            questions whose length is not sure.
        clusters: of the questions; one may have questions in both groups, which are then paired.
    """
    grouped = grouped.of_clusters(clusters)
    paired |= clusters is not None
    values, ends = {}, {}
    for name in (*PARTS, "incoherence"):
        part, whole = grouped.quotient(name)
        scale = _scale(name, most)
        values[name], ends[name] = np.nan, np.full(2, np.nan)
        if np.isfinite(part).all():
            part = part / scale
            limit = most if name == "incoherence" else 1.0
            value, between = (difference_interval if paired else _apart)(
                (part[:, 1], part[:, 0]), (whole[:, 1], whole[:, 0]), limit
            )
            values[name], ends[name] = scale * float(value), scale * between
    return values, ends


def _apart(
    parts: tuple[np.ndarray, np.ndarray], wholes: tuple[np.ndarray, np.ndarray], most: float
) -> tuple[float, Float[np.ndarray, " 2"]]:
    """Return the difference of two quotients over different questions, and its interval."""
    totals = [whole.sum() for whole in wholes]
    if min(totals) <= 0:
        return np.nan, np.full(2, np.nan)
    a, b = (float(part.sum() / total) for part, total in zip(parts, totals, strict=True))
    (low_a, high_a), (low_b, high_b) = (
        ratio_interval(part, whole, most) for part, whole in zip(parts, wholes, strict=True)
    )
    ends = a - b - np.hypot(a - low_a, high_b - b), a - b + np.hypot(high_a - a, b - low_b)
    return a - b, np.asarray(ends)


def _scale(name: str, most: float) -> float:
    """Return what a part is at most a share of."""
    return 1.0 if name in ("accuracy", "incoherence") or most <= 0 else most


def lengths_of(
    sampled: Sampled, records: pl.DataFrame, field: str
) -> list[Float[np.ndarray, "questions samples"]]:
    """Return each block's samples' values of a field; 0 where there is no sample."""
    along = records[field].to_numpy().astype(np.float64)
    return [np.where(block.present, along[block.record], 0) for block in sampled.blocks]
