"""GPQA: the authors' CSV, or the hub's; options in an order that their texts decide."""

import itertools

from hotmess_jax.llm.benchmarks.question import Question, hash_order, make_question
from hotmess_jax.llm.benchmarks.rows import (
    Row,
    Rows,
    csv_rows,
    field,
    files,
    hub_rows,
    lazily,
    on_a_hub,
)

HUB_CONFIG = "gpqa_diamond"


def rows(data: str) -> Rows:
    """Yield GPQA's rows.

    Raises:
        ValueError: where nothing can be read.
    """
    if on_a_hub(data):
        return lazily(_question, hub_rows(data, HUB_CONFIG, "train"))
    read = (csv_rows(path, header=True) for path in files(data, "*.csv"))
    return lazily(_question, itertools.chain.from_iterable(read))


def _question(row: Row) -> Question:
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
        {"subdomain": known("Subdomain"), "record_id": known("Record ID")},
    )
