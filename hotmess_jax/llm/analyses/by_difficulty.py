"""Error, its parts and accuracy by the benchmark's difficulty."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import by_label, tell_labels
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> list[Json]:
    """Return the values of each difficulty."""
    assert case.length is not None
    return by_label(case.questions, case.length, case.analysis, "difficulty")


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_labels(results)
