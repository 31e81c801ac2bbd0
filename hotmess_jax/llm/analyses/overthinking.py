"""Natural overthinking: one question's longer samples against its shorter ones."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Float, Int
from scipy import special

from hotmess_jax.llm.analyses.other_outcomes import unit_tests
from hotmess_jax.llm.analyses.precision import in_float64
from hotmess_jax.llm.analyses.questions import (
    AnalysisSettings,
    Arrays,
    Json,
    estimate,
    means,
    overall,
    questions_of,
    to_json,
    with_incoherence,
    with_intervals,
)
from hotmess_jax.llm.analyses.samples import QUESTION, to_samples
from hotmess_jax.llm.analyses.series import field_of, one_series
from kernels.decompositions import smoothed_log

PARTS = ("error", "bias2", "variance", "accuracy", "along")
# Samples in all permutations that are held at once.
AT_ONCE = 4_000_000


@in_float64
def natural_overthinking(
    records: pl.DataFrame, field: str, settings: AnalysisSettings, permutations: int = 1_000
) -> Json:
    """Split each question's samples at its own median length, and compare the two halves.

    Each half has the same number of samples; of an odd number the one in the middle is left out, and
    equal lengths are ordered at random. A split by length alone can make a difference, so the null is a
    permutation test: the same split after the lengths of each question's samples are shuffled.

    Args:
        records: of one model; where they hold unit tests, the metric is their coverage error.
        field: the samples' length; samples without it are left out.
        settings: metric, treatment of unparsed answers, resamples and seed.
        permutations: of the test.

    Returns:
        `short` and `long`: error, bias2, variance, incoherence (plug-in, of equal numbers of samples),
        accuracy and mean length, with intervals over questions; `difference` of incoherence and
        accuracy, long less short, with interval and the permutation test's two-sided p.

    Raises:
        ValueError: where no question has two samples in each half, or none has lengths that differ.

    Source: Hägele et al. 2026, Section 3.1.2, Figures 3 and 17.
    """
    records = one_series(records).table
    field_of(records, field)
    tests = "tests" in records.columns and records["tests"].null_count() < records.height
    metric = "coverage" if tests else settings.metric
    groups, left_out = (_of_tests if tests else _of_choices)(records, field, settings)
    if not groups:
        raise ValueError(f"no question has two samples on either side of its median {field!r}")
    if not any(np.ptp(group.length, axis=1).any() for group in groups):
        raise ValueError(f"{field!r} is the same of all samples of every question")
    random = np.random.default_rng(settings.seed)
    halves = [_halves(group, _by_length(group, random)[None]) for group in groups]
    per_question = {name: np.concatenate([half[name][:, 0] for half in halves]) for name in PARTS}
    (values, differences), (ends, difference_ends) = estimate(_compare, per_question, settings)
    count = sum(len(group.target) for group in groups)
    null = np.concatenate(list(_permuted(groups, permutations, random))) / count
    null = _differences(null)
    found: Json = {
        "field": field,
        "metric": metric,
        "questions": count,
        "left_out": left_out,
        "samples": sum(2 * group.half * len(group.target) for group in groups),
        "permutations": permutations,
    }
    for i, half in enumerate(("short", "long")):
        found[half] = with_intervals(
            {name: value[i] for name, value in values.items()},
            {name: np.asarray(value)[:, i] for name, value in ends.items()},
        )
    found["difference"] = with_intervals(differences, difference_ends)
    for i, name in enumerate(("incoherence", "accuracy")):
        found["difference"][name] |= _against(float(differences[name]), null[:, i])
    return found


def _against(observed: float, null: Float[np.ndarray, " permutations"]) -> Json:
    """Return the two-sided p of a difference and the null's mean, over the splits that have one.

    None where the difference is not known: in a half without an error incoherence is 0/0.
    """
    null = null[np.isfinite(null)]
    if not np.isfinite(observed) or not len(null):
        return {"p": None, "null_mean": None}
    extreme = np.abs(null) >= abs(observed) - 1e-12
    return {"p": float((1 + extreme.sum()) / (1 + len(null))), "null_mean": float(null.mean())}


class _Group(NamedTuple):
    """Questions with one number of samples, as what each metric's decomposition is made of."""

    metric: str
    # Brier: distributions; kl: log-probabilities; coverage: outcomes over √(number of tests).
    points: Float[np.ndarray, "questions samples d"]
    target: Float[np.ndarray, "questions d"]
    right: Float[np.ndarray, "questions samples"]
    length: Float[np.ndarray, "questions samples"]

    @property
    def half(self) -> int:
        """Samples in each half."""
        return self.points.shape[1] // 2


