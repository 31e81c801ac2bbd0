"""How much of the corrected variance is between contexts, and how much within them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hotmess_jax.llm.measures.clusters import among
from hotmess_jax.llm.measures.decomposing import Contexts
from hotmess_jax.statistics.estimate import Estimate, estimate_of
from hotmess_jax.statistics.intervals import Clusters, mean_interval


@dataclass(frozen=True, slots=True)
class BetweenContexts:
    """The corrected variance between contexts and within them, means over questions."""

    # Those that have two contexts, and two samples in one of them.
    questions: int
    # Those whose samples were taken as independent.
    one_context: int
    # Those whose variance is whole, but not told apart.
    one_sample_each: int
    # None where no question tells them apart.
    between: Estimate | None
    within: Estimate | None


def between_contexts(
    contexts: Contexts | None, most: float, clusters: Clusters = None
) -> BetweenContexts | None:
    """Return the corrected variance between contexts and within them.

    Args:
        contexts: of the questions.
        most: the largest error that a question can have.
        clusters: of the questions, as in `mean_interval`.

    Returns:
        None where no record has a context, or the metric has no corrected form.
    """
    if contexts is None:
        return None
    told = ~np.isnan(contexts.between) & ~np.isnan(contexts.within)
    several = contexts.number > 1

    def mean(part: Float[np.ndarray, " questions"]) -> Estimate | None:
        if not told.any():
            return None
        ends = mean_interval(part[told], most, among(clusters, told))
        return estimate_of(float(part[told].mean()), ends)

    return BetweenContexts(
        int(told.sum()),
        int((~several).sum()),
        int((several & ~told).sum()),
        mean(contexts.between),
        mean(contexts.within),
    )


def contexts_note(contexts: BetweenContexts | None, questions: int) -> str:
    """Say where the corrected form could not tell contexts apart; nothing where it could."""
    if contexts is None:
        return ""
    notes = []
    if contexts.one_context:
        notes.append(
            f"{contexts.one_context} of {questions} questions have one context: corrected, their "
            "samples are taken as independent, and the variance is that within it."
        )
    if contexts.one_sample_each:
        notes.append(
            f"{contexts.one_sample_each} of {questions} questions have one sample a context: "
            "corrected, their variance is whole, but not told apart."
        )
    return " ".join(notes)
