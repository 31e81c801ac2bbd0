"""Rows of one table of records that cannot both hold: two answers of one sample, two keys of one question."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool

QUESTION = ["benchmark", "question_id"]
# Stands between the labels of a question that are compared as one text.
BETWEEN = "\x1f"
_ROW = "_row"


class Clashes(NamedTuple):
    """Which rows are no repeats of an earlier one, and what is wrong: a row, the earlier one, and why
    in two parts, between which the earlier one's name goes."""

    first: Bool[np.ndarray, " rows"]
    found: list[tuple[int, int, str, str]]


def clashes(table: pl.DataFrame, identity: Sequence[str]) -> Clashes:
    """Return the rows that repeat one another, and those that contradict one another.

    Args:
        table: of records, whose rows each hold by themselves.
        identity: the columns that tell samples apart; rows that agree in them are one sample, and may
            differ in nothing else.
    """
    rows = np.arange(table.height)
    index = table.select(*identity).with_row_index(_ROW)
    before = index.select(pl.col(_ROW).first().over([*identity])).to_series().to_numpy()
    again = np.flatnonzero(before < rows)
    found = []
    if len(again):
        later, earlier = table[again], table[before[again]]
        names = [name for name, dtype in table.schema.items() if dtype != pl.Object]
        differ = [later[name].ne_missing(earlier[name]).to_numpy() for name in names]
        for i in np.flatnonzero(np.any(differ, axis=0)):
            name = names[int(np.argmax([of[i] for of in differ]))]
            here, there = (_shown(of[name][int(i)]) for of in (later, earlier))
            why = f"which is the same sample of the same question: {name} {here} and {there}"
            found.append((int(again[i]), int(before[again[i]]), "differs from ", f", {why}"))
    return Clashes(before == rows, sorted([*found, *_keys(table, before == rows)]))


def _shown(value: object) -> str:
    return repr(value.to_list() if isinstance(value, pl.Series) else value)


def _keys(table: pl.DataFrame, kept: Bool[np.ndarray, " rows"]) -> list[tuple[int, int, str, str]]:
    """Return the rows whose question has other options, tests or another right option at an earlier row."""
    own = pl.col("options").list.sort().list.join(BETWEEN)
    if "tests" in table.columns:
        own = pl.coalesce(own, pl.col("tests").map_elements(_names, return_dtype=pl.String))
    questions = (
        table.select(*QUESTION, "target", own=own)
        .with_row_index("row")
        .filter(pl.Series(kept) & pl.col("own").is_not_null())  # of others only right or wrong is known
        .with_columns(
            *(
                pl.col(name).first().over(QUESTION).alias(f"first_{name}")
                for name in ("row", "own", "target")
            )
        )
        .filter(
            pl.col("own").ne(pl.col("first_own")) | pl.col("target").ne_missing(pl.col("first_target"))
        )
    )
    found = []
    for row in questions.iter_rows(named=True):
        what = "options" if table["options"][row["row"]] is not None else "tests"
        here, there = (str(row[name].split(BETWEEN))[:200] for name in ("own", "first_own"))
        found.append(
            (
                row["row"],
                row["first_row"],
                f"question {row['question_id']!r} has {what} {here} and target {row['target']!r}, and "
                f"{there} and {row['first_target']!r} at ",
                "",
            )
        )
    return found


def _names(tests: str) -> str:
    return BETWEEN.join(sorted(json.loads(tests)))
