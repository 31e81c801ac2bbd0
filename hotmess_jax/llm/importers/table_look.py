"""A dry look at a table: its columns with an example each, and the command that is to be completed."""

import json
import shlex
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.table import NAMES
from hotmess_jax.llm.importers.table_files import nearest, read_table

_LONGEST = 60
# A command proposes names that are nearly those wanted: "source" is no score.
_ALIKE = 0.85


def look(path: Path, rows: str | None = None) -> tuple[list[tuple[str, str]], str]:
    """Return a table's columns with the first value of each, and the command to complete.

    The command names the columns whose names are nearest to what is needed, and COLUMN where none is.

    Args:
        path: of the file.
        rows: where the rows are in a JSON document.

    Raises:
        ValueError: where it cannot be read.
    """
    columns = read_table(path, rows).columns
    names = list(columns)
    told = []
    for field in ("question_id", "answer", "target", "sample"):
        column = nearest(NAMES[field], names, _ALIKE)
        if column is not None:
            names.remove(column)
        if column is not None or field != "sample":
            told.append(f"{field}={column or 'COLUMN'}")
    options, model = (nearest(NAMES[field], names, _ALIKE) for field in ("options", "model"))
    score = nearest(NAMES["outcome"], names, _ALIKE)
    lists = [name for name, value in columns.items() if isinstance(value, list) and name != options]
    answered = next((of.partition("=")[2] for of in told if of.startswith("answer=")), "")
    words = ["python -m experiments.llm_import table", shlex.quote(str(path))]
    words += ["--rows", rows] if rows else []
    words += ["--columns", *map(shlex.quote, told), *([f"model={model}"] if model else [])]
    words += ["--explode", answered] if answered in lists else []
    words += ["--options", options or "A B C D", *([] if model else ["--set", "model=NAME"])]
    words += ["--score", score] if score else []
    return [(name, _example(value)) for name, value in columns.items()], " ".join(
        [*words, "--out records.jsonl"]
    )


def _example(value: Any) -> str:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    said = " ".join(said.split())
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
