"""Questions that are in no decomposition, having fewer than two samples, by how hard they are."""

import numpy as np
import polars as pl

from hotmess_jax.llm.measures.groups import length_field
from hotmess_jax.llm.measures.questions import Json, to_json
from hotmess_jax.llm.measures.samples import QUESTION, Samples

THIRDS = ("the shortest third", "the middle third", "the longest third")


def left_out_by_difficulty(records: pl.DataFrame, samples: Samples) -> list[Json]:
    """Return how many questions are left out, easy and hard ones apart.

    By the benchmark's difficulty where records have one, else in thirds by mean length where they have that,
    and else all together.

    Args:
        records: of one model and setting.
        samples: what `to_samples` gives of them.

    Returns:
        Of each group its name `group`, `questions`, how many are `left_out`, and their `accuracy`: the share
        of all of their samples that are right, over the questions left out (None where none is).
    """
    table = samples.table.select(*QUESTION, "accuracy").with_columns(left_out=pl.Series(~samples.kept))
    group, note = _groups(records)
    table = table.join(group, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")
    found = []
    for (name,), part in table.sort("order", "group", nulls_last=True).group_by(
        "group", maintain_order=True
    ):
        out = part.filter("left_out")
        found.append(
            {
                "group": f"no {note}" if name is None else name,
                "questions": part.height,
                "left_out": out.height,
                "accuracy": to_json(float(np.mean(out["accuracy"].to_numpy()))) if out.height else None,
            }
        )
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
