"""The variance of open answers' embeddings against length."""

from collections.abc import Mapping
from typing import Any

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.groups import by_field, tell_along
from hotmess_jax.llm.measures.questions import Json


def compute(case: Case) -> Json:
    """Return the variance along the length: vectors of answers that nothing is right among have nothing else."""
    assert case.length is not None
    return by_field(case.records, case.length, case.analysis, case.settings.groups, case.vectors)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return tell_along(results, ("variance",))
