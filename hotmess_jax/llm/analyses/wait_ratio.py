"""Error, its parts and accuracy against the share of “wait” in the reasoning."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import by_field, tell_along, with_wait_ratio
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> Json:
    """Return values along the share."""
    return by_field(with_wait_ratio(case.records), "wait_ratio", case.analysis, case.settings.groups)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_along(results)