def _of_choices(
    records: pl.DataFrame, field: str, settings: AnalysisSettings
) -> tuple[list[_Group], int]:
    """Return the questions by number of classes and samples, and how many are left out."""
    usable = records.filter(pl.col(field).is_not_null())
    if not usable.height:
        return [], 0
    samples = to_samples(usable, settings.unparsed)
    along = usable[field].to_numpy().astype(np.float64)
    groups: list[_Group] = []
    for block in samples.blocks:
        probs = block.probs
        classes = probs.shape[-1]
        target = np.eye(classes)[block.target]
        right = (probs.argmax(axis=-1) == block.target[:, None]) & (probs.max(axis=-1) > 1 / classes)
        points = probs
        if settings.metric == "kl":
            points = np.asarray(smoothed_log(jnp.asarray(probs), settings.smoothing))
        groups += _by_count(settings.metric, points, target, right, block.present, along[block.record])
    return groups, samples.questions - sum(len(group.target) for group in groups)


def _of_tests(
    records: pl.DataFrame, field: str, settings: AnalysisSettings
) -> tuple[list[_Group], int]:
    """Return the same of unit tests."""
    usable = records.filter(pl.col(field).is_not_null() & pl.col("tests").is_not_null())
    tasks = unit_tests(usable)
    along = usable[field].to_numpy().astype(np.float64)
    weight = tasks.mask / np.sqrt(np.maximum(tasks.mask.sum(axis=1, keepdims=True), 1))
    right = (tasks.outcomes | ~tasks.mask[:, None, :]).all(axis=2)
    points = tasks.outcomes * weight[:, None, :]
    groups = _by_count("coverage", points, weight, right, tasks.present, along[tasks.record])
    kept = sum(len(group.target) for group in groups)
    return groups, usable.select(QUESTION).n_unique() - kept


def _by_count(
    metric: str,
    points: np.ndarray,
    target: np.ndarray,
    right: np.ndarray,
    present: np.ndarray,
    length: np.ndarray,
) -> list[_Group]:
    """Return a group for each number of samples from four on; samples that are present stand first."""
    counts = present.sum(axis=1)
    return [
        _Group(
            metric,
            points[counts == n, :n],
            target[counts == n],
            right[counts == n, :n].astype(np.float64),
            length[counts == n, :n],
        )
        for n in np.unique(counts[counts >= 4])
    ]


def _by_length(group: _Group, random: np.random.Generator) -> Int[np.ndarray, "questions samples"]:
    """Return each sample's place by length, ties at random."""
    order = np.lexsort((random.random(group.length.shape), group.length), axis=-1)
    return np.argsort(order, axis=-1)


