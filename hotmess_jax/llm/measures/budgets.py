"""What came of a reasoning budget that was asked for: records say what was, and what was measured."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from hotmess_jax.llm.measures.questions import Json, to_json


def budget_kept(records: pl.DataFrame, budget: str | None) -> Json:
    """Return how a budget that was asked for and what was measured part.

    An endpoint may ignore a budget, or take it for another model's.

    Args:
        records: of one model and budget.
        budget: as it was asked for: a number of tokens, or a name; None where none was.

    Returns:
        `reasoning_tokens`, their mean; `over_budget`, the share of samples with a count that reasoned for
        longer than a budget in tokens; and `unreasoned`, the share of samples with a budget that show no
        reasoning, neither text nor tokens. None where nothing tells.
    """
    has = [name for name in ("reasoning_tokens", "reasoning") if name in records.columns]
    tokens = records["reasoning_tokens"] if "reasoning_tokens" in has else None
    counted = None if tokens is None or not tokens.dtype.is_numeric() else tokens.drop_nulls()
    over = unreasoned = None
    if budget is not None and counted is not None and len(counted) and str(budget).isdecimal():
        over = float((counted > int(budget)).to_numpy().mean())
    if budget is not None and has:
        thought = pl.lit(False)
        if counted is not None:
            thought = thought | (pl.col("reasoning_tokens").fill_null(0) > 0)
        if "reasoning" in has:
            thought = thought | (pl.col("reasoning").fill_null("") != "")
        unreasoned = float(records.select((~thought).mean()).item())
    return {
        "reasoning_tokens": None if counted is None else to_json(counted.mean()),
        "over_budget": over,
        "unreasoned": unreasoned,
    }


def not_kept(row: Mapping[str, Any]) -> str | None:
    """Say in few words how a budget was not kept; None where it was, or nothing tells."""
    said = []
    if row["over_budget"]:
        said.append(f"{row['over_budget']:.0%} over")
    if row["unreasoned"]:
        said.append(f"{row['unreasoned']:.0%} without reasoning")
    return ", ".join(said) or None
