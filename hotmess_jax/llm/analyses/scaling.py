"""Groups of questions by difficulty, and how each scales with model size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.cases import NO_LENGTH, Case
from hotmess_jax.llm.measures.clusters import clusters_in, count_in, of_all
from hotmess_jax.llm.measures.cross_fitting import (
    FORMS,
    LEAST,
    NO_KL,
    CrossFitted,
    Grouped,
    cross_fit_all,
    group_values,
    groups_along,
    in_groups,
    lengths_of,
)
from hotmess_jax.llm.measures.questions import QUANTITIES, AnalysisSettings
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.subsets import Sampled, sampled_of
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell, titled
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import Estimates, estimates_of
from hotmess_jax.statistics.intervals import FEW, Clusters, effective_questions
from hotmess_jax.statistics.power_laws import Exponent, jackknifed_fit


@dataclass(frozen=True, slots=True)
class Exponents:
    """The exponents k of value ∝ N^k."""

    accuracy: Exponent
    error: Exponent
    bias2: Exponent
    variance: Exponent
    incoherence: Exponent


@dataclass(frozen=True, slots=True)
class ScalingForm:
    """The models' values within a group in one form, and their exponents in size."""

    accuracy: Estimates
    error: Estimates
    bias2: Estimates
    variance: Estimates
    incoherence: Estimates
    exponents: Exponents


@dataclass(frozen=True, slots=True)
class ScalingGroup:
    """Questions of like difficulty, from 0, the easiest, on."""

    group: int
    questions: int
    # Of each model, how many questions of equal error would hold its own.
    effective_questions: tuple[float, ...]
    plugin: ScalingForm
    # None where there is none, as `no_corrected` says.
    corrected: ScalingForm | None


@dataclass(frozen=True, slots=True)
class Scaling:
    """How models scale with size within groups of difficulty; intervals hold for these models."""

    models: tuple[str, ...]
    parameters: tuple[float, ...]
    # The model whose lengths say how difficult a question is.
    reference: str
    # How many samples the plug-in form is of.
    plugin_samples: int
    no_corrected: str | None
    # Clusters of questions that intervals are over; None where no field says.
    clusters: int | None
    groups: tuple[ScalingGroup, ...]


Result = Scaling


def scaling_by_difficulty(
    models: Mapping[str, pl.DataFrame],
    parameters: Mapping[str, float],
    reference: str,
    field: str,
    settings: AnalysisSettings,
    count: int = 3,
) -> Scaling:
    """Return how accuracy, bias², variance and incoherence scale with size within groups of difficulty.

    Difficulty is the reference model's mean length. Its own answers are measured by other samples than those
    that say how long a question is (`cross_fitting`), and so are the other models' for the sake of equal
    numbers of samples. Exponents are those of `power_laws`, with intervals over the questions, which are the
    same for all models.

    Args:
        models: each model's records.
        parameters: each model's number of parameters; others are not used, but for the reference.
        reference: which model's lengths say how difficult a question is.
        field: the length.
        settings: metric and seed.
        count: of groups, the first the easiest.

    Raises:
        ValueError: for fewer than two sizes, more groups than questions, or no shared question.

    Source: Hägele et al. 2026, Section 3.2.1, Figures 4a, 5, 12, 15 and 16.
    """
    names = [name for name in models if name in parameters]
    if len({parameters[name] for name in names}) < 2:
        raise ValueError("scaling needs models of at least two sizes")
    used = dict.fromkeys([reference, *names])
    having = {
        name: models[name].filter(pl.col(field).is_not_null()) if name == reference else models[name]
        for name in used
    }
    sampled = {name: sampled_of(records, settings) for name, records in having.items()}
    lengths = lengths_of(sampled[reference], having[reference], field)
    return scaling_of(sampled, lengths, parameters, reference, settings, count)


def scaling_of(
    sampled: Mapping[str, Sampled],
    lengths: Sequence[Float[np.ndarray, "questions samples"]],
    parameters: Mapping[str, float],
    reference: str,
    settings: AnalysisSettings,
    count: int,
) -> Scaling:
    """Return what `scaling_by_difficulty` does of questions sample by sample.

    Args:
        sampled: the reference's questions, and those of each model with parameters.
        lengths: of each of the reference's blocks, each sample's length.
        parameters: each model's number of parameters.
        reference: its name.
        settings: metric and seed.
        count: of groups.

    Raises:
        ValueError: for more groups than questions, or no shared question.
    """
    names = sorted((name for name in sampled if name in parameters), key=lambda name: parameters[name])
    fields = {
        name: lengths if name == reference else [np.zeros(block.present.shape) for block in of.blocks]
        for name, of in sampled.items()
    }
    fitted = cross_fit_all(sampled, fields, settings.seed)
    number = len(fitted[reference].question)
    if number < count:
        raise ValueError(
            f"{count} groups of difficulty need as many questions with {LEAST} samples, got {number}"
        )
    random = np.random.default_rng(settings.seed)
    group = groups_along(fitted[reference].along, count, random)
    plugin_samples = fitted[reference].plugin_samples
    who = {name: sampled[name].who[of.question] for name, of in fitted.items()}
    shared = _shared(who, [reference, *(name for name in names if name != reference)])
    place = {name: shared[f"row {name}"].to_numpy().astype(int) for name in fitted}
    sizes = np.asarray([float(parameters[name]) for name in names])
    no_corrected = NO_KL if settings.metric == "kl" else None
    groups = _in_groups(
        {name: _at(fitted[name], place[name]) for name in names},
        group[:, place[reference]],
        count,
        ("plugin",) if no_corrected else FORMS,
        sizes,
        max(sampled[name].most for name in names),
        clusters_in(shared),
    )
    return Scaling(
        tuple(names),
        tuple(sizes.tolist()),
        reference,
        plugin_samples,
        no_corrected,
        count_in(shared),
        groups,
    )