def _halves(
    group: _Group, place: Int[np.ndarray, "splits questions samples"]
) -> dict[str, Float[np.ndarray, "questions splits 2"]]:
    """Return each question's parts, accuracy and mean length in its first and its last half.

    What is decomposed depends on means over samples alone, so that many splits are a matrix product.
    """
    n, d = group.points.shape[1:]
    squares = (group.points**2).sum(axis=-1)
    columns = np.concatenate(
        [group.points, squares[..., None], group.right[..., None], group.length[..., None]], axis=-1
    )
    found: dict[str, list[np.ndarray]] = {name: [] for name in PARTS}
    for chosen in (place < group.half, place >= n - group.half):
        weights = np.ascontiguousarray(chosen.transpose(1, 0, 2), dtype=columns.dtype)
        means_of = weights @ columns / group.half
        error, variance = _parts(group, means_of[..., :d], means_of[..., d])
        for name, part in zip(
            PARTS,
            (error, error - variance, variance, means_of[..., d + 1], means_of[..., d + 2]),
            strict=True,
        ):
            found[name].append(part)
    return {name: np.stack(parts, axis=-1) for name, parts in found.items()}


def _parts(
    group: _Group, mean: Float[np.ndarray, "questions splits d"], square: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return error and variance from means over samples: of points, and of their squared norms."""
    target = group.target[:, None, :]
    if group.metric == "kl":
        return -(mean * target).sum(axis=-1), np.maximum(-special.logsumexp(mean, axis=-1), 0)
    variance = np.maximum(square - (mean**2).sum(axis=-1), 0)
    return ((mean - target) ** 2).sum(axis=-1) + variance, variance


def _compare(halves: Arrays, weights: np.ndarray) -> tuple[dict, dict]:
    """Return means of both halves, and long less short."""
    found = with_incoherence(means(halves, weights))
    return found, {name: found[name][:, 1] - found[name][:, 0] for name in ("incoherence", "accuracy")}


def _permuted(
    groups: Sequence[_Group], permutations: int, random: np.random.Generator
) -> Iterator[Float[np.ndarray, "some 2 4"]]:
    """Yield sums over questions of error, bias2, variance and accuracy in random halves."""
    largest = max(group.length.size for group in groups)
    chunk = max(1, AT_ONCE // largest)
    for first in range(0, permutations, chunk):
        splits = min(chunk, permutations - first)
        total = np.zeros((splits, 2, 4))
        for group in groups:
            places = np.broadcast_to(np.arange(group.length.shape[1]), (splits, *group.length.shape))
            found = _halves(group, random.permuted(places, axis=2))
            total += np.stack([found[name].sum(axis=0) for name in PARTS[:4]], axis=-1)
        yield total


def _differences(sums: Float[np.ndarray, "permutations 2 4"]) -> Float[np.ndarray, "permutations 2"]:
    """Return the differences of incoherence and of accuracy of each permutation."""
    found = with_incoherence({name: sums[..., i] for i, name in enumerate(PARTS[:4])})
    pairs = (found["incoherence"], found["accuracy"])
    return np.stack([pair[:, 1] - pair[:, 0] for pair in pairs], axis=-1)


def by_budget(records: pl.DataFrame, field: str, settings: AnalysisSettings) -> list[Json]:
    """Return accuracy and incoherence of each reasoning budget, beside its natural variation.

    Records without a budget are a row of their own. A budget without lengths has a mean length of None
    and no natural variation, and stands last.

    Args:
        records: of one model, with budgets.
        field: the samples' length.
        settings: as `natural_overthinking` has them.

    Raises:
        ValueError: where fewer than two budgets are there.

    Source: Hägele et al. 2026, Figures 7a and 17.
    """
    records = one_series(records, but=["budget"]).table
    field_of(records, field)
    if "budget" not in records.columns or records["budget"].n_unique() < 2:
        raise ValueError("fewer than two budgets")
    found = []
    for (budget,), part in records.group_by("budget", maintain_order=True):
        row: Json = {"budget": budget, "mean_length": to_json(part[field].mean())}
        try:
            row |= overall(questions_of(part, settings), settings)
        except ValueError as error:
            raise ValueError(f"budget {budget}: {error}") from None
        try:
            row["natural"] = natural_overthinking(part, field, settings, permutations=200)
        except ValueError:
            row["natural"] = None
        found.append(row)
    return sorted(found, key=lambda row: (row["mean_length"] is None, row["mean_length"] or 0))
