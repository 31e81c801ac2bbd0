"""Groups of questions by difficulty, and how each scales with model size."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from scipy import stats

from hotmess_jax.llm.analyses.cross_fitting import Fold, arrays_of
from hotmess_jax.llm.analyses.groups import grouped_over_folds, log_log_fit
from hotmess_jax.llm.analyses.questions import (
    FORMS,
    AnalysisSettings,
    Arrays,
    Json,
    Questions,
    estimate,
    means,
    parts_of,
    percentiles,
    to_json,
    with_incoherence,
    with_intervals,
)
from hotmess_jax.llm.analyses.samples import QUESTION
from hotmess_jax.llm.analyses.series import field_of

SCALED = ("accuracy", "error", "bias2", "variance", "incoherence")


def difficulty_groups(reference: Questions, field: str, count: int) -> pl.DataFrame:
    """Return each question's group of difficulty, 0 the easiest: by a reference model's mean length.

    Raises:
        ValueError: where there are fewer questions than groups.

    Source: Hägele et al. 2026, Section 3.2.1.
    """
    field_of(reference.table, field)
    table = reference.table.filter(pl.col(field).is_not_null()).sort([field, *QUESTION])
    if table.height < count:
        raise ValueError(f"{count} groups of difficulty need as many questions, got {table.height}")
    return table.select(*QUESTION, (pl.int_range(pl.len()) * count // pl.len()).alias("group"))


def scaling_by_difficulty(
    models: Mapping[str, Questions],
    parameters: Mapping[str, float],
    groups: pl.DataFrame,
    settings: AnalysisSettings,
) -> Json:
    """Return how accuracy, bias², variance and incoherence scale with size within groups of questions.

    Args:
        models: each model's questions.
        parameters: each model's number of parameters.
        groups: from `difficulty_groups`; only questions that all models have are used.
        settings: resamples and seed.

    Returns:
        Of each group and form the values of each model, and the exponents k of value ∝ N^k, with
        intervals over resampled questions, the same for all models: they hold for these models.

    Raises:
        ValueError: for fewer than two sizes, or no shared question.

    Source: Hägele et al. 2026, Section 3.2.1, Figures 4a, 5, 12, 15 and 16.
    """
    names = sorted((name for name in models if name in parameters), key=lambda name: parameters[name])
    if len({parameters[name] for name in names}) < 2:
        raise ValueError("scaling needs models of at least two sizes")
    shared = groups
    for name in names:
        shared = shared.join(models[name].table.select(QUESTION), on=QUESTION, nulls_equal=True)
    if not shared.height:
        raise ValueError("no question is shared by all models")
    sizes = np.asarray([float(parameters[name]) for name in names])
    found: Json = {"models": names, "parameters": to_json(sizes), "groups": []}
    for (group,), part in shared.sort(QUESTION).group_by("group", maintain_order=True):
        rows = {name: _rows(models[name], part) for name in names}
        row: Json = {"group": int(group), "questions": part.height}
        for form in FORMS:
            of_models = [parts_of(models[name].where(rows[name]), form) for name in names]
            arrays = {key: np.stack([of[key] for of in of_models], axis=1) for key in of_models[0]}
            (values, exponents, r2), (ends, exponent_ends, _) = estimate(
                functools.partial(_scaling, sizes), arrays, settings
            )
            fits = with_intervals(exponents, exponent_ends)
            row[form] = with_intervals(values, ends) | {
                "exponents": {name: fit | {"r2": to_json(r2[name])} for name, fit in fits.items()}
            }
        found["groups"].append(row)
    found["groups"].sort(key=lambda row: row["group"])
    return found


def _rows(questions: Questions, wanted: pl.DataFrame) -> np.ndarray:
    place = questions.table.select(QUESTION).with_row_index("row")
    joined = wanted.select(QUESTION).join(
        place, on=QUESTION, how="left", nulls_equal=True, maintain_order="left"
    )
    return joined["row"].to_numpy()


def _scaling(sizes: np.ndarray, arrays: Arrays, weights: np.ndarray) -> tuple[dict, dict, dict]:
    found = with_incoherence(means(arrays, weights))
    fits = {name: log_log_fit(sizes, found[name]) for name in SCALED}
    exponents, r2 = ({name: fit[i] for name, fit in fits.items()} for i in (0, 1))
    return found, exponents, r2


def incoherence_surface(
    models: Mapping[str, Sequence[Fold]],
    parameters: Mapping[str, float],
    field: str,
    settings: AnalysisSettings,
    groups: int = 10,
) -> Json:
    """Regress log incoherence on log length and log size, over groups of questions by length.

    Args:
        models: each model's questions and lengths, from `cross_fitted`; sorted by each model's own.
        parameters: each model's number of parameters.
        field: the length's name.
        settings: resamples and seed.
        groups: of equal size, a model.

    Returns:
        The coefficients with intervals over resampled questions, R², and the points. A question is
        drawn for all models that have it at once: what is hard for one is hard for the others.

    Raises:
        ValueError: for fewer than two sizes, or too few questions.

    Source: Hägele et al. 2026, Figure 14.
    """
    names = [name for name in models if name in parameters]
    if len({parameters[name] for name in names}) < 2:
        raise ValueError("a surface needs models of at least two sizes")
    arrays, tables = {}, {}
    for name in names:
        tables[name] = models[name][0].questions.table.select(QUESTION)
        if tables[name].height < 2 * groups:
            raise ValueError(f"{name} has {tables[name].height} questions with {field!r}, too few")
        arrays[name] = arrays_of(models[name], "plugin")
    logs = np.log([parameters[name] for name in names])
    every = pl.concat(list(tables.values())).unique().sort(QUESTION).with_row_index("row")
    rows = {
        name: table.join(every, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")[
            "row"
        ].to_numpy()
        for name, table in tables.items()
    }

    def points_of(weights: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        return {
            name: grouped_over_folds(arrays[name], weights[:, rows[name]], groups) for name in names
        }

    points = points_of(np.ones((1, every.height)))
    value = _plane(points, logs)
    random = np.random.default_rng(settings.seed)
    weights = random.multinomial(
        every.height, np.full(every.height, 1 / every.height), settings.resamples
    )
    ends = percentiles(_plane(points_of(weights.astype(np.float64)), logs))
    labels = ("intercept", "length", "size")
    return {
        "field": field,
        "models": names,
        "groups": groups,
        "questions": [tables[name].height for name in names],
        "coefficients": with_intervals(
            dict(zip(labels, value[0], strict=False)), dict(zip(labels, ends.T, strict=False))
        ),
        "r2": to_json(float(value[0, 3])),
        "points": [
            {"model": name, "parameters": float(parameters[name]), "length":
            to_json(points[name]["along"][0]), "incoherence": to_json(points[name]["incoherence"][0])}
            for name in names
        ],
    }  # fmt: skip


def _plane(points: Mapping[str, dict[str, np.ndarray]], logs: np.ndarray) -> np.ndarray:
    """Return intercept, coefficients of log length and log size, and R², `[replicates, 4]`."""
    incoherence, length = (
        np.concatenate([of[key] for of in points.values()], axis=1) for key in ("incoherence", "along")
    )
    usable = (incoherence > 0).all(axis=1) & (length > 0).all(axis=1)
    found = np.full((len(incoherence), 4), np.nan)
    sizes = np.repeat(logs, incoherence.shape[1] // len(logs))
    for i in np.flatnonzero(usable):
        design = np.stack([np.ones_like(sizes), np.log(length[i]), sizes], axis=1)
        y = np.log(incoherence[i])
        solved, *_ = np.linalg.lstsq(design, y, rcond=None)
        left = y - design @ solved
        total = ((y - y.mean()) ** 2).sum()
        found[i] = [*solved, 1 - left @ left / total if total > 0 else np.nan]
    return found


def length_correlation(models: Mapping[str, Questions], fields: Mapping[str, str]) -> Sequence[Json]:
    """Return the rank correlation of each two models' mean lengths over the questions they share.

    Intervals are Bonett and Wright's (2000) for Spearman's ρ; both are None where a model's lengths are
    all the same.

    Args:
        models: each model's questions.
        fields: each model's length.

    Source: Hägele et al. 2026, Figures 5b and 12b.
    """
    found = []
    names = [name for name in models if fields.get(name) in models[name].table.columns]
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            lengths = models[first].table.select(*QUESTION, pl.col(fields[first]).alias("x")).join(
                models[second].table.select(*QUESTION, pl.col(fields[second]).alias("y")),
                on=QUESTION,
                nulls_equal=True,
            ).drop_nulls(["x", "y"])  # fmt: skip
            if lengths.height < 5:
                continue
            rho = np.nan
            if lengths["x"].n_unique() > 1 and lengths["y"].n_unique() > 1:
                rho = float(stats.spearmanr(lengths["x"].to_numpy(), lengths["y"].to_numpy()).statistic)
            width = 1.96 * np.sqrt((1 + rho**2 / 2) / (lengths.height - 3))
            ends = np.tanh(
                np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12)) + np.asarray([-width, width])
            )
            found.append({
                "models": [first, second], "fields": [fields[first], fields[second]],
                "questions": lengths.height,
                "rho": {"value": to_json(rho), "ci95": to_json(ends)},
            })  # fmt: skip
    return found
