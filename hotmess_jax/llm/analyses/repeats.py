"""What k samples do."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from hotmess_jax.llm.cases import Case, is_open
from hotmess_jax.llm.measures.questions import Json
from hotmess_jax.llm.measures.repeats import repeats
from hotmess_jax.llm.repeat_tables import repeats_section


def compute(case: Case) -> Json:
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
    ).to_json()


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    return repeats_section(results)
