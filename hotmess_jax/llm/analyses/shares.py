"""Outcomes between 0 and 1: means over questions."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import Means, means_of, tell_means
from hotmess_jax.llm.measures.successes import share_questions

Result = Means


def compute(case: Case) -> Means:
    """Return means over questions."""
    return means_of(share_questions(case.records, case.analysis))


def tell(results: Mapping[str, Means]) -> str:
    """Return the section."""
    return tell_means(results)
