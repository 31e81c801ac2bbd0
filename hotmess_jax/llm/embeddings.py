"""Vectors of open-ended answers, beside their records."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from hotmess_jax.files import written_whole
from hotmess_jax.llm.record_file import beside

# From texts to a table of their vectors.
Embed = Callable[[Sequence[str]], ArrayLike]
TEXTS_A_CALL = 256
CALLS_A_SAVE = 64


def embeddings_path(records: Path) -> Path:
    """Return where the vectors of a file of records lie."""
    return beside(records, "embeddings.npy")


def embed_records(
    records: Path, embed: Embed, on_progress: Callable[[int, int], None]
) -> tuple[int, int]:
    """Write one vector a line of a file of records: float32 [lines, d], NaN where there is no answer.

    Vectors that are there already are kept, so that a file that has grown costs only its new lines, and
    an interruption at most the last 16,384.

    Args:
        records: of the open format; each line's `open_answer` is embedded, without its reasoning.
        embed: from texts to vectors of one length.
        on_progress: called with lines done and lines in all.

    Returns:
        How many lines have a vector now, and how many have no answer to embed.

    Raises:
        ValueError: where no line has an answer, or the vectors' lengths differ.
    """
    path = embeddings_path(records)
    lines = sum(1 for _ in _answers(records))
    table = np.load(path) if path.exists() else np.empty((0, 0), np.float32)
    if len(table) > lines:
        raise ValueError(f"{path} has {len(table)} rows, and {records} only {lines} lines")
    known = np.zeros(lines, bool)
    known[: len(table)] = ~np.isnan(table).any(axis=1) if table.size else False
    empty, unsaved = 0, 0
    batch: list[tuple[int, str]] = []

    def flush() -> None:
        nonlocal table
        if not batch:
            return
        vectors = np.asarray(embed([text for _, text in batch]), np.float32)
        if known.any() and vectors.shape[1] != table.shape[1]:
            raise ValueError(
                f"{path} holds vectors of length {table.shape[1]}, and these have {vectors.shape[1]}: "
                "was it made by another model?"
            )
        if table.shape != (lines, vectors.shape[1]):
            larger = np.full((lines, vectors.shape[1]), np.nan, np.float32)
            if known.any():
                larger[: len(table)] = table
            table = larger
        rows = [i for i, _ in batch]
        table[rows], known[rows] = vectors, True
        batch.clear()
        on_progress(int(known.sum()), lines)

    for i, text in enumerate(_answers(records)):
        if not text:
            empty += 1
        elif not known[i]:
            batch.append((i, text))
            if len(batch) == TEXTS_A_CALL:
                flush()
                unsaved += 1
                if unsaved % CALLS_A_SAVE == 0:
                    _save(path, table)
    flush()
    if not known.any():
        raise ValueError(f"no line of {records} has an answer to embed")
    _save(path, table)
    return int(known.sum()), empty


def _save(path: Path, table: np.ndarray) -> None:
    with written_whole(path) as aside, aside.open("wb") as stream:
        np.save(stream, table)


def _answers(records: Path) -> Iterator[str]:
    with records.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line).get("open_answer") or ""
