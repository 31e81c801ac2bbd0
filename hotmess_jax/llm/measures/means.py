"""Means over questions, with intervals: the headline of whatever has a decomposition."""

from collections.abc import Mapping, Sequence

import numpy as np

from hotmess_jax.llm.measures.clusters import count_in
from hotmess_jax.llm.measures.questions import (
    FORMS,
    QUANTITIES,
    Json,
    Questions,
    contexts_summary,
    estimate_parts,
    largest_error,
    parts_of,
    to_json,
    with_intervals,
)
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell, counts
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.intervals import FEW, effective_questions


def overall(questions: Questions) -> Json:
    """Return the means over questions in both forms, with intervals and counts.

    `effective_questions` is how many questions of equal error would hold it as these do, `no_corrected` why
    there is no corrected form, `kl_samples` the number of samples that KL's plug-in form is of,
    `stated_step` the step in which probabilities were stated, and `contexts` what `contexts_summary` returns.
    0/0 is None: incoherence where there is no error.
    """
    most, clusters = largest_error(questions), questions.clusters
    error = np.asarray(questions.plugin.error)
    # Of embeddings, which have no error, there are none to count.
    effective = float(effective_questions(error)) if np.isfinite(error).all() else np.nan
    means: Json = {
        "questions": questions.table.height,
        "samples": questions.samples,
        "clusters": count_in(questions.table),
        "effective_questions": to_json(effective),
        "no_corrected": questions.no_corrected,
        "kl_samples": questions.kl_samples,
        "stated_step": questions.step,
    }
    for form in FORMS:
        means[form] = with_intervals(*estimate_parts(parts_of(questions, form), most, clusters))
    return means | {"contexts": contexts_summary(questions.contexts, most, clusters)}


def by_part(means: Json, parts: Sequence[str]) -> Json:
    """Return the same means as groups of records have them: values and intervals by part, plug-in ones first.

    Args:
        means: from `overall`.
        parts: of an error, and incoherence where the metric has one.
    """

    def of(form: Json) -> Json:
        ends = {name: form[name]["ci95"] for name in parts}
        return {name: form[name]["value"] for name in parts} | {"ci95": ends}

    kept = ("no_corrected", "kl_samples", "effective_questions", "contexts")
    corrected = of(means["corrected"]) if means["no_corrected"] is None else None
    return of(means["plugin"]) | {"corrected": corrected} | {name: means[name] for name in kept}


def tell_means(results: Mapping[str, Json]) -> str:
    """Return means over questions as a section of a report."""
    told = any(result["contexts"] and result["contexts"]["questions"] for result in results.values())
    rows = []
    for model, result in results.items():
        for form, text in FORM_NAMES.items():
            cells = [cell(result[form][name]) for name in QUANTITIES]
            if told:
                contexts = (result["contexts"] or {}) if form == "corrected" else {}
                cells[4:4] = [cell(contexts.get(part)) for part in ("between", "within")]
            effective = number(result["effective_questions"])
            rows.append([model if form == "plugin" else "", text, *counts(result), effective, *cells])
    names = [PARTS_NAMED.get(name, name) for name in QUANTITIES]
    if told:
        names[4:4] = ["between contexts", "within contexts"]
    header = ["model", "estimate", "questions", "samples", "effective questions", *names]
    notes = [
        f"- {model}: {note}"
        for model, result in results.items()
        if (note := " ".join(means_notes(result, result["questions"])))
    ]
    effective = (
        "Effective questions: how many of equal error would hold it as these do; what is divided by the "
        "error hangs on them."
    )
    return "\n\n".join(filter(None, [table(header, rows), effective, "\n".join(notes)]))


def means_notes(result: Json, questions: int) -> list[str]:
    """Say what must be known of a group's values: what they are of, and what there is none of.

    Args:
        result: of `overall`, or of `by_part`.
        questions: how many it is of.
    """
    notes = []
    if result["kl_samples"] is not None:
        notes.append(f"Plug-in values are of {result['kl_samples']} samples a question.")
        if step := result.get("stated_step"):
            notes.append(
                f"Probabilities were stated in steps of {step:g}: KL takes none for less than {step / 2:g}."
            )
    if result["no_corrected"] is not None:
        notes.append(f"{result['no_corrected']}.")
    effective = result["effective_questions"]
    if effective == 0:
        notes.append("No question has an error: there is none to divide, and no incoherence.")
    elif effective < FEW:
        notes.append(
            f"Warning: about {number(effective, 2)} of {questions} questions hold the error; other questions "
            "of the same kind may give quite another incoherence."
        )
    return [*notes, *filter(None, [contexts_note(result["contexts"], questions)])]


def contexts_note(contexts: Json | None, questions: int) -> str:
    """Say where the corrected form could not tell contexts apart; nothing where it could."""
    if contexts is None:
        return ""
    notes = []
    if contexts["one_context"]:
        notes.append(
            f"{contexts['one_context']} of {questions} questions have one context: corrected, their "
            "samples are taken as independent, and the variance is that within it."
        )
    if contexts["one_sample_each"]:
        notes.append(
            f"{contexts['one_sample_each']} of {questions} questions have one sample a context: "
            "corrected, their variance is whole, but not told apart."
        )
    return " ".join(notes)
