"""Questions sorted by a field, in groups of equal size: the paper's main analysis."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from hotmess_jax.llm.analyses.cross_fitting import Fold, arrays_of, cross_fitted, itself
from hotmess_jax.llm.analyses.questions import (
    FORMS,
    AnalysisSettings,
    Arrays,
    Json,
    Questions,
    estimate,
    mean_parts,
    parts_of,
    to_json,
    with_incoherence,
    with_intervals,
)
from hotmess_jax.llm.analyses.samples import QUESTION
from hotmess_jax.llm.analyses.series import field_of
from hotmess_jax.statistics.intervals import FEW
from kernels.names import nearest

SLOPES = ("error", "bias2", "variance", "incoherence")


def by_field(
    questions: Questions, field: str, settings: AnalysisSettings, groups: Sequence[int] = (10, 5, 20)
) -> Json:
    """Return bias², variance, incoherence, error and accuracy against a field of the questions.

    Questions are sorted by the field and cut into groups of equal size (to one); incoherence is
    Σ variance / Σ error within a group. The slope is that of a straight line through the groups in
    double logarithm. Intervals are over resampled questions, sorted and cut anew each time.

    What is measured on the samples themselves, such as length, is for `by_measured_field`.

    Args:
        questions: of one model.
        field: numeric; questions without it are left out and counted.
        settings: resamples and seed.
        groups: numbers of groups; the first is what the curves have, and all have slopes. Those with
            fewer than two questions a group are left out.

    Returns:
        `tied_cuts`, how many of the curves' cuts are between questions of one length, which stand in the
        file's order; `curves`, `slopes` and `halves` of each form, a value with its interval each; a slope is None
        where a group's value is not above 0; `halves` is the half of the questions with more of the
        field less the other half, which is always known.

    Raises:
        ValueError: where fewer than four questions have the field, or all have the same of it.

    Source: Hägele et al. 2026, Section 3.1, Figures 2, 8, 10, 23 and 25.
    """
    folds = itself(questions, field)
    found = _along(folds, field, questions.table.height, settings, groups)
    return found | {"samples": folds[0].questions.samples, "folds": None}


def by_measured_field(
    records: pl.DataFrame,
    field: str,
    decompose: Callable[[pl.DataFrame], Questions],
    settings: AnalysisSettings,
    groups: Sequence[int] = (10, 5, 20),
) -> Json:
    """Return what `by_field` does, with the field read from other samples than are decomposed.

    Sums within groups are averaged over the folds of `cross_fitted`; the plug-in form is of half of
    each question's samples.

    Args:
        records: of one model.
        field: numeric, of each sample.
        decompose: records to questions, such as a partial `questions_of`.
        settings: resamples and seed.
        groups: as in `by_field`.

    Returns:
        As `by_field` does, and `folds`, how many there are.

    Raises:
        ValueError: where fewer than four questions have four samples with the field.
    """
    folds = cross_fitted(records, field, decompose, settings.seed)
    total = records.select(QUESTION).n_unique()
    found = _along(folds, field, total, settings, groups)
    pair = folds[0].questions.samples + folds[1].questions.samples
    return found | {"samples": pair, "folds": len(folds)}


def _along(
    folds: Sequence[Fold],
    field: str,
    total: int,
    settings: AnalysisSettings,
    groups: Sequence[int],
) -> Json:
    if min(groups) < 2:
        raise ValueError(f"groups must be at least 2, got {tuple(groups)}")
    number = len(folds[0].along)
    if number < 4:
        raise ValueError(f"only {number} questions have {field!r}")
    usable = [count for count in groups if count <= number // 2] or [2]
    found: Json = {
        "field": field,
        "metric": settings.metric,
        "questions": number,
        "without_field": total - number,
        "groups": usable[0],
    }
    if all(fold.along.min() == fold.along.max() for fold in folds):
        raise ValueError(f"{field!r} is the same of all questions: {folds[0].along[0]:g}")
    # Cuts between questions of one length are cuts by the file's order.
    cuts = np.asarray([-(-group * number // usable[0]) for group in range(1, usable[0])])
    ordered = [np.sort(fold.along) for fold in folds]
    found["tied_cuts"] = max(int((along[cuts - 1] == along[cuts]).sum()) for along in ordered)
    for form in FORMS:
        arrays = arrays_of(folds, form)
        halves = estimate(_between_halves, arrays, settings)
        found[form] = {"slopes": {}, "halves": with_intervals(*halves)}
        for count in usable:
            (curves, slopes, r2), (curves_ci, slopes_ci, _) = estimate(
                functools.partial(_by_group, count), arrays, settings
            )
            if count == usable[0]:
                found[form]["curves"] = with_intervals(curves, curves_ci)
            fits = with_intervals(slopes, slopes_ci)
            found[form]["slopes"][str(count)] = {
                name: fit | {"r2": to_json(r2[name])} for name, fit in fits.items()
            }
    return found


def _by_group(count: int, arrays: Arrays, weights: np.ndarray) -> tuple[dict, dict, dict]:
    curves = grouped_over_folds(arrays, weights, count)
    fits = {name: log_log_fit(curves["along"], curves[name]) for name in SLOPES}
    slopes, r2 = ({name: fit[i] for name, fit in fits.items()} for i in (0, 1))
    return curves, slopes, r2


def _between_halves(arrays: Arrays, weights: np.ndarray) -> dict[str, np.ndarray]:
    halves = grouped_over_folds(arrays, weights, 2)
    return {name: values[:, 1] - values[:, 0] for name, values in halves.items()}


def grouped_over_folds(arrays: Arrays, weights: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Return means within groups, averaged over folds that are sorted each on its own.

    Args:
        arrays: from `arrays_of`.
        weights: how often each question was drawn, `[replicates, questions]`.
        count: of groups.

    Returns:
        Of each array `[replicates, groups]`, and the incoherence of the averages.
    """
    names = [name for name in arrays if name != "order"]
    folds = []
    for k, order in enumerate(arrays["order"].T):
        of_fold = {name: arrays[name][order, k] for name in names}
        folds.append(grouped(of_fold, weights[:, order], count))
    return with_incoherence({name: np.mean([fold[name] for fold in folds], axis=0) for name in names})


