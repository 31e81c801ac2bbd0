"""Settings' limits, written beside each of them, and the one place that checks them."""

import math
import types
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from kernels.names import check_name


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that a setting may be: `Annotated[int, Limits(1, 64)]`."""

    low: int | float
    high: int | float = math.inf
    above: bool = False
    """Whether the setting must lie above `low` itself."""
    below: bool = False
    """Whether it must lie below `high` itself."""
    unit: str = ""

    def hold(self, value: int | float) -> bool:
        """Return whether a number lies within; infinities and NaN lie nowhere."""
        from_low = self.low < value if self.above else self.low <= value
        to_high = value < self.high if self.below else value <= self.high
        return from_low and to_high and math.isfinite(value)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.high == math.inf:
            return f"{'above' if self.above else 'at least'} {_number(self.low)}{unit}"
        low, high = _number(self.low), _number(self.high)
        if self.above and self.below:
            return f"between {low} and {high}{unit}"
        if self.above:
            return f"above {low} and at most {high}{unit}"
        return f"{low} to {high}{unit}"


def check_limits(settings: Any) -> None:
    """Check each field of a dataclass against the limits and the names of choices in its type.

    A field that is None is let pass; of a tuple, every item is checked; of a dataclass, every field.

    Args:
        settings: an instance of a dataclass whose fields' types are annotated with `Limits`, or are Literals.

    Raises:
        ValueError: naming the first setting that is out of range, as it stands on a command line, and its value.
    """
    for field in fields(settings):
        if is_dataclass(group := getattr(settings, field.name)):
            check_limits(group)
    for name, limits, names in limited(type(settings)):
        value = getattr(settings, name)
        for item in value if isinstance(value, tuple | list) else (value,):
            if item is None:
                continue
            if names:
                check_name(_on_command_line(name), item, names)
            if limits is not None and not limits.hold(item):
                raise ValueError(f"{_on_command_line(name)} must be {limits}, got {value}")


def limited(kind: type) -> Iterator[tuple[str, Limits | None, tuple[str, ...]]]:
    """Yield each field of a dataclass that is limited: its name, its limits, and the names it may be."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        parts = list(_parts(hints[field.name]))
        limits = limits_of(hints[field.name])
        names = next((get_args(part) for part in parts if get_origin(part) is Literal), ())
        if limits is not None or names:
            yield field.name, limits, names


def limits_of(hint: Any) -> Limits | None:
    """Return the limits that a type is annotated with, itself or within."""
    return next((part for part in _parts(hint) if isinstance(part, Limits)), None)


def _parts(hint: Any) -> Iterator[Any]:
    """Yield a type, what it is annotated with, and the same of the types within it."""
    yield hint
    origin = get_origin(hint)
    if origin is Annotated:
        yield from hint.__metadata__
        yield from _parts(hint.__origin__)
    elif origin in (Union, types.UnionType, tuple, list):
        for argument in get_args(hint):
            yield from _parts(argument)


def _number(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _on_command_line(name: str) -> str:
    return name.replace("_", "-")
