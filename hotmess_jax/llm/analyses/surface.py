"""Incoherence as a power law in length and size together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.subsets import Sampled, sampled_of
from hotmess_jax.llm.telling import FORM_NAMES, cell, titled
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimate, estimate_of, finite
from hotmess_jax.statistics.intervals import Clusters, effective_questions, summed
from hotmess_jax.statistics.power_laws import jackknifed_fit

Form = Literal["plugin", "corrected"]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Those of log incoherence = intercept + length·log length + size·log size, over questions."""

    intercept: Estimate
    length: Estimate
    size: Estimate


@dataclass(frozen=True, slots=True)
class SurfacePoints:
    """A model's groups of questions: their mean lengths and incoherence."""

    model: str
    parameters: float
    length: tuple[float | None, ...]
    incoherence: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """The power law of incoherence in length and in size; each question is the same one for all models."""

    # The length.
    field: str
    # Corrected, where there is such a form.
    form: Form
    models: tuple[str, ...]
    # Of equal size, a model.
    groups: int
    # Clusters of questions that intervals are over; None where no field says.
    clusters: int | None
    # Of each model, and how many of equal error would hold its own.
    questions: tuple[int, ...]
    effective_questions: tuple[float, ...]
    # How many samples the plug-in form is of.
    plugin_samples: int
    coefficients: Coefficients
    # None where no plane could be fitted.
    r2: float | None
    points: tuple[SurfacePoints, ...]


Result = Surface


def incoherence_surface(
    models: Mapping[str, pl.DataFrame],
    parameters: Mapping[str, float],
    field: str,
    settings: AnalysisSettings,
    groups: int = 10,
) -> Surface:
    """Return the power law of incoherence in length and in size, over groups of questions by length.

    The coefficients are those of `power_laws`.

    Args:
        models: each model's records.
        parameters: each model's number of parameters.
        field: the length; questions are sorted by each model's own, of other samples than those that are
            measured (`cross_fitting`).
        settings: metric and seed.
        groups: of equal size, a model, where each has ten questions, and else as many as have.

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
    return surface_of(sampled, lengths, parameters, settings, groups, field)


def surface_of(
    sampled: Mapping[str, Sampled],
    lengths: Mapping[str, Sequence[Float[np.ndarray, "questions samples"]]],
    parameters: Mapping[str, float],
    settings: AnalysisSettings,
    groups: int,
    field: str,
) -> Surface:
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
    form: Form = "plugin" if settings.metric == "kl" else "corrected"
    random = np.random.default_rng(settings.seed)
    grouped = {
        name: in_groups(of, form, groups_along(of.along, count, random), count)
        for name, of in fitted.items()
    }
    together, everyone = _together(
        grouped, {name: sampled[name].who[of.question] for name, of in fitted.items()}
    )
    by_model = together.error.reshape(-1, len(names), count).sum(axis=2)
    plane = _fitted(together, parameters, names, by_model, clusters_in(everyone))
    return Surface(
        field,
        form,
        tuple(names),
        count,
        count_in(everyone),
        tuple(len(of.question) for of in fitted.values()),
        tuple(effective_questions(by_model).tolist()),
        fitted[names[0]].plugin_samples,
        plane.coefficients,
        plane.r2,
        plane.points,
    )


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


class _Plane(NamedTuple):
    """What was fitted, R² and the points it was fitted to."""

    coefficients: Coefficients
    r2: float | None
    points: tuple[SurfacePoints, ...]


def _fitted(
    together: Grouped,
    parameters: Mapping[str, float],
    names: Sequence[str],
    by_model: Float[np.ndarray, "questions models"],
    clusters: Clusters,
) -> _Plane:
    """Return the plane through the models' groups, which stand side by side."""
    together = together.of_clusters(clusters)
    part, whole = together.quotient("incoherence")
    along, share = together.along.sum(axis=0), together.share.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.log(along / share)
        without = np.log((along - together.along) / (share - together.share))
    sizes = np.repeat(np.log([parameters[name] for name in names]), len(length) // len(names))
    effective = float(effective_questions(summed(by_model, clusters)).min())
    fit = jackknifed_fit(_design(length, sizes), _design(without, sizes), part, whole, effective)
    total = whole.sum(axis=0)
    quotient = np.where(total > 0, part.sum(axis=0) / np.where(total > 0, total, 1), np.nan)
    return _Plane(
        Coefficients(*map(estimate_of, fit.coefficients.tolist(), fit.ci95.T)),
        finite(fit.r2),
        tuple(
            SurfacePoints(
                name, float(parameters[name]), tuple(map(finite, lengths)), tuple(map(finite, values))
            )
            for name, lengths, values in zip(
                names,
                *(of.reshape(len(names), -1).tolist() for of in (np.exp(length), quotient)),
                strict=True,
            )
        ),
    )


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


def compute(case: Case) -> Surface:
    """Return the surface of one setting's models."""
    parts = [part for part in case.parts if part.label in case.parameters]
    common = case.settings.length or common_length_field([part.records for part in parts])
    if common is None:
        raise ValueError("the models have no length in common")
    models = {part.label: part.records for part in parts}
    return incoherence_surface(models, case.parameters, common, case.analysis, case.settings.groups[0])


def tell(results: Mapping[str, Surface]) -> str:
    """Return the section."""
    return "\n\n".join(titled(name, _told(result)) for name, result in results.items())


def _told(result: Surface) -> str:
    if result.r2 is None:
        return "No plane could be fitted: nothing varies, or all error is of one group."
    of = result.coefficients
    cells = [cell(value) for value in (of.length, of.size, of.intercept)]
    effective = ", ".join(number(each, 2) for each in result.effective_questions)
    return (
        f"log incoherence ({FORM_NAMES[result.form]}) = intercept + a·log length + b·log size, fitted to sums over "
        f"questions in {result.groups} groups a model, by the lengths of other samples than those that are "
        "measured. A question counts as one for all models. Few samples say a question's length badly, which "
        f"brings a nearer to 0. Effective questions, a model each: {effective}.\n\n"
        + table(["a (length)", "b (size)", "intercept", "R²"], [[*cells, number(result.r2)]])
    )
