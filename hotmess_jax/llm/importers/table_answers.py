"""What answers and targets of a table are: labels, numbers of options, or their texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hotmess_jax.llm.importers.table_files import is_empty, literal
from hotmess_jax.llm.sampling.benchmarks.question import LABELS

Reading = Literal["letters", "texts", "numbers-from-0", "numbers-from-1"]
READINGS: tuple[Reading, ...] = get_args(Reading)
_SEPARATORS = ("|", ";", ",", None)
# Rows of labels; anything else is a text.
_LABELS = (LABELS, LABELS.lower(), "0123456789", "123456789")
# From this share of the answers on, numbers are not stray ones.
_MANY = 0.25


@dataclass(frozen=True)
class Options:
    """The labels of a row's options, and their texts where the table has them."""

    labels: Sequence[str]
    texts: Sequence[str] | None = None

    @property
    def names(self) -> Sequence[str]:
        """What tells options apart from row to row: their texts, else their labels."""
        return list(self.labels if self.texts is None else self.texts)


Pair = tuple[Any, Options | None]


def options_of(value: Any) -> Options | None:
    """Return the options that a cell holds; None where it holds none.

    A list, or an object of labels and texts, also as text; or labels of one sign each, "A|B|C" or "A,B,C".
    A list of A, B, C … or of numbers from 0 or 1 on is one of labels, of anything else one of texts.
    """
    said = literal(value.strip()) if isinstance(value, str) else value
    if isinstance(said, Mapping):
        # Parquet gives every row the keys of all.
        items = {
            str(label).strip(): str(text).strip() for label, text in said.items() if text is not None
        }
        return Options(tuple(items), tuple(items.values())) if len(items) >= 2 else None
    if isinstance(said, str):
        for separator in _SEPARATORS:
            parts = [part.strip() for part in said.split(separator)]
            if len(parts) >= 2 and all(len(part) == 1 for part in parts):
                said = parts
                break
    if not isinstance(said, list | tuple):
        return None
    texts = [str(item).strip() for item in said if item is not None]
    if not 2 <= len(texts) <= len(LABELS):
        return None
    if any(row.startswith("".join(texts)) for row in _LABELS):
        return Options(tuple(texts))
    return Options(tuple(LABELS[: len(texts)]), tuple(texts))


def place_of(value: Any, options: Options, readings: Sequence[Reading]) -> int | None:
    """Return which option a cell names by the first reading in which it names one; None where in none."""
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if is_empty(value) or isinstance(value, Mapping | list | tuple):
        return None
    for reading in readings:
        place = _place(value, options, reading)
        if place is not None:
            return place
    return None


def _place(value: Any, options: Options, reading: Reading) -> int | None:
    if reading.startswith("numbers"):
        number = whole_number(value)
        place = None if number is None else number - int(reading[-1])
        return place if place is not None and 0 <= place < len(options.labels) else None
    text = str(value).strip()
    if reading == "letters":
        bare = re.sub(r"^[\s(\[{*]+|[\s)\]}.:*]+$", "", text)
        return _index(bare, options.labels)
    return None if options.texts is None else _index(text, options.texts)


def _index(text: str, names: Sequence[str]) -> int | None:
    """Return where a name stands: as it is, or in another case where that is one name's alone."""
    if text in names:
        return names.index(text) if names.count(text) == 1 else None
    lower = [name.lower() for name in names]
    return lower.index(text.lower()) if lower.count(text.lower()) == 1 else None


def whole_number(value: Any) -> int | None:
    """Return a whole number that a cell says; None where it says none."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def target_reading(pairs: Sequence[Pair], given: Reading | None) -> Reading | None:
    """Return what all targets can be that can be anything.

    Args:
        pairs: each row's target and options.
        given: what was said that they are.

    Returns:
        None where no target is anything.

    Raises:
        ValueError: where they can be several, and that makes a difference.
    """
    if given is not None:
        return given
    places = {
        reading: [None if of is None else place_of(value, of, [reading]) for value, of in pairs]
        for reading in READINGS
    }
    usable = [any(places[r][i] is not None for r in READINGS) for i in range(len(pairs))]
    can = [
        r for r in READINGS if all(p is not None for p, ok in zip(places[r], usable, strict=True) if ok)
    ]
    if not any(usable):
        return None
    if not can:
        raise ValueError(
            f"targets are of several kinds ({_some(pairs)}): --targets says which they are "
            f"({', '.join(READINGS)})"
        )
    if any(places[r] != places[can[0]] for r in can):
        raise ValueError(
            f"the targets ({_some(pairs)}) can be {' or '.join(can)}: --targets says which they are"
        )
    return can[0]


def answer_readings(
    pairs: Sequence[Pair], target: Reading | None, given: Reading | None
) -> list[Reading]:
    """Return what answers are read as, in order: as targets are, else as labels, else as texts.

    Numbers are read where targets are labels or texts if the answers show where they start: by a 0 among
    them, or by the number of options, but not both.

    Args:
        pairs: each row's answer and options.
        target: what targets are.
        given: what was said that answers are.

    Raises:
        ValueError: where many answers are numbers that could start at 0 as well as at 1.
    """
    if given is not None:
        return [given]
    found: list[Reading] = list(dict.fromkeys([*([target] if target else []), "letters", "texts"]))
    if target is not None and target.startswith("numbers"):
        return found
    said = [(v, of) for v, of in pairs if of is not None and not is_empty(v)]
    numbers = [
        (number, len(of.labels))
        for value, of in said
        if place_of(value, of, found) is None and (number := whole_number(value)) is not None
    ]
    # What can be no option, wherever they start, says nothing of it.
    numbers = [(number, count) for number, count in numbers if 0 <= number <= count]
    if not numbers or len(numbers) < _MANY * len(said):
        return found
    zero, last = any(n == 0 for n, _ in numbers), any(n == count for n, count in numbers)
    from_0, from_1 = zero and not last, last and not zero
    if from_0 == from_1:
        raise ValueError(
            f"answers are numbers ({_some(said)}) and do not show where they start: --answers "
            "numbers-from-0 or --answers numbers-from-1 says it"
        )
    return [*found, "numbers-from-0" if from_0 else "numbers-from-1"]


def _some(pairs: Sequence[Pair]) -> str:
    values = sorted({str(value)[:20] for value, _ in pairs if not is_empty(value)})
    return ", ".join(values[:5]) + (", …" if len(values) > 5 else "")
