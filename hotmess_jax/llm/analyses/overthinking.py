"""Each question's longer samples against its shorter ones."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.halves import natural_overthinking, tell_halves
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> Json:
    """Return both halves and their difference."""
    assert case.length is not None
    return natural_overthinking(case.records, case.length, case.analysis, case.settings.permutations)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_halves(results)
