"""A field measured on the samples, such as length: read from other samples than what is set against it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hotmess_jax.llm.analyses.questions import Arrays, Questions, parts_of
from hotmess_jax.llm.analyses.samples import QUESTION
from hotmess_jax.llm.analyses.series import field_of, one_series

SPLITS = 4
LEAST = 4  # samples: two to be decomposed, and two others whose mean the field is
MOST_APART = 4  # contexts from which on they are split whole


class Fold(NamedTuple):
    """Questions decomposed from some of their samples, and the field's means over others."""

    questions: Questions
    along: Float[np.ndarray, " questions"]


def cross_fitted(
    records: pl.DataFrame,
    field: str,
    decompose: Callable[[pl.DataFrame], Questions],
    seed: int = 0,
    splits: int = SPLITS,
) -> list[Fold]:
    """Split each question's samples at random in two halves: one is decomposed, the other measured.

    Where wrong samples are longer than right ones, questions sorted by the length of the very samples
    that are decomposed are sorted by how many of these are wrong, by chance too: a difference is then
    seen between questions that are all the same. Where a question has four contexts, these are split
    whole.

    Args:
        records: of one model.
        field: numeric, of each sample; samples without it are left out.
        decompose: such as a partial `questions_of`.
        seed: of the splits.
        splits: each gives two folds.

    Returns:
        Folds of the same questions in the same order.

    Raises:
        ValueError: where no question has four samples with the field.
    """
    records = one_series(records).table
    field_of(records, field)
    usable = records.filter(pl.col(field).is_not_null())
    usable = usable.filter(pl.len().over(QUESTION) >= LEAST)
    few = f"no question has {LEAST} samples with {field!r}: two to measure it on, and two others"
    if not usable.height:
        raise ValueError(few)
    random = np.random.default_rng(seed)
    usable = usable.with_columns(
        pl.struct(QUESTION).rank("dense").alias("_question"),
        pl.len().over(QUESTION).alias("_count"),
        pl.col("context").n_unique().over(QUESTION).alias("_contexts"),
    )
    question, count, contexts = (
        usable[name].to_numpy() for name in ("_question", "_count", "_contexts")
    )
    context = usable.select(pl.struct([*QUESTION, "context"]).rank("dense")).to_series().to_numpy()
    usable = usable.drop("_question", "_count", "_contexts")
    # Samples, or the contexts of a question that has many, are what stands in one half or the other.
    samples = np.arange(len(question)) + int(context.max()) + 1
    _, row, unit = np.unique(
        np.where(contexts >= MOST_APART, context, samples), return_index=True, return_inverse=True
    )
    owner, number = question[row], np.where(contexts >= MOST_APART, contexts, count)[row]
    folds: list[Fold] = []
    for _ in range(splits):
        order = np.lexsort((random.random(len(owner)), owner))
        place = np.empty(len(order), int)
        starts = np.searchsorted(owner[order], owner[order], side="left")
        place[order] = np.arange(len(order)) - starts
        first = (place < number // 2)[unit]
        for half in (first, ~first):
            try:
                found = decompose(usable.filter(half))
            except ValueError:
                raise ValueError(few) from None
            others = usable.filter(~half).group_by(QUESTION).agg(pl.col(field).mean().alias("_along"))
            along = found.table.select(QUESTION).join(
                others, on=QUESTION, how="left", nulls_equal=True, maintain_order="left"
            )["_along"]
            known = along.is_not_null().to_numpy()
            folds.append(Fold(found.where(known), along.to_numpy()[known].astype(np.float64)))
    return _aligned(folds, few)


def _aligned(folds: Sequence[Fold], few: str) -> list[Fold]:
    """Return the folds with the questions that all of them have, in one order."""
    shared = folds[0].questions.table.select(QUESTION)
    for fold in folds[1:]:
        shared = shared.join(
            fold.questions.table.select(QUESTION), on=QUESTION, how="semi", nulls_equal=True
        )
    if not shared.height:
        raise ValueError(few)
    shared = shared.sort(QUESTION)
    found = []
    for fold in folds:
        place = fold.questions.table.select(QUESTION).with_row_index("_row")
        rows = shared.join(place, on=QUESTION, how="left", nulls_equal=True, maintain_order="left")
        chosen = rows["_row"].to_numpy()
        found.append(Fold(fold.questions.where(chosen), fold.along[chosen]))
    return found


def itself(questions: Questions, field: str) -> list[Fold]:
    """Return questions as the one fold of a field that is not measured on their samples."""
    has = field_of(questions.table, field).is_not_null().to_numpy()
    kept = questions.where(has)
    return [Fold(kept, kept.table[field].to_numpy().astype(np.float64))]


def arrays_of(folds: Sequence[Fold], form: str) -> Arrays:
    """Return parts, `along` and the order along it, each `[questions, folds]`."""
    parts = [parts_of(fold.questions, form) | {"along": fold.along} for fold in folds]
    found = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
    return found | {"order": np.argsort(found["along"], axis=0, kind="stable")}
