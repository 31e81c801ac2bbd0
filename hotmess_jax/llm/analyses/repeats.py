"""What k samples do."""

from collections.abc import Mapping

import polars as pl

from hotmess_jax.llm.cases import Case, is_open
from hotmess_jax.llm.measures.repeats import Repeats, repeats
from hotmess_jax.llm.repeat_tables import repeats_section

Result = Repeats


def compute(case: Case) -> Repeats:
    """Return what k samples would do; open answers are neither right nor wrong."""
    known = pl.any_horizontal(
        pl.col(name).is_not_null()
        for name in ("options", "tests", "outcome")
        if name in case.records.columns
    )
    return repeats(
        case.records.filter(known & ~is_open(case.records)),
        case.analysis.unparsed,
        case.analysis.cluster,
    )


def tell(results: Mapping[str, Repeats]) -> str:
    """Return the section."""
    return repeats_section(results)
