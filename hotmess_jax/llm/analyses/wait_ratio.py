"""Error, its parts and accuracy against the share of “wait” in the reasoning."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import AlongField, by_field, tell_along, with_wait_ratio

Result = AlongField


def compute(case: Case) -> AlongField:
    """Return values along the share."""
    return by_field(with_wait_ratio(case.records), "wait_ratio", case.analysis, case.settings.groups)


def tell(results: Mapping[str, AlongField]) -> str:
    """Return the section."""
    return tell_along(results)