def grouped(arrays: Arrays, weights: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Return means within groups of equal size (to one), and their incoherence.

    Args:
        arrays: over questions that are sorted along `along`.
        weights: how often each question was drawn, `[replicates, questions]`; as if the drawn ones
            stood in a row, those of one question side by side, and the row were cut into equal parts.
        count: of groups.

    Returns:
        Of each array `[replicates, groups]`.
    """
    total = weights.sum(axis=1).astype(int)[:, None]
    # In integers, so that with every question drawn once each stands in one group.
    bounds = -(-np.arange(count + 1) * total // count)
    inner = bounds[:, 1:-1]
    ends = np.cumsum(weights, axis=1)
    place = np.stack(
        [np.searchsorted(row, cut, side="left") for row, cut in zip(ends, inner, strict=True)]
    )
    rows = np.arange(len(weights))[:, None]
    before = ends[rows, place] - weights[rows, place]
    part_of_one = inner - before
    found = {}
    for name, values in arrays.items():
        sums = np.cumsum(weights * values, axis=1)
        up_to = sums[rows, place] - weights[rows, place] * values[place] + part_of_one * values[place]
        edges = np.concatenate([np.zeros((len(weights), 1)), up_to, sums[:, -1:]], axis=1)
        found[name] = np.diff(edges, axis=1) / np.diff(bounds, axis=1)
    return with_incoherence(found)


def log_log_fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and R² of a line through log y against log x; NaN unless all are above 0.

    Args:
        x: `[…, points]`.
        y: likewise.
    """
    positive = (x > 0).all(axis=-1) & (y > 0).all(axis=-1)
    u, v = (
        np.log(np.where(np.expand_dims(positive, -1), values, 1))
        for values in np.broadcast_arrays(x, y)
    )
    u, v = (values - values.mean(axis=-1, keepdims=True) for values in (u, v))
    spread, total = (u**2).sum(axis=-1), (v**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(positive & (spread > 0), (u * v).sum(axis=-1) / spread, np.nan)
        r2 = 1 - ((v - slope[..., None] * u) ** 2).sum(axis=-1) / np.where(total > 0, total, np.nan)
    return slope, r2


LENGTHS = ("reasoning_tokens", "actions", "output_tokens", "words")


def length_field(records: pl.DataFrame) -> str | None:
    """Return the field that lengths are read from: the first of `LENGTHS` that varies."""
    return next((name for name in LENGTHS if _has_lengths(records, name)), None)


def common_length_field(parts: Sequence[pl.DataFrame]) -> str | None:
    """Return the first of `LENGTHS` that varies in every part, to compare lengths in."""
    return next((name for name in LENGTHS if all(_has_lengths(part, name) for part in parts)), None)


def _has_lengths(records: pl.DataFrame, name: str) -> bool:
    """Tell whether lengths are there, and not all the same."""
    if name not in records.columns:
        return False
    lengths = records[name].drop_nulls()
    return lengths.n_unique() > 1 and records.filter(pl.col(name) > 0).height > 0


def with_wait_ratio(records: pl.DataFrame) -> pl.DataFrame:
    """Add `wait_ratio`: how many of the reasoning's words are "wait", where there is reasoning.

    Source: Hägele et al. 2026, Figure 18.
    """
    words = pl.col("reasoning").str.count_matches(r"\S+")
    waits = pl.col("reasoning").str.count_matches(r"(?i)\bwait\b")
    return records.with_columns(
        pl.when(words > 0).then(waits / words).otherwise(None).alias("wait_ratio")
    )


def by_label(
    questions: Questions, field: str, settings: AnalysisSettings, label: str = "topic"
) -> list[Json]:
    """Return each label's mean of a field, its accuracy and incoherence, longest first.

    Labels of fewer than ten questions are taken together as one, whose name lists them: a question or two
    that happen to be right would look the most certain of all. Where they are fewer than ten together, there
    are no intervals.

    Args:
        questions: of one model and setting.
        field: the length.
        settings: resamples and seed.
        label: a field of names: topic, or difficulty as the benchmark has it.

    Raises:
        ValueError: where no question has the label, or none the field.

    Source: Hägele et al. 2026, Figure 22.
    """
    if label not in questions.table.columns or questions.table[label].is_null().all():
        near = "" if label in questions.table.columns else nearest(label, questions.table.columns)
        raise ValueError(f"no record has a {label}{near}")
    field_of(questions.table, field)
    found = []
    rows = questions.table.with_row_index("row").filter(
        pl.col(field).is_not_null() & pl.col(label).is_not_null()
    )
    for (name,), part in _few_together(rows, label).group_by(label, maintain_order=True):
        kept = questions.where(part["row"].to_numpy())
        arrays = parts_of(kept, "plugin") | {"along": kept.table[field].to_numpy() * 1.0}
        values = with_intervals(*estimate(mean_parts, arrays, settings))
        if part.height < FEW:
            values = {key: value | {"ci95": [None, None]} for key, value in values.items()}
        found.append({label: name, "questions": kept.table.height, "samples": kept.samples} | values)
    return sorted(found, key=lambda row: -row["along"]["value"])


def _few_together(rows: pl.DataFrame, label: str) -> pl.DataFrame:
    """Return questions with one label for all that fewer than `FEW` of them have."""
    few = sorted(rows.group_by(label).len().filter(pl.col("len") < FEW)[label].to_list())
    if not few:
        return rows
    count = f"{len(few)} others" if len(few) > 1 else "1 other"
    together = f"{count} (fewer than {FEW} questions each: {', '.join(map(str, few))})"
    return rows.with_columns(
        pl.when(pl.col(label).is_in(few)).then(pl.lit(together)).otherwise(pl.col(label)).alias(label)
    )
