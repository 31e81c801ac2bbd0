"""Files of tables, of any columns: their rows, the columns that they have, and what a dotted path finds."""

import ast
import difflib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from hotmess_jax.llm.importers.imported import read_bytes

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
# The name under which a row of an object of objects has its own name there.
KEY = "key"
# Columns are told from so many rows; objects are gone into so deep.
_LOOKED_AT = 200
_DEEPEST = 4


@dataclass(frozen=True)
class Table:
    """One file's rows: what they hold, and where each stands."""

    path: Path
    rows: Sequence[tuple[str, Mapping[str, Any]]]
    # Lines that are no row: where, and why.
    broken: Sequence[tuple[str, str]] = ()
    # Whether every cell is text, since the file knows nothing else.
    text: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """Return each column, and each path into its objects, with the first value that is not empty."""
        found: dict[str, Any] = {}
        for _, row in self.rows[:_LOOKED_AT]:
            for name, value in _leaves(row):
                if name not in found or is_empty(found[name]):
                    found[name] = value
        return found

    def has(self, path: str) -> bool:
        """Tell whether any row has something there, be it empty."""
        return any(reach(row, path, _ABSENT) is not _ABSENT for _, row in self.rows)


def read_table(path: Path, rows: str | None = None) -> Table:
    """Read a table, also as gzip.

    CSV, TSV and Parquet are read by Polars, of text files every cell as text: "007" stays what it is. JSON
    is taken as it stands, since one type a column would change values where rows differ.

    Args:
        path: a file whose name ends in one of `SUFFIXES`, perhaps with `.gz`.
        rows: where the rows are in a JSON document, as a dotted path: a list of objects, or an object of
            objects, whose names are the column `key`. None is the document itself.

    Raises:
        ValueError: where the file cannot be read, or has no rows there.
    """
    name = path.name.removesuffix(".gz").lower()
    suffix = next((ending for ending in SUFFIXES if name.endswith(ending)), None)
    if suffix is None:
        raise ValueError(f"{path} is no table: its name ends in none of {', '.join(SUFFIXES)}")
    try:
        content = read_bytes(path)
        if suffix in (".csv", ".tsv"):
            separator = "," if suffix == ".csv" else "\t"
            frame = pl.read_csv(io.BytesIO(content), separator=separator, infer_schema=False)
            found = replace(_of_frame(path, frame), text=True)
        elif suffix == ".parquet":
            found = _of_frame(path, pl.read_parquet(io.BytesIO(content)))
        elif suffix == ".json":
            found = _of_document(path, json.loads(content), rows)
        else:
            found = _of_lines(path, content.decode("utf-8-sig"))
    except (ValueError, pl.exceptions.PolarsError) as error:
        said = str(error)
        raise ValueError(said if said.startswith(str(path)) else f"{path}: {said}"[:300]) from None
    if not found.rows:
        raise ValueError(f"{path} has no rows")
    return found


def reach(row: Any, path: str, otherwise: Any = None) -> Any:
    """Return what a dotted path finds in a row: a column of that very name first, else inside of objects.

    A number takes an item of a list; text that is a JSON or Python literal is gone into as what it says.
    """
    if path == "":
        return row
    if isinstance(row, str) and row[:1] in ("{", "["):
        row = literal(row)
    if isinstance(row, Mapping):
        if path in row:
            return row[path]
        first, dot, rest = path.partition(".")
        while dot:
            if first in row:
                found = reach(row[first], rest, _ABSENT)
                if found is not _ABSENT:
                    return found
            more, dot, rest = rest.partition(".")
            first = f"{first}.{more}"
    elif isinstance(row, list):
        first, _, rest = path.partition(".")
        if first.isdigit() and int(first) < len(row):
            return reach(row[int(first)], rest, otherwise)
    return otherwise


