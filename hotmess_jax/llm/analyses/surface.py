"""Incoherence as a power law in length and size together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.clusters import clusters_in, count_in, of_all
from hotmess_jax.llm.measures.cross_fitting import (
    LEAST,
    Grouped,
    cross_fit_all,
    groups_along,
    in_groups,
    lengths_of,
)
from hotmess_jax.llm.measures.groups import A_GROUP, common_length_field
from hotmess_jax.llm.measures.questions import AnalysisSettings, Json, to_json, with_intervals
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.subsets import Sampled, sampled_of
from hotmess_jax.llm.telling import FORM_NAMES, cell, titled
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics import power_laws
from hotmess_jax.statistics.intervals import effective_questions, summed


def incoherence_surface(
    models: Mapping[str, pl.DataFrame],
    parameters: Mapping[str, float],
    field: str,
    settings: AnalysisSettings,
    groups: int = 10,
) -> Json:
    """Return the power law of incoherence in length and in size, over groups of questions by length.

    Args:
        models: each model's records.
        parameters: each model's number of parameters.
        field: the length; questions are sorted by each model's own, of other samples than those that are
            measured (`cross_fitting`).
        settings: metric and seed.
        groups: of equal size, a model, where each has ten questions, and else as many as have.

    Returns:
        The coefficients (`power_laws`) with intervals over questions, each the same question for all models
        that have it, R², and the points. Corrected, where there is such a form; `form` says which.

    Raises:
        ValueError: for fewer than two sizes, or too few questions.

    Source: Hägele et al. 2026, Figure 14.
    """
    names = [name for name in models if name in parameters]
    if len({parameters[name] for name in names}) < 2:
        raise ValueError("a surface needs models of at least two sizes")
    having = {name: models[name].filter(pl.col(field).is_not_null()) for name in names}
    sampled = {name: sampled_of(records, settings) for name, records in having.items()}
    lengths = {name: lengths_of(of, having[name], field) for name, of in sampled.items()}
    return {"field": field} | surface_of(sampled, lengths, parameters, settings, groups, field)


def surface_of(
    sampled: Mapping[str, Sampled],
    lengths: Mapping[str, Sequence[Float[np.ndarray, "questions samples"]]],
    parameters: Mapping[str, float],
    settings: AnalysisSettings,
    groups: int,
    field: str,
) -> Json:
    """Return what `incoherence_surface` does of questions sample by sample.

    Args:
        sampled: each model's questions.
        lengths: of each of a model's blocks, each sample's length.
        parameters: each model's number of parameters.
        settings: metric and seed.
        groups: as in `incoherence_surface`.
        field: the lengths' name.

    Raises:
        ValueError: for too few questions.
    """
    names = list(sampled)
    fitted = cross_fit_all(sampled, lengths, settings.seed)
    for name, of in fitted.items():
        if len(of.question) < LEAST:
            raise ValueError(
                f"{name} has {len(of.question)} questions with {field!r} in {LEAST} samples, too few"
            )
    least = min(len(of.question) for of in fitted.values())
    count = max(2, min(groups, least // A_GROUP))
    form = "plugin" if settings.metric == "kl" else "corrected"
    random = np.random.default_rng(settings.seed)
    grouped = {
        name: in_groups(of, form, groups_along(of.along, count, random), count)
        for name, of in fitted.items()
    }
    together, everyone = _together(
        grouped, {name: sampled[name].who[of.question] for name, of in fitted.items()}
    )
    by_model = together.error.reshape(-1, len(names), count).sum(axis=2)
    clusters = clusters_in(everyone)
    together = together.of_clusters(clusters)
    sizes = np.log([parameters[name] for name in names])
    fit, left_out, length, quotient = _fitted(together, np.repeat(sizes, count))
    effective = float(effective_questions(summed(by_model, clusters)).min())
    ends = power_laws.jackknife_interval(fit.coefficients, left_out.coefficients, effective)
    labels = ("intercept", "length", "size")
    return {
        "form": form,
        "models": names,
        "groups": count,
        "clusters": count_in(everyone),
        "questions": [len(of.question) for of in fitted.values()],
        "effective_questions": to_json(effective_questions(by_model)),
        "plugin_samples": fitted[names[0]].plugin_samples,
        "coefficients": with_intervals(
            dict(zip(labels, fit.coefficients, strict=True)), dict(zip(labels, ends.T, strict=True))
        ),
        "r2": to_json(float(fit.r2)),
        "points": _points(parameters, names, np.exp(length), quotient),
    }


def _points(
    parameters: Mapping[str, float],
    names: Sequence[str],
    length: Float[np.ndarray, " groups"],
    quotient: Float[np.ndarray, " groups"],
) -> list[Json]:
    """Return each model's groups: their mean lengths and incoherence."""
    rows = zip(names, *(part.reshape(len(names), -1) for part in (length, quotient)), strict=True)
    return [
        {
            "model": name,
            "parameters": float(parameters[name]),
            "length": to_json(lengths),
            "incoherence": to_json(values),
        }
        for name, lengths, values in rows
    ]


