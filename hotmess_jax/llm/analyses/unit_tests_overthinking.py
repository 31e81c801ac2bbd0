"""Unit tests: each task's longer runs against its shorter ones."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import NO_LENGTH, Case
from hotmess_jax.llm.measures.halves import Halves, natural_overthinking, tell_halves

Result = Halves


def compute(case: Case) -> Halves:
    """Return both halves and their difference."""
    # Of agents the paper compares runs by their actions (Figure 3b).
    along = case.settings.length or ("actions" if "actions" in case.has else case.length)
    if along is None:
        raise ValueError(NO_LENGTH)
    return natural_overthinking(case.records, along, case.analysis, case.settings.permutations)


def tell(results: Mapping[str, Halves]) -> str:
    """Return the section."""
    return tell_halves(results)
