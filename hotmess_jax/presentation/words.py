"""Numbers as reports and the terminal show them."""

from collections.abc import Sequence

from hotmess_jax.statistics.estimate import Interval

DUST = 1e-6  # an exponent below it is rounding, of values that are one and the same


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as a report shows it: "–" where there is none, 0 where rounding left dust."""
    if value is None:
        return "–"
    return "0" if abs(value) < 1e-14 else f"{value:.{digits}g}"


def exponent(value: float | None) -> str:
    """Return an exponent or a slope as a report shows it, 0 where it is dust."""
    return "0" if value is not None and abs(value) < DUST else number(value)


def interval(ci95: Interval | Sequence[float | None] | None) -> str:
    """Return a 95 % interval as a report shows it; an open side is unbounded."""
    if ci95 is None:
        return "–"
    low, high = ci95
    return f"[{'−∞' if low is None else number(low)}, {'∞' if high is None else number(high)}]"


def incoherence(value: float | None) -> str:
    """Return an incoherence, which lies between 0 and 1, as a report shows it."""
    return "–" if value is None else f"{value:.3f}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share as a report shows it."""
    return "–" if share is None else f"{share:.{digits}%}"