def _together(
    grouped: Mapping[str, Grouped], who: Mapping[str, pl.DataFrame]
) -> tuple[Grouped, pl.DataFrame]:
    """Return all models' groups side by side, in rows of all models' questions, and who these are."""
    everyone = pl.concat([of.select(QUESTION) for of in who.values()]).unique(maintain_order=True)
    everyone = of_all(list(who.values()), everyone).with_row_index("row")
    columns: list[Grouped] = []
    for name, of in grouped.items():
        place = (
            who[name]
            .select(QUESTION)
            .join(everyone, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")["row"]
            .to_numpy()
            .astype(int)
        )
        columns.append(Grouped(*(_spread(part, place, everyone.height) for part in of)))
    return Grouped(*(np.concatenate(part, axis=1) for part in zip(*columns, strict=True))), everyone


def _fitted(
    together: Grouped, sizes: Float[np.ndarray, " groups"]
) -> tuple[power_laws.Fit, power_laws.Fit, Float[np.ndarray, " groups"], Float[np.ndarray, " groups"]]:
    """Return the plane, that of each question left out, and the groups' log lengths and incoherence."""
    part, whole = together.quotient("incoherence")
    total = part.sum(axis=0), whole.sum(axis=0)
    along, share = together.along.sum(axis=0), together.share.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.log(along / share)
        length_without = np.log((along - together.along) / (share - together.share))
    fit = power_laws.fit(_design(length, sizes), *total)
    left_out = power_laws.fit(_design(length_without, sizes), total[0] - part, total[1] - whole)
    quotient = np.where(total[1] > 0, total[0] / np.where(total[1] > 0, total[1], 1), np.nan)
    return fit, left_out, length, quotient


def _spread(
    part: Float[np.ndarray, "questions groups"], place: Int[np.ndarray, " questions"], count: int
) -> Float[np.ndarray, "everyone groups"]:
    """Return what one model's questions give, in the rows of all models' questions."""
    found = np.zeros((count, part.shape[1]))
    found[place] = part
    return found


def _design(
    length: Float[np.ndarray, "*shape points"], sizes: Float[np.ndarray, " points"]
) -> Float[np.ndarray, "*shape points 2"]:
    return np.stack([length, np.broadcast_to(sizes, length.shape)], axis=-1)


def compute(case: Case) -> Json:
    """Return the surface of one setting's models."""
    parts = [part for part in case.parts if part.label in case.parameters]
    common = case.settings.length or common_length_field([part.records for part in parts])
    if common is None:
        raise ValueError("the models have no length in common")
    models = {part.label: part.records for part in parts}
    return incoherence_surface(models, case.parameters, common, case.analysis, case.settings.groups[0])


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return "\n\n".join(titled(name, _surface_of(result)) for name, result in results.items())


def _surface_of(result: Json) -> str:
    if result["r2"] is None:
        return "No plane could be fitted: nothing varies, or all error is of one group."
    cells = [cell(result["coefficients"][k]) for k in ("length", "size", "intercept")]
    effective = ", ".join(number(of, 2) for of in result["effective_questions"])
    return (
        f"log incoherence ({FORM_NAMES[result['form']]}) = intercept + a·log length + b·log size, fitted to sums over "
        f"questions in {result['groups']} groups a model, by the lengths of other samples than those that are "
        "measured. A question counts as one for all models. Few samples say a question's length badly, which "
        f"brings a nearer to 0. Effective questions, a model each: {effective}.\n\n"
        + table(["a (length)", "b (size)", "intercept", "R²"], [[*cells, number(result["r2"])]])
    )
