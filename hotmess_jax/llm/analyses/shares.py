"""Outcomes between 0 and 1: means over questions."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import overall, tell_means
from hotmess_jax.llm.measures.questions import Json
from hotmess_jax.llm.measures.successes import share_questions


def compute(case: Case) -> Json:
    """Return means over questions."""
    return overall(share_questions(case.records, case.analysis))


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_means(results)
