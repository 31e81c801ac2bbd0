"""Rows of the files that benchmarks come in, each with where it stands."""

import csv
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hotmess_jax.llm.sampling.benchmarks.question import Question, RowError


class Row(NamedTuple):
    """One row: the file's stem, "FILE:LINE", and its fields by name, or by number."""

    stem: str
    where: str
    fields: Mapping[str, Any]


Rows = Iterator[tuple[str, Callable[[], Question]]]


def lazily(make: Callable[[Row], Question], rows: Iterator[Row]) -> Rows:
    """Yield where each row stands and what makes a question of it, or raises `RowError`."""
    for row in rows:
        yield row.where, functools.partial(make, row)


def files(data: str, pattern: str) -> list[Path]:
    """Return the files that `data` names: itself, or those in a folder, in order.

    Raises:
        ValueError: where there are none.
    """
    path = Path(data)
    if path.is_file():
        return [path]
    found = sorted(path.glob(pattern)) if path.is_dir() else []
    if not found:
        raise ValueError(f"{data} is neither a file nor a folder with {pattern}")
    return found


def csv_rows(path: Path, header: bool) -> Iterator[Row]:
    """Yield the rows of a file separated by commas or semicolons, whichever its first line has more of.

    Bytes that are not UTF-8 stay in the text as lone surrogates, for `make_question` to find.

    Args:
        path: of the file.
        header: whether its first line names the columns.

    Raises:
        ValueError: where the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            reader = csv.reader(stream, delimiter=";" if first.count(";") > first.count(",") else ",")
            names = [name.strip() for name in next(reader, [])] if header else None
            line = reader.line_num + 1
            for values in reader:
                if any(values):
                    labels = names or [str(i) for i in range(len(values))]
                    yield Row(path.stem, f"{path}:{line}", dict(zip(labels, values, strict=False)))
                line = reader.line_num + 1
    except (OSError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def json_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file of JSON lines; what is no object has no fields.

    Raises:
        ValueError: where the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    try:
                        fields = json.loads(line)
                    except ValueError:
                        fields = None
                    yield Row(path.stem, f"{path}:{number}", fields if isinstance(fields, dict) else {})
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def hub_rows(data: str, config: str, split: str) -> Iterator[Row]:
    """Yield the rows of a data set on a hub, or of a local copy of one, in Parquet.

    Raises:
        ValueError: where it cannot be had.
    """
    try:
        import datasets
    except ImportError:
        raise ValueError(f"{data} needs the extra hub: pip install -e '.[hub]'") from None
    try:
        if Path(data).is_dir():
            # A local copy of several configurations has a folder, or files, of each one's name.
            inside = sorted(Path(data).rglob("*.parquet"))
            named = [str(path) for path in inside if config in str(path.relative_to(data))]
            rows = (
                datasets.load_dataset("parquet", data_files=named, split="train")
                if named and config != "all"
                else datasets.load_dataset(data, split=split)
            )
        else:
            rows = datasets.load_dataset(data, config, split=split)
    except Exception as error:  # the hub's client raises of many kinds
        raise ValueError(f"{data} ({config}, {split}) cannot be loaded: {error}") from None
    for i, fields in enumerate(rows):
        yield Row(config, f"{data}/{config}/{split}:{i}", fields)


def on_a_hub(data: str) -> bool:
    """Tell whether `data` names a data set of a hub, or a local copy in Parquet."""
    path = Path(data)
    if path.is_dir():
        return any(path.rglob("*.parquet"))
    return not path.exists() and data.count("/") == 1 and not path.suffix


def field(row: Row, name: str) -> str:
    """Return a field as text.

    Raises:
        RowError: where the row does not have it.
    """
    value = row.fields.get(name)
    if not isinstance(value, str):
        raise RowError(f"has no {name!r}")
    return value
