"""Groups of questions by difficulty, and how each scales with model size."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.analyses.clusters import clusters_in, count_in, of_all
from hotmess_jax.llm.analyses.cross_fitting import (
    FORMS,
    LEAST,
    NO_KL,
    CrossFitted,
    Grouped,
    cross_fit_all,
    group_values,
    groups_along,
    in_groups,
)
from hotmess_jax.llm.analyses.groups import A_GROUP
from hotmess_jax.llm.analyses.questions import AnalysisSettings, Json, to_json, with_intervals
from hotmess_jax.llm.analyses.samples import QUESTION
from hotmess_jax.llm.analyses.subsets import Sampled, sampled_of
from hotmess_jax.statistics import power_laws
from hotmess_jax.statistics.intervals import Clusters, effective_questions, summed

SCALED = ("accuracy", "error", "bias2", "variance", "incoherence")


def scaling_by_difficulty(
    models: Mapping[str, pl.DataFrame],
    parameters: Mapping[str, float],
    reference: str,
    field: str,
    settings: AnalysisSettings,
    count: int = 3,
) -> Json:
    """Return how accuracy, bias², variance and incoherence scale with size within groups of difficulty.

    Difficulty is the reference model's mean length. Its own answers are measured by other samples than those
    that say how long a question is (`cross_fitting`), and so are the other models' for the sake of equal
    numbers of samples.

    Args:
        models: each model's records.
        parameters: each model's number of parameters; others are not used, but for the reference.
        reference: which model's lengths say how difficult a question is.
        field: the length.
        settings: metric and seed.
        count: of groups, the first the easiest.

    Returns:
        Of each group and form the values of each model, and the exponents k of value ∝ N^k (`power_laws`),
        with intervals over the questions, which are the same for all models: they hold for these models.
        `effective_questions` says of each model how many questions of equal error would hold its own.

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
    lengths = _lengths(sampled[reference], having[reference], field)
    return scaling_of(sampled, lengths, parameters, reference, settings, count)


def scaling_of(
    sampled: Mapping[str, Sampled],
    lengths: Sequence[Float[np.ndarray, "questions samples"]],
    parameters: Mapping[str, float],
    reference: str,
    settings: AnalysisSettings,
    count: int,
) -> Json:
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
    who = {name: sampled[name].who[of.question] for name, of in fitted.items()}
    shared = who[reference].select(QUESTION).with_row_index(f"row {reference}")
    for name in names:
        if name != reference:
            shared = shared.join(
                who[name].select(QUESTION).with_row_index(f"row {name}"), on=QUESTION, nulls_equal=True
            )
    if not shared.height:
        raise ValueError(f"no question with {LEAST} samples is shared by all models")
    place = {name: shared[f"row {name}"].to_numpy().astype(int) for name in fitted}
    group = group[:, place[reference]]
    shared = of_all(list(who.values()), shared)
    clusters = clusters_in(shared)
    sizes = np.asarray([float(parameters[name]) for name in names])
    most = max(sampled[name].most for name in names)
    no_corrected = NO_KL if settings.metric == "kl" else None
    found: Json = {
        "models": names,
        "parameters": to_json(sizes),
        "reference": reference,
        "plugin_samples": fitted[reference].plugin_samples,
        "no_corrected": no_corrected,
        "clusters": count_in(shared),
        "groups": [
            {"group": i, "questions": round(float((group == i).mean(axis=0).sum()))}
            for i in range(count)
        ],
    }
    for form in FORMS:
        if form == "corrected" and no_corrected:
            for row in found["groups"]:
                row[form] = None
            continue
        of_models = [in_groups(_at(fitted[name], place[name]), form, group, count) for name in names]
        for i, row in enumerate(found["groups"]):
            parts = Grouped(*(np.stack([part[:, i] for part in of], axis=1)
                              for of in zip(*of_models, strict=True)))  # fmt: skip
            row[form] = _of_group(parts, sizes, most, clusters)
            row["effective_questions"] = to_json(effective_questions(parts.error))
    return found


def _lengths(
    sampled: Sampled, records: pl.DataFrame, field: str
) -> list[Float[np.ndarray, "questions samples"]]:
    along = records[field].to_numpy().astype(np.float64)
    return [np.where(block.present, along[block.record], 0) for block in sampled.blocks]


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
) -> Json:
    """Return models' values within one group of questions, and the exponents in their sizes."""
    parts = parts.of_clusters(clusters)
    values, ends = group_values(parts, most)
    x = np.log(sizes)[:, None]
    effective = float(effective_questions(parts.error).min())
    exponents = {}
    for name in SCALED:
        part, whole = parts.quotient(name)
        total = part.sum(axis=0), whole.sum(axis=0)
        fit = power_laws.fit(x, *total)
        left_out = power_laws.fit(x[None], total[0] - part, total[1] - whole)
        value = fit.coefficients[..., 1]
        interval = power_laws.jackknife_interval(value, left_out.coefficients[:, 1], effective)
        exponents[name] = {
            "value": to_json(float(value)),
            "ci95": to_json(interval),
            "r2": to_json(float(fit.r2)),
        }
    shown = {name: values[name] for name in SCALED}
    return with_intervals(shown, ends) | {"exponents": exponents}


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
    lengths = {name: _lengths(of, having[name], field) for name, of in sampled.items()}
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
    who = {name: sampled[name].who[of.question] for name, of in fitted.items()}
    everyone = pl.concat([of.select(QUESTION) for of in who.values()]).unique(maintain_order=True)
    everyone = of_all(list(who.values()), everyone).with_row_index("row")
    clusters = clusters_in(everyone)
    columns: list[Grouped] = []
    for name, of in fitted.items():
        grouped = in_groups(of, form, groups_along(of.along, count, random), count)
        place = (
            who[name]
            .select(QUESTION)
            .join(everyone, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")["row"]
            .to_numpy()
            .astype(int)
        )
        columns.append(Grouped(*(_spread(part, place, everyone.height) for part in grouped)))
    together = Grouped(*(np.concatenate(part, axis=1) for part in zip(*columns, strict=True)))
    by_model = together.error.reshape(-1, len(names), count).sum(axis=2)
    together = together.of_clusters(clusters)
    sizes = np.repeat(np.log([parameters[name] for name in names]), count)
    part, whole = together.quotient("incoherence")
    total = part.sum(axis=0), whole.sum(axis=0)
    along, share = together.along.sum(axis=0), together.share.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.log(along / share)
        length_without = np.log((along - together.along) / (share - together.share))
    fit = power_laws.fit(_design(length, sizes), *total)
    left_out = power_laws.fit(_design(length_without, sizes), total[0] - part, total[1] - whole)
    effective = float(effective_questions(summed(by_model, clusters)).min())
    ends = power_laws.jackknife_interval(fit.coefficients, left_out.coefficients, effective)
    labels = ("intercept", "length", "size")
    quotient = np.where(total[1] > 0, total[0] / np.where(total[1] > 0, total[1], 1), np.nan)
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
        "points": [
            {"model": name, "parameters": float(parameters[name]), "length":
            to_json(np.exp(length[i * count : (i + 1) * count])), "incoherence":
            to_json(quotient[i * count : (i + 1) * count])}
            for i, name in enumerate(names)
        ],
    }  # fmt: skip


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
