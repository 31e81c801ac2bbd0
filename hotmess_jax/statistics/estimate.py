"""A number with its 95 % interval, and Student's t over independent values."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float
from pydantic_core import CoreSchema
from scipy import stats

from hotmess_jax.statistics.json_form import NUMBER, json_form

LEVEL = 0.95
Over = Literal["draws", "sizes", "replicates", "questions"]


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; a side that the data leave open is None."""

    low: float | None
    high: float | None

    def __iter__(self) -> Iterator[float | None]:
        return iter((self.low, self.high))

    def to_json(self) -> list[float | None]:
        """Return both ends as JSON values."""
        return [self.low, self.high]

    @classmethod
    def of_json(cls, value: Any) -> "Interval":
        """Return the interval of JSON values.

        Raises:
            ValueError: where they are not two numbers or None.
        """
        if not isinstance(value, Sequence) or len(value) != 2 or not all(map(_is_end, value)):
            raise ValueError(f"an interval is two numbers, or null for an open side, got {value!r}")
        return cls(*(None if end is None else float(end) for end in value))

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: Any) -> CoreSchema:
        return json_form(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True)
class Estimate:
    """A value, its interval, and over how many of what the interval is.

    The value is None where it is not known, as 0/0; `over` and `count` are where the result that holds it says them.
    """

    value: float | None
    ci95: Interval | None
    over: Over | None = None
    count: int | None = None

    @property
    def known(self) -> float:
        """The value, of which it is known that there is one."""
        assert self.value is not None
        return self.value

    @property
    def counted(self) -> int:
        """The count, of which it is known that there is one."""
        assert self.count is not None
        return self.count

    def to_json(self) -> dict[str, object]:
        """Return the estimate as JSON values, its count by the name of what is counted."""
        return {
            "value": self.value,
            "ci95": None if self.ci95 is None else self.ci95.to_json(),
            **({} if self.over is None else {self.over: self.count}),
        }

    @classmethod
    def of_json(cls, value: Any) -> "Estimate":
        """Return the estimate of JSON values.

        Raises:
            ValueError: where they are none: without a value or an interval, or with a count that is none.
        """
        if not isinstance(value, Mapping) or not {"value", "ci95"} <= set(value):
            raise ValueError(f"an estimate has a value and ci95, got {value!r}")
        over = [name for name in get_args(Over) if name in value]
        if (
            not _is_end(value["value"])
            or len(over) > 1
            or any(not isinstance(value[name], int) for name in over)
            or (over and value["value"] is None)
        ):
            raise ValueError(
                f"an estimate has a value, ci95 and one of {', '.join(get_args(Over))}, got {value!r}"
            )
        ci95 = None if value["ci95"] is None else Interval.of_json(value["ci95"])
        number = None if value["value"] is None else float(value["value"])
        return cls(number, ci95, *((over[0], value[over[0]]) if over else ()))

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: Any) -> CoreSchema:
        return json_form(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: Any) -> dict[str, Any]:
        ci95 = {"anyOf": [Interval.__get_pydantic_json_schema__(core, handler), {"type": "null"}]}
        counts: dict[str, Any] = {over: {"type": "integer"} for over in get_args(Over)}
        return {
            "type": "object",
            "properties": {"value": NUMBER, "ci95": ci95, **counts},
            "required": ["value", "ci95"],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Estimates:
    """Values with an interval each, such as those along a curve."""

    value: tuple[float | None, ...]
    ci95: tuple[Interval, ...]

    def __post_init__(self) -> None:
        if len(self.value) != len(self.ci95):
            raise ValueError(f"{len(self.value)} values have {len(self.ci95)} intervals")

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, place: int) -> Estimate:
        return Estimate(self.value[place], self.ci95[place])

    @classmethod
    def of(cls, estimates: Iterable[Estimate]) -> "Estimates":
        """Return several estimates in a row; what has no interval has an open one."""
        pairs = [(of.value, of.ci95 or Interval(None, None)) for of in estimates]
        return cls(tuple(value for value, _ in pairs), tuple(ci95 for _, ci95 in pairs))

    @property
    def ends(self) -> list[float | None]:
        """Both ends of every interval."""
        return [end for ci95 in self.ci95 for end in ci95]


def estimate_of(value: float, ends: Float[np.ndarray, " 2"]) -> Estimate:
    """Return a number and the ends of its interval as an estimate; what is not finite is not known."""
    return Estimate(finite(value), Interval(*map(finite, np.asarray(ends).tolist())))


