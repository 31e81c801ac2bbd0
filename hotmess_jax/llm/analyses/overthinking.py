"""Each question's longer samples against its shorter ones."""

from collections.abc import Mapping

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.halves import Halves, natural_overthinking, tell_halves

Result = Halves


def compute(case: Case) -> Halves:
    """Return both halves and their difference."""
    assert case.length is not None
    return natural_overthinking(case.records, case.length, case.analysis, case.settings.permutations)


def tell(results: Mapping[str, Halves]) -> str:
    """Return the section."""
    return tell_halves(results)
