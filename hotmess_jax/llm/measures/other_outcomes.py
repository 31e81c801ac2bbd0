"""Outcomes that are no choice among options: unit tests, and vectors of open answers."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from hotmess_jax.llm.measures.clusters import with_clusters
from hotmess_jax.llm.measures.decomposing import Contexts, contexts_of, of_contexts
from hotmess_jax.llm.measures.precision import in_float64
from hotmess_jax.llm.measures.questions import Questions, with_means
from hotmess_jax.llm.measures.samples import QUESTION, Samples, by_context, context_indices
from hotmess_jax.llm.measures.series import one_series
from kernels.decompositions import Decomposition, coverage
from kernels.estimators import nested_squared_error, unbiased


class UnitTests(NamedTuple):
    """Tasks with at least two runs: each run's outcome of each test, padded."""

    keys: list[tuple]
    outcomes: Bool[np.ndarray, "tasks runs tests"]
    mask: Bool[np.ndarray, "tasks tests"]
    present: Bool[np.ndarray, "tasks runs"]
    # The runs' rows in the records, and which of the task's contexts they are of; −1 where there is none.
    record: Int[np.ndarray, "tasks runs"]
    context: Int[np.ndarray, "tasks runs"]


def unit_tests(records: pl.DataFrame) -> UnitTests:
    """Return the outcomes of unit tests as arrays.

    Args:
        records: of one model, with `tests`: JSON of each test's name and whether it passed.
    """
    rows, places = one_series(records)
    if "tests" not in rows.columns:
        raise ValueError("no record has tests")
    rows = rows.with_columns(row=pl.Series(places)).filter(pl.col("tests").is_not_null())
    tasks = []
    for key, part in rows.group_by(QUESTION, maintain_order=True):
        runs = [json.loads(text) for text in part["tests"].to_list()]
        if len(runs) >= 2:
            names = sorted(runs[0])
            tasks.append((key, np.asarray([[run[n] for n in names] for run in runs], bool), part))
    shape = [max((o.shape[i] for _, o, _ in tasks), default=0) for i in (0, 1)]
    outcomes = np.zeros((len(tasks), *shape), bool)
    mask, present = np.zeros((len(tasks), shape[1]), bool), np.zeros((len(tasks), shape[0]), bool)
    record, context = np.full(present.shape, -1), np.full(present.shape, -1)
    for i, (_, given, part) in enumerate(tasks):
        outcomes[i, : given.shape[0], : given.shape[1]] = given
        mask[i, : given.shape[1]], present[i, : given.shape[0]] = True, True
        record[i, : given.shape[0]] = part["row"].to_numpy()
        context[i, : given.shape[0]] = context_indices(part["context"].to_list())
    return UnitTests([key for key, _, _ in tasks], outcomes, mask, present, record, context)


@in_float64
def unit_test_questions(records: pl.DataFrame, cluster: str | None = None) -> Questions:
    """Return tasks with the decomposition of their unit tests' coverage error.

    A task's accuracy is the share of its runs in which all tests pass.

    Args:
        records: of one model, with `tests`.
        cluster: a field whose values are clusters of tasks.

    Raises:
        ValueError: where no task has two runs, or no record the field.

    Source: Hägele et al. 2026, Appendix B.3.
    """
    tasks = unit_tests(records)
    if not tasks.keys:
        raise ValueError("no task has two runs")
    plugin = coverage(tasks.outcomes, tasks.mask, tasks.present)
    solved = (tasks.outcomes | ~tasks.mask[:, None, :]).all(axis=2) & tasks.present
    runs = tasks.present.sum(axis=1)
    # A task's coverage error is the squared distance of outcomes over √(number of tests).
    scale = tasks.mask / np.sqrt(np.maximum(tasks.mask.sum(axis=1, keepdims=True), 1))
    corrected, contexts = _corrected(
        plugin, tasks.outcomes * scale[:, None, :], scale, tasks.present, tasks.context
    )
    found = _questions(records, tasks.keys, plugin, corrected, contexts, solved.sum(axis=1) / runs)
    return found._replace(table=with_clusters(found.table, records, cluster))


def _corrected(
    plugin: Decomposition,
    points: Float[np.ndarray, "questions samples d"],
    target: Float[np.ndarray, "questions d"],
    present: Bool[np.ndarray, "questions samples"],
    context: Int[np.ndarray, "questions samples"],
) -> tuple[Decomposition, Contexts]:
    """Return the corrected squared error, nested where questions have contexts."""
    independent = jax.tree.map(np.asarray, unbiased(plugin, jnp.asarray(present.sum(axis=1))))
    if context.max(initial=0) < 1:
        return independent, contexts_of(present, context, None)
    sorted_in, here = by_context(points, present, context)
    nested, parts = nested_squared_error(sorted_in, target, here)
    contexts = contexts_of(present, context, parts)
    return of_contexts(contexts, jax.tree.map(np.asarray, nested), independent), contexts


class AnswerVectors(NamedTuple):
    """Questions with at least two answers as vectors, padded."""

    keys: list[tuple]
    points: Float[np.ndarray, "questions samples d"]
    present: Bool[np.ndarray, "questions samples"]
    # The answers' rows in the records, and which of the question's contexts they are of; −1 where there
    # is none.
    record: Int[np.ndarray, "questions samples"]
    context: Int[np.ndarray, "questions samples"]


def answer_vectors(records: pl.DataFrame, vectors: Float[np.ndarray, "records d"]) -> AnswerVectors:
    """Return the vectors of open answers as arrays.

    Args:
        records: of one model, with `row`: each record's row in `vectors`.
        vectors: NaN where there is no answer.
    """
    has = ~np.isnan(vectors).any(axis=1)
    table, places = one_series(records)
    if "row" not in table.columns:
        raise ValueError("no record has a row, its place in the vectors (with_vectors adds it)")
    if (table["row"] >= len(vectors)).any():
        raise ValueError(
            f"a record's row is {table['row'].max()!r}, and there are {len(vectors)} vectors"
        )
    rows = table.with_columns(place=pl.Series(places))
    rows = rows.filter(pl.col("row").is_in(np.flatnonzero(has).tolist()))
    found = [
        (key, part) for key, part in rows.group_by(QUESTION, maintain_order=True) if part.height >= 2
    ]
    counts = np.asarray([part.height for _, part in found], int)
    present = np.arange(counts.max(initial=0)) < counts[:, None]
    points = np.zeros((*present.shape, vectors.shape[1]))
    record, context = np.full(present.shape, -1), np.full(present.shape, -1)
    for i, (_, part) in enumerate(found):
        points[i, : part.height] = vectors[part["row"].to_numpy()]
        record[i, : part.height] = part["place"].to_numpy()
        context[i, : part.height] = context_indices(part["context"].to_list())
    return AnswerVectors([key for key, _ in found], points, present, record, context)


def _questions(
    rows: pl.DataFrame,
    keys: list,
    plugin: Decomposition,
    corrected: Decomposition,
    contexts: Contexts,
    accuracy: np.ndarray,
) -> Questions:
    who = pl.DataFrame(
        {
            "benchmark": pl.Series([key[0] for key in keys], dtype=pl.String),
            "question_id": [key[1] for key in keys],
            "accuracy": accuracy,
        }
    )
    known = rows["context"].null_count() < rows.height
    table = with_means(Samples([], who, rows.height, 0.0, known), rows)
    plugin, corrected = jax.tree.map(np.asarray, (plugin, corrected))
    return Questions(plugin, corrected, accuracy, table, contexts if known else None)