def replaced(row: Any, path: str, value: Any) -> Any:
    """Return a row with another value at a path that is there."""
    if path == "":
        return value
    if isinstance(row, str):
        row = literal(row)
    if isinstance(row, list):
        first, _, rest = path.partition(".")
        return [replaced(v, rest, value) if i == int(first) else v for i, v in enumerate(row)]
    if path in row:
        return {**row, path: value}
    parts = path.split(".")
    for i in range(1, len(parts)):
        first, rest = ".".join(parts[:i]), ".".join(parts[i:])
        if first in row and reach(row[first], rest, _ABSENT) is not _ABSENT:
            return {**row, first: replaced(row[first], rest, value)}
    raise KeyError(path)


def literal(text: str) -> Any:
    """Return the list or object that a text writes down, as JSON or in Python; the text where it is none."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return found if isinstance(found, list | tuple | Mapping) else text
    return text


def is_empty(value: Any) -> bool:
    """Tell whether a cell holds nothing: null, NaN or blank text."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def nearest(wanted: Sequence[str], names: Sequence[str], alike: float = 0.6) -> str | None:
    """Return the name that is most like one of those wanted, also by its last part; None where none is.

    Args:
        wanted: names, the likeliest first.
        names: those there are.
        alike: how much of two names must be the same, 0 to 1.
    """
    by_end = {name.rpartition(".")[2].lower(): name for name in reversed(names)}
    by_end |= {name.lower(): name for name in reversed(names)}
    for of in wanted:
        if close := difflib.get_close_matches(of.lower(), by_end, 1, alike):
            return by_end[close[0]]
    return None


_ABSENT: Any = object()


def _of_frame(path: Path, frame: pl.DataFrame) -> Table:
    return Table(path, [(f"row {i}", row) for i, row in enumerate(frame.iter_rows(named=True), 1)])


def _of_lines(path: Path, text: str) -> Table:
    rows: list[tuple[str, Mapping[str, Any]]] = []
    broken: list[tuple[str, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            broken.append((f"line {number}", "the line is no JSON"))
            continue
        if isinstance(row, Mapping):
            rows.append((f"line {number}", row))
        else:
            broken.append((f"line {number}", "the line is no JSON object"))
    if broken and not rows:
        raise ValueError(f"{path}: {broken[0][0]}: {broken[0][1]}")
    return Table(path, rows, broken)


def _of_document(path: Path, document: Any, rows: str | None) -> Table:
    inside = reach(document, rows, _ABSENT) if rows is not None else document
    if inside is _ABSENT:
        # A list of rows needs no path into it.
        inside = document if isinstance(document, list) else None
    found = _objects(inside)
    if found is None:
        places = [f"{name} ({len(of)} rows)" for name, of in _places(document)]
        there = f"; rows are at {', '.join(places)} (--rows names one)" if places else ""
        where = f"at {rows!r}" if rows else "as a whole"
        raise ValueError(f"{path} {where} is no list of objects{there}")
    return Table(path, found)


def _objects(value: Any) -> list[tuple[str, Mapping[str, Any]]] | None:
    if isinstance(value, list) and all(isinstance(row, Mapping) for row in value):
        return [(f"row {i}", row) for i, row in enumerate(value, 1)]
    if isinstance(value, Mapping):
        # A remark on the whole may stand beside rows that are numbered.
        objects = {name: row for name, row in value.items() if isinstance(row, Mapping)}
        numbered = bool(objects) and all(str(name).isdigit() for name in objects)
        alike = len(objects) == len(value) and bool(
            set.intersection(*map(set, objects.values() or [{}]))
        )
        if numbered or (alike and len(objects) > 1):
            return [(f"row {name}", {KEY: name, **row}) for name, row in objects.items()]
    return None


def _places(value: Any, prefix: str = "") -> Iterator[tuple[str, Sequence[Any]]]:
    if isinstance(value, Mapping) and prefix.count(".") < _DEEPEST:
        for name, inner in value.items():
            if found := _objects(inner):
                yield f"{prefix}{name}", found
            else:
                yield from _places(inner, f"{prefix}{name}.")


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        said = literal(inner) if isinstance(inner, str) and inner[:1] == "{" else inner
        if isinstance(said, Mapping) and said and prefix.count(".") < _DEEPEST:
            yield from _leaves(said, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner
