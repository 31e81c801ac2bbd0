"""Vectors of open-ended answers, beside their records."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
from jaxtyping import Float
from numpy.typing import ArrayLike

from hotmess_jax.llm.records import IDENTITY, Record
from hotmess_jax.llm.sampling.record_file import beside
from hotmess_jax.machine.files import written_whole
from kernels.names import check_name

# From texts to a table of their vectors.
Embed = Callable[[Sequence[str]], ArrayLike]
TooLong = Literal["cut", "leave-out"]
TEXTS_A_CALL = 256
CALLS_A_SAVE = 64
# A text that is refused is cut to this share of its length, and again.
CUT_TO = 0.8
# One that is as short as this is not refused for its length.
SHORT = 16


class TextsRefusedError(Exception):
    """Texts that a model does not take: too many of them, or one that is too long."""


@dataclass(frozen=True)
class Embedded:
    """How many lines of a file of records have a vector, and how they came by it."""

    lines: int
    """With a vector."""
    empty: int
    """Without an answer, and so without a vector."""
    cut: int
    """Of which only the beginning was taken this time: the model takes no more."""
    left_out: int
    """Without a vector, since their answer is too long."""


def embeddings_path(records: Path) -> Path:
    """Return where the vectors of a file of records lie."""
    return beside(records, "embeddings.npy")


def embed_records(
    records: Path,
    embed: Embed,
    on_progress: Callable[[int, int], None],
    too_long: TooLong = "cut",
) -> Embedded:
    """Write one vector a line of a file of records: float32 [lines, d], NaN where there is no answer.

    Vectors that are there already are kept, so that a file that has grown costs only its new lines; what
    was embedded is written also where something goes wrong. Batches that are refused are halved.

    Args:
        records: of the open format; each line's `open_answer` is embedded, without its reasoning.
        embed: from texts to vectors of one length.
        on_progress: called with lines done and lines in all.
        too_long: what becomes of an answer that is refused alone: only its beginning is embedded, or none.

    Raises:
        ValueError: where no line has an answer, the vectors' lengths differ, or a short text is refused.
    """
    check_name("too_long", too_long, get_args(TooLong))
    lines = sum(1 for _ in _answers(records))
    vectors = _Vectors(records, lines)
    batches = _Batches(embed, too_long)
    empty = 0
    waiting: list[tuple[int, str]] = []

    def flush() -> None:
        for rows, found in batches.run(waiting):
            vectors.put(rows, found)
        waiting.clear()
        on_progress(vectors.count, lines)

    try:
        for i, text in enumerate(_answers(records)):
            if not text:
                empty += 1
            elif not vectors.known[i]:
                waiting.append((i, text))
                if len(waiting) == TEXTS_A_CALL:
                    flush()
        if waiting:
            flush()
    finally:
        vectors.save()
    if not vectors.count:
        raise ValueError(f"no line of {records} has an answer to embed")
    vectors.lengthen()
    return Embedded(vectors.count, empty, batches.cut, batches.left_out)


class _Vectors:
    """The vectors of a file's lines, float32 [lines, d]: those that are there already, and those that come."""

    def __init__(self, records: Path, lines: int) -> None:
        self._path, self._lines = embeddings_path(records), lines
        self._table = np.load(self._path) if self._path.exists() else np.empty((0, 0), np.float32)
        if len(self._table) > lines:
            raise ValueError(
                f"{self._path} has {len(self._table)} rows, and {records} only {lines} lines"
            )
        self.known = np.zeros(lines, bool)
        if self._table.size:
            self.known[: len(self._table)] = ~np.isnan(self._table).any(axis=1)
        self._puts, self._unsaved = 0, False

    @property
    def count(self) -> int:
        """How many lines have a vector."""
        return int(self.known.sum())

    def put(self, rows: list[int], vectors: np.ndarray) -> None:
        """Take the vectors of some lines, and write all now and then.

        Raises:
            ValueError: where they are of another length than those that are there.
        """
        d = vectors.shape[1]
        if self.known.any() and d != self._table.shape[1]:
            raise ValueError(
                f"{self._path} holds vectors of length {self._table.shape[1]}, and these have {d}: "
                "was it made by another model?"
            )
        if self._table.shape != (self._lines, d):
            self._table = self._longer(d)
        self._table[rows], self.known[rows], self._unsaved = vectors, True, True
        self._puts += 1
        if self._puts % CALLS_A_SAVE == 0:
            self.save()

    def lengthen(self) -> None:
        """Write a row for each line that has come without an answer."""
        if len(self._table) < self._lines:
            self._table, self._unsaved = self._longer(self._table.shape[1]), True
            self.save()

    def save(self) -> None:
        """Write what is not written yet."""
        if self._unsaved:
            with written_whole(self._path) as aside, aside.open("wb") as stream:
                np.save(stream, self._table)
            self._unsaved = False

    def _longer(self, d: int) -> np.ndarray:
        """Return the table with a row a line; what had another length was empty."""
        table = np.full((self._lines, d), np.nan, np.float32)
        if self.known.any():
            table[: len(self._table)] = self._table
        return table