def estimates_of(values: Float[np.ndarray, " n"], ends: Float[np.ndarray, "2 n"]) -> Estimates:
    """Return numbers and the ends of their intervals as estimates; what is not finite is not known."""
    pairs = np.asarray(ends).T.tolist()
    return Estimates(
        tuple(map(finite, np.asarray(values).tolist())),
        tuple(Interval(*map(finite, pair)) for pair in pairs),
    )


def finite(value: float) -> float | None:
    """Return a number; None where it is not finite, and so not known."""
    return float(value) if np.isfinite(value) else None


def _is_end(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def mean_with_interval(values: Float[np.ndarray, " n"], over: Over) -> Estimate:
    """Return the mean of independent values with Student's t interval, n − 1 degrees of freedom.

    Returns:
        The estimate; its interval is None for one value.

    Raises:
        ValueError: where there is no value, or one is not finite.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"a mean over {over} needs finite values, got {values.tolist()}")
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, None, over, 1)
    half = float(half_width(values))
    return Estimate(mean, Interval(mean - half, mean + half), over, len(values))


def jackknifed(
    statistic: Callable[[Float[np.ndarray, "n *shape"]], float],
    values: Float[np.ndarray, "n *shape"],
    over: Over,
) -> Estimate:
    """Return a statistic of independent rows with the interval that leaving each out gives.

    Student's t, n − 1 degrees of freedom, on the jackknife's standard error; none for fewer than three rows.

    Args:
        statistic: of the rows.
        values: the rows.
        over: what a row is.

    Source: Efron and Tibshirani 1993, Chapter 11.
    """
    n, value = len(values), statistic(values)
    if n < 3:
        return Estimate(value, None, over, n)
    left_out = np.asarray([statistic(np.delete(values, i, axis=0)) for i in range(n)])
    error = left_out.std() * np.sqrt(n - 1)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * error)
    return Estimate(value, Interval(value - half, value + half), over, n)


@dataclass(frozen=True)
class Spread:
    """How far values lie apart between draws of the problem, and between trainings of one draw."""

    draws: float  # standard deviation; 0 where trainings alone explain all of it
    trainings: float  # standard deviation
    count: tuple[int, int]  # draws, and trainings of each

    def to_json(self) -> dict[str, object]:
        """Return the spread as JSON values."""
        return {"draws": self.draws, "trainings": self.trainings, "count": list(self.count)}


def spread_of(values: Float[np.ndarray, "draws trainings"]) -> Spread | None:
    """Return the components of variance of values that are grouped by draw of the problem.

    Draws that lack a value are left out; None where fewer than two are left, or have one training each.

    Source: one-way analysis of variance, random effects (Searle, Casella and McCulloch 1992, Chapter 3).
    """
    values = values[~np.isnan(values).any(axis=1)]
    draws, trainings = values.shape
    if draws < 2 or trainings < 2:
        return None
    within = float(values.var(axis=1, ddof=1).mean())
    of_means = float(values.mean(axis=1).var(ddof=1))
    between = max(of_means - within / trainings, 0.0)
    return Spread(between**0.5, within**0.5, (draws, trainings))


def half_width(values: Float[np.ndarray, "*shape n"]) -> Float[np.ndarray, "*shape"]:
    """Return half the width of Student's t interval about the mean over the last axis."""
    n = values.shape[-1]
    error = values.std(axis=-1, ddof=1) / np.sqrt(n)
    return np.asarray(stats.t.ppf((1 + LEVEL) / 2, n - 1) * error)


def p_value_of_mean(values: Float[np.ndarray, " n"]) -> float:
    """Return the two-sided p-value of Student's t that the mean is 0; 1 for fewer than two values."""
    if len(values) < 2:
        return 1.0
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    if error == 0:
        return 1.0 if values.mean() == 0 else 0.0
    return float(2 * stats.t.sf(abs(values.mean()) / error, len(values) - 1))


def p_value_of_interval(value: float, ci95: Interval) -> float:
    """Return the two-sided p-value that a value is 0, its error read off its interval's width.

    The interval is taken for that of a normal estimate, 1.96 standard errors to each side.
    """
    if ci95.low is None or ci95.high is None:
        return 1.0
    error = (ci95.high - ci95.low) / 2 / stats.norm.ppf((1 + LEVEL) / 2)
    if error <= 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stats.norm.sf(abs(value) / error))


def holm(p_values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return Holm's adjusted p-values: below α, a test stands among all n at the level α.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
