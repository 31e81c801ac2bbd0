"""What came of a reasoning budget that was asked for: records say what was, and what was measured."""

from typing import NamedTuple

import polars as pl

from hotmess_jax.statistics.estimate import finite

TOKENS = pl.col("reasoning_tokens")


class Kept(NamedTuple):
    """How a budget that was asked for and what was measured part; None where nothing tells."""

    # Their mean.
    reasoning_tokens: float | None
    # The share of samples with a count that reasoned for longer than a budget in tokens.
    over_budget: float | None
    # The share of samples with a budget that show no reasoning, neither text nor tokens.
    unreasoned: float | None


def budget_kept(records: pl.DataFrame, budget: str | None) -> Kept:
    """Return how a budget that was asked for and what was measured part.

    An endpoint may ignore a budget, or take it for another model's.

    Args:
        records: of one model and budget.
        budget: as it was asked for: a number of tokens, or a name; None where none was.
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
            thought = thought | (TOKENS.fill_null(0) > 0)
        if "reasoning" in has:
            thought = thought | (pl.col("reasoning").fill_null("") != "")
        unreasoned = float(records.select((~thought).mean()).item())
    mean = None if counted is None or not len(counted) else records.select(TOKENS.mean()).item()
    return Kept(None if mean is None else finite(mean), over, unreasoned)


def not_kept(over_budget: float | None, unreasoned: float | None) -> str | None:
    """Say in few words how a budget was not kept; None where it was, or nothing tells."""
    said = []
    if over_budget:
        said.append(f"{over_budget:.0%} over")
    if unreasoned:
        said.append(f"{unreasoned:.0%} without reasoning")
    return ", ".join(said) or None
