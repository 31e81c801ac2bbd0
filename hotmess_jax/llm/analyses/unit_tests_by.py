"""Unit tests against a field."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import AlongField, by_field, tell_along

Result = AlongField


def compute(case: Case) -> AlongField:
    """Return values along the field."""
    assert case.field is not None
    return by_field(case.records, case.field, case.analysis, case.settings.groups)


def tell(results: Mapping[str, AlongField]) -> str:
    """Return the section."""
    return tell_along(results)
