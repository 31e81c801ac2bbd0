"""Questions that are in no decomposition, having fewer than two samples, by how hard they are."""

from dataclasses import dataclass

import polars as pl

from hotmess_jax.llm.measures.groups import length_field
from hotmess_jax.llm.measures.samples import QUESTION, Samples
from hotmess_jax.statistics.estimate import finite

THIRDS = ("the shortest third", "the middle third", "the longest third")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many questions of a kind are in no decomposition."""

    # The benchmark's difficulty, or a third by length.
    group: str
    questions: int
    left_out: int
    # The share of all of their samples that are right, over the questions left out; None where none is.
    accuracy: float | None


def left_out_by_difficulty(records: pl.DataFrame, samples: Samples) -> list[LeftOut]:
    """Return how many questions are left out, easy and hard ones apart.

    By the benchmark's difficulty where records have one, else in thirds by mean length where they have that,
    and else all together.

    Args:
        records: of one model and setting.
        samples: what `to_samples` gives of them.
    """
    table = samples.table.select(*QUESTION, "accuracy").with_columns(left_out=pl.Series(~samples.kept))
    group, note = _groups(records)
    table = table.join(group, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")
    found = []
    for (name,), part in table.sort("order", "group", nulls_last=True).group_by(
        "group", maintain_order=True
    ):
        out = part.filter("left_out")
        accuracy = finite(float(out["accuracy"].to_numpy().mean())) if out.height else None
        kind = f"no {note}" if name is None else str(name)
        found.append(LeftOut(kind, part.height, out.height, accuracy))
    return found


def _groups(records: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Return each question's `group` and its `order` among them, and by what they are grouped."""
    if "difficulty" in records.columns and records["difficulty"].null_count() < records.height:
        by = records.group_by(QUESTION).agg(pl.col("difficulty").drop_nulls().first().alias("group"))
        return by.with_columns(order=pl.lit(0)), "difficulty"
    field = length_field(records)
    if field is not None and records[field].dtype.is_numeric():
        by = (
            records.group_by(QUESTION).agg(pl.col(field).mean().alias("along")).sort("along", *QUESTION)
        )
        known = by.filter(pl.col("along").is_not_null())
        third = pl.int_range(pl.len()) * 3 // pl.len()
        known = known.select(*QUESTION, third.alias("order"))
        return known.with_columns(
            group=pl.col("order").replace_strict(dict(enumerate(THIRDS)), return_dtype=pl.String)
        ), "length"
    everything = records.select(QUESTION).unique()
    return everything.with_columns(order=pl.lit(0), group=pl.lit("all")), "length"
