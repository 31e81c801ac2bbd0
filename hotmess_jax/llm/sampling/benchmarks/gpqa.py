"""GPQA: the authors' CSV, or the hub's; options in an order that their texts decide."""

import functools
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from hotmess_jax.llm.sampling.benchmarks.question import Question, hash_order, make_question
from hotmess_jax.llm.sampling.benchmarks.rows import (
    Row,
    Rows,
    csv_rows,
    field,
    files,
    hub_rows,
    lazily,
    on_a_hub,
)
from kernels.names import check_name

Subset = Literal["main", "diamond", "extended"]
SUBSETS: tuple[Subset, ...] = get_args(Subset)


def rows(data: str, subset: Subset = "main") -> Rows:
    """Yield the rows of one of GPQA's sets.

    Args:
        data: a file, a folder of files, or a hub's name for the data set.
        subset: which set: main (448 questions, as in the paper), diamond (198 of them) or extended (546).
            Files named after another set are not read.

    Raises:
        ValueError: where nothing can be read, or a file is of another set.
    """
    check_name("subset", subset, SUBSETS)
    make = functools.partial(_question, subset)
    if on_a_hub(data):
        if Path(data).is_dir():
            _of_set(data, list(Path(data).rglob("*.parquet")), subset)
        return lazily(make, hub_rows(data, f"gpqa_{subset}", "train"))
    paths = _of_set(data, files(data, "*.csv"), subset)
    read = (csv_rows(path, header=True) for path in paths)
    return lazily(make, itertools.chain.from_iterable(read))


def _of_set(data: str, paths: Sequence[Path], subset: Subset) -> Sequence[Path]:
    """Return the files of a set: those named after it, or all where none is named after any.

    Raises:
        ValueError: where all that are named are of other sets.
    """
    # Of a folder what is inside it, of a file its name.
    base = Path(data) if Path(data).is_dir() else Path(data).parent
    words = {path: re.split(r"[^a-z]+", str(path.relative_to(base)).lower()) for path in paths}
    named = {path: of for path in paths for of in SUBSETS if of in words[path]}
    if not named:
        return paths
    kept = [path for path, of in named.items() if of == subset]
    if not kept:
        others = " and ".join(sorted(set(named.values())))
        raise ValueError(
            f"{data} holds GPQA's {others} set, and the {subset} set is asked for (--subset)"
        )
    return kept


def _question(subset: Subset, row: Row) -> Question:
    text = field(row, "Question").strip()
    names = ("Correct Answer", *(f"Incorrect Answer {i}" for i in (1, 2, 3)))
    given = [field(row, name).strip() for name in names]
    order = hash_order(text, given)

    def known(name: str) -> str:
        return str(row.fields.get(name) or "").strip()

    return make_question(
        "gpqa",
        text,
        [given[i] for i in order],
        order.index(0),
        known("High-level domain") or None,
        known("Writer's Difficulty Estimate"),
        {"subset": subset, "subdomain": known("Subdomain"), "record_id": known("Record ID")},
    )
