"""Means over questions, with intervals: the headline of whatever has a decomposition."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hotmess_jax.llm.measures.between_contexts import BetweenContexts, between_contexts, contexts_note
from hotmess_jax.llm.measures.clusters import count_in
from hotmess_jax.llm.measures.parts import Parts, parts_from
from hotmess_jax.llm.measures.questions import (
    QUANTITIES,
    Questions,
    estimate_parts,
    largest_error,
    parts_of,
)
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell, counts
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.estimate import finite
from hotmess_jax.statistics.intervals import FEW, effective_questions


@dataclass(frozen=True, slots=True)
class Means:
    """Means over questions in both forms."""

    questions: int
    samples: int
    # None where no field says.
    clusters: int | None
    # How many questions of equal error would hold it as these do; None of embeddings, which have no error.
    effective_questions: float | None
    # Why there is no corrected form, whose values are then not known.
    no_corrected: str | None
    # Samples a question that KL's plug-in form is of.
    kl_samples: int | None
    # The step in which probabilities were stated.
    stated_step: float | None
    plugin: Parts
    corrected: Parts
    contexts: BetweenContexts | None


def means_of(questions: Questions) -> Means:
    """Return the means over questions in both forms; 0/0 is not known: incoherence where there is no error."""
    most, clusters = largest_error(questions), questions.clusters
    error = np.asarray(questions.plugin.error)

    def form(name: str) -> Parts:
        return parts_from(*estimate_parts(parts_of(questions, name), most, clusters), Parts)

    return Means(
        questions.table.height,
        questions.samples,
        count_in(questions.table),
        finite(float(effective_questions(error))) if np.isfinite(error).all() else None,
        questions.no_corrected,
        questions.kl_samples,
        questions.step,
        form("plugin"),
        form("corrected"),
        between_contexts(questions.contexts, most, clusters),
    )


def tell_means(results: Mapping[str, Means]) -> str:
    """Return means over questions as a section of a report."""
    told = any(of.contexts is not None and of.contexts.questions for of in results.values())
    rows = []
    for model, result in results.items():
        for form, text in FORM_NAMES.items():
            parts: Parts = getattr(result, form)
            cells = [cell(getattr(parts, name)) for name in QUANTITIES]
            if told:
                cells[4:4] = context_cells(result.contexts if form == "corrected" else None)
            effective = number(result.effective_questions)
            rows.append([model if form == "plugin" else "", text, *counts(result), effective, *cells])
    names = [PARTS_NAMED.get(name, name) for name in QUANTITIES]
    if told:
        names[4:4] = ["between contexts", "within contexts"]
    header = ["model", "estimate", "questions", "samples", "effective questions", *names]
    notes = [
        f"- {model}: {note}"
        for model, result in results.items()
        if (note := " ".join(means_notes(result, result.questions)))
    ]
    effective = (
        "Effective questions: how many of equal error would hold it as these do; what is divided by the "
        "error hangs on them."
    )
    return "\n\n".join(filter(None, [table(header, rows), effective, "\n".join(notes)]))


def context_cells(contexts: BetweenContexts | None, gap: str = " ") -> list[str]:
    """Return the cells of the variance between contexts and within them."""
    return ["–", "–"] if contexts is None else [cell(contexts.between, gap), cell(contexts.within, gap)]


def means_notes(result: Means, questions: int) -> list[str]:
    """Say what must be known of a group's values: what they are of, and what there is none of.

    Args:
        result: of the group.
        questions: how many it is of.
    """
    notes = []
    if result.kl_samples is not None:
        notes.append(f"Plug-in values are of {result.kl_samples} samples a question.")
        if step := result.stated_step:
            notes.append(
                f"Probabilities were stated in steps of {step:g}: KL takes none for less than {step / 2:g}."
            )
    if result.no_corrected is not None:
        notes.append(f"{result.no_corrected}.")
    effective = result.effective_questions
    if effective == 0:
        notes.append("No question has an error: there is none to divide, and no incoherence.")
    elif effective is not None and effective < FEW:
        notes.append(
            f"Warning: about {number(effective, 2)} of {questions} questions hold the error; other questions "
            "of the same kind may give quite another incoherence."
        )
    return [*notes, *filter(None, [contexts_note(result.contexts, questions)])]
