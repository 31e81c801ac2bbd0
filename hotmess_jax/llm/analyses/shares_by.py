"""Outcomes between 0 and 1 against length."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import by_field, tell_along
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> Json:
    """Return values along the length."""
    assert case.field is not None
    return by_field(case.records, case.field, case.analysis, case.settings.groups)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_along(results)