def _shared(who: Mapping[str, pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
    """Return the questions that all models have, with their rows in each model's and their clusters.

    Raises:
        ValueError: where there is none.
    """
    shared, *others = (who[name].select(QUESTION).with_row_index(f"row {name}") for name in names)
    for other in others:
        shared = shared.join(other, on=QUESTION, nulls_equal=True)
    if not shared.height:
        raise ValueError(f"no question with {LEAST} samples is shared by all models")
    return of_all(list(who.values()), shared)


def _in_groups(
    fitted: Mapping[str, CrossFitted],
    group: Int[np.ndarray, "sides questions"],
    count: int,
    forms: Sequence[str],
    sizes: Float[np.ndarray, " models"],
    most: float,
    clusters: Clusters,
) -> tuple[ScalingGroup, ...]:
    """Return each group's values in each form, of models on the same questions in order."""
    of_forms: dict[str, list[ScalingForm]] = {}
    effective: list[tuple[float, ...]] = []
    for form in forms:
        of_models = [in_groups(of, form, group, count) for of in fitted.values()]
        parts = [
            Grouped(*(np.stack([part[:, i] for part in of], axis=1)
                      for of in zip(*of_models, strict=True)))
            for i in range(count)
        ]  # fmt: skip
        of_forms[form] = [_of_group(of, sizes, most, clusters) for of in parts]
        # Those of the leading form stand.
        effective = [tuple(effective_questions(of.error).tolist()) for of in parts]
    return tuple(
        ScalingGroup(
            i,
            round(float((group == i).mean(axis=0).sum())),
            effective[i],
            of_forms["plugin"][i],
            of_forms["corrected"][i] if "corrected" in of_forms else None,
        )
        for i in range(count)
    )


def _at(fitted: CrossFitted, place: Int[np.ndarray, " questions"]) -> CrossFitted:
    """Return some of the questions."""
    return fitted._replace(
        along=fitted.along[:, place],
        values={
            form: {name: part[:, place] for name, part in parts.items()}
            for form, parts in fitted.values.items()
        },
        question=fitted.question[place],
    )


def _of_group(
    parts: Grouped, sizes: Float[np.ndarray, " models"], most: float, clusters: Clusters
) -> ScalingForm:
    """Return models' values within one group of questions, and the exponents in their sizes."""
    parts = parts.of_clusters(clusters)
    values, ends = group_values(parts, most)
    x = np.log(sizes)[:, None]
    effective = float(effective_questions(parts.error).min())
    exponents = {
        name: jackknifed_fit(x, x[None], *parts.quotient(name), effective).exponent
        for name in QUANTITIES
    }
    shown = {name: estimates_of(values[name], ends[name]) for name in QUANTITIES}
    return ScalingForm(**shown, exponents=Exponents(**exponents))


def compute(case: Case) -> Scaling:
    """Return the scaling with size in groups of difficulty by the reference model's lengths."""
    models = {part.label: part.records for part in case.parts}
    by_model = {part.model: part for part in case.parts}
    wanted = case.settings.reference
    if wanted is not None and wanted not in by_model:
        raise ValueError(f"the reference model {wanted!r} has no records at this setting")
    largest = max(case.parts, key=lambda part: case.parameters.get(part.label, 0))
    reference = by_model[wanted] if wanted else largest
    if reference.length is None:
        raise ValueError(f"{reference.label}: {NO_LENGTH}")
    return scaling_by_difficulty(
        models,
        case.parameters,
        reference.label,
        reference.length,
        case.analysis,
        case.settings.difficulties,
    )


def tell(results: Mapping[str, Scaling]) -> str:
    """Return the section."""
    return "\n\n".join(titled(name, _told(result)) for name, result in results.items())


def _told(result: Scaling) -> str:
    rows = []
    for row in result.groups:
        effective = ", ".join(number(of, 2) for of in row.effective_questions)
        for form, of in (("corrected", row.corrected), ("plugin", row.plugin)):
            if of is not None:
                cells = [cell(getattr(of.exponents, name).estimate) for name in QUANTITIES]
                names = [str(row.group + 1), FORM_NAMES[form], str(row.questions), effective]
                rows.append([*names, *cells])
    header = ["difficulty", "estimate", "questions", "effective questions",
              *(PARTS_NAMED.get(name, name) for name in QUANTITIES)]  # fmt: skip
    few = any(of < FEW for row in result.groups for of in row.effective_questions)
    notes = [
        f"Exponents k of value ∝ N^k over {', '.join(result.models)}, fitted to sums over questions; "
        f"difficulty by the mean length of {result.reference}, 1 the shortest, from other samples than those "
        "that are measured. Intervals are over questions: they hold for these models. Effective questions: how "
        "many of equal error would hold each model's own.",
        table(header, rows),
        f"Plug-in values are of {result.plugin_samples} samples a question."
        + (f" {result.no_corrected}." if result.no_corrected else ""),
    ]
    if few:
        notes.append(
            f"Warning: fewer than {FEW} questions hold some model's error; other questions of the same kind may "
            "give quite other exponents."
        )
    return "\n\n".join(notes)
