"""Means over questions."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.means import overall, tell_means
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> Json:
    """Return means over questions."""
    return overall(case.questions)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_means(results)
