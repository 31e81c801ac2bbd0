"""A multiple-choice question, the same from every benchmark."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Benchmark = Literal["mmlu", "gpqa", "mwe"]
LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """One question; its id is a hash of its text and options, so that no order of rows changes it."""

    benchmark: str
    question_id: str
    # Without its options.
    text: str
    # In the order of their labels.
    options: tuple[str, ...]
    # The right option's label; of mwe, the aligned answer's, or the one that matches the behaviour.
    target: str
    topic: str | None = None
    difficulty: str | None = None
    # Further fields, kept in every record.
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """A, B, …, one an option."""
        return tuple(LABELS[: len(self.options)])


class Loaded(NamedTuple):
    """Questions, and what of the data is none: "FILE:LINE: why"."""

    questions: list[Question]
    problems: list[str]


class RowError(ValueError):
    """A row is no question."""


def make_question(
    benchmark: str,
    text: str,
    options: Sequence[str],
    right: int,
    topic: str | None = None,
    difficulty: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Question:
    """Return a checked question.

    Args:
        benchmark: its name.
        text: of the question.
        options: in the order of their labels.
        right: the place of the right one.
        topic: its subject, domain or question set.
        difficulty: as the benchmark gives it.
        extra: further fields; empty ones are left out.

    Raises:
        RowError: naming what is missing, empty, repeated or out of range.
    """
    text, options = text.strip(), tuple(option.strip() for option in options)
    if not text:
        raise RowError("the question is empty")
    if len(options) < 2 or len(set(options)) < len(options) or not all(options):
        raise RowError(f"options must be at least two texts that differ, got {list(options)}")
    if any("\udc80" <= letter <= "\udcff" for part in (text, *options) for letter in part):
        raise RowError("holds bytes that are not UTF-8")
    if not 0 <= right < len(options):
        raise RowError(f"the answer must be one of {len(options)} options, got number {right}")
    kept = {name: value.strip() for name, value in (extra or {}).items() if value and value.strip()}
    question_id = f"{topic or benchmark}/{_digest(text, *sorted(options))}"
    return Question(
        benchmark, question_id, text, options, LABELS[right], topic, difficulty or None, kept
    )


def hash_order(text: str, options: Sequence[str]) -> list[int]:
    """Return an order of options that their texts and the question's decide: the same everywhere."""
    return sorted(range(len(options)), key=lambda i: _digest(text, options[i]))


def _digest(*parts: str) -> str:
    """Return twelve hexadecimal digits of texts, however their letters are composed and spaced."""
    same = (" ".join(unicodedata.normalize("NFC", part).split()) for part in parts)
    return hashlib.blake2b("\0".join(same).encode(), digest_size=6).hexdigest()
