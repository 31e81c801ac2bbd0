"""What was read of a log, held against what the log says of itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic_core import CoreSchema

from hotmess_jax.statistics.json_form import json_form

# Two means of the same numbers, summed in another order.
LEAST = 1e-9


@dataclass(frozen=True)
class Compared:
    """One figure of a log beside the same figure of what was read from it."""

    file: str
    benchmark: str
    model: str
    # What it is, in the log's words: questions, samples, acc, exact_match, accuracy, resolved_instances, …
    figure: str
    log: int | float
    read: int | float
    # Whose own score is another than what was read, as the log names them.
    questions: tuple[str, ...] = ()
    # How many questions or samples it is a mean over; None where it is none.
    over: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether they part by no more than rounding, and no question's own score is another."""
        return not self.questions and same(self.log, self.read, self.over)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"questions": list(self.questions), "agrees": self.agrees}

    @classmethod
    def of_json(cls, value: Any) -> "Compared":
        """Return what `to_json` gave.

        Raises:
            ValueError: where it is something else.
        """
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if not isinstance(value, Mapping) or name not in value]
        if missing:
            raise ValueError(f"a figure that was compared has a {missing[0]}, got {value!r}")
        return cls(**{name: value[name] for name in names} | {"questions": tuple(value["questions"])})

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: Any) -> CoreSchema:
        return json_form(cls)


def same(log: int | float, read: int | float, over: int | None = None) -> bool:
    """Tell whether a figure is another's, as far as a log that has rounded it tells.

    Args:
        log: its figure.
        read: the same figure as it was read.
        over: how many right or wrong answers it is the mean of: what such a mean can be was not rounded.
    """
    decimals = len(repr(float(log)).partition(".")[2])
    whole = over is None or abs(log * over - round(log * over)) <= LEAST
    # A number that ends in 0 has lost it: no log rounds to fewer than two places.
    rounding = 0.5 * 10.0 ** -max(decimals, 2) if decimals >= 2 or not whole else 0
    rounding = 0 if over is not None and whole else rounding
    return abs(log - read) <= max(rounding * (1 + LEAST), LEAST)


def mean(values: Mapping[Any, float]) -> float:
    """Return the mean of a figure over questions, 0 where there is none."""
    return sum(values.values()) / len(values) if values else 0.0


def parting(log: Mapping[str, float], read: Mapping[str, float]) -> tuple[str, ...]:
    """Return the questions whose own score is another than what was read."""
    return tuple(name for name in log if name in read and not same(log[name], read[name]))