class _Batches:
    """Embeds texts in batches as large as are taken."""

    def __init__(self, embed: Embed, too_long: TooLong) -> None:
        self.cut = self.left_out = 0
        self._embed, self._too_long = embed, too_long
        self._most = TEXTS_A_CALL

    def run(self, texts: Sequence[tuple[int, str]]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield rows and their vectors, batch by batch."""
        for first in range(0, len(texts), self._most):
            yield from self._part(texts[first : first + self._most])

    def _part(self, texts: Sequence[tuple[int, str]]) -> Iterator[tuple[list[int], np.ndarray]]:
        try:
            vectors = self._vectors([text for _, text in texts])
        except TextsRefusedError as error:
            if len(texts) == 1:
                yield from self._alone(*texts[0], error)
                return
            half, alone = len(texts) // 2, self.cut + self.left_out
            yield from self._part(texts[:half])
            yield from self._part(texts[half:])
            if self.cut + self.left_out == alone:  # it was their number
                self._most = min(self._most, max(1, len(texts) - half))
        else:
            yield [i for i, _ in texts], vectors

    def _alone(
        self, row: int, text: str, error: TextsRefusedError
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        if self._too_long == "leave-out" and len(text) > SHORT:
            self.left_out += 1
            return
        while len(text) > SHORT:
            text = text[: int(len(text) * CUT_TO)]
            try:
                vectors = self._vectors([text])
            except TextsRefusedError:
                continue
            self.cut += 1
            yield [row], vectors
            return
        raise ValueError(f"the embedding model refuses a text of {len(text)} characters: {error}")

    def _vectors(self, texts: list[str]) -> np.ndarray:
        vectors = np.asarray(self._embed(texts), np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise ValueError(
                f"{len(texts)} texts gave vectors of shape {list(vectors.shape)}, or no numbers"
            )
        return vectors


def with_vectors(
    records: pl.DataFrame, paths: Sequence[Path]
) -> tuple[pl.DataFrame, Float[np.ndarray, "rows d"] | None]:
    """Return records with `row`, each one's row in the vectors beside their files, and these vectors.

    Args:
        records: from `read_records`.
        paths: the records' files; those without vectors are passed over.

    Returns:
        The records as they are, and None, where no file has vectors.

    Raises:
        ValueError: where a file and its vectors differ in length, or the vectors' lengths do.
    """
    tables: list[np.ndarray] = []
    who: list[dict] = []
    for path in paths:
        beside_it = embeddings_path(path)
        if not beside_it.exists():
            continue
        table = np.load(beside_it)
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        if len(table) != len(lines):
            raise ValueError(f"{beside_it} has {len(table)} rows, and {path} {len(lines)} lines")
        if tables and table.shape[1] != tables[0].shape[1]:
            lengths = tables[0].shape[1], table.shape[1]
            raise ValueError(f"{beside_it} holds vectors of length {lengths[1]}, others {lengths[0]}")
        tables.append(table)
        who += [Record.model_validate_json(line).model_dump(include={*IDENTITY}) for line in lines]
    if not tables:
        return records, None
    schema = {name: records.schema[name] for name in IDENTITY}
    places = pl.DataFrame(who, schema=schema).with_row_index("row").unique(IDENTITY, keep="first")
    joined = records.join(places, on=IDENTITY, how="left", nulls_equal=True, maintain_order="left")
    return joined, np.concatenate(tables)


def _answers(records: Path) -> Iterator[str]:
    with records.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield json.loads(line).get("open_answer") or ""
