"""Simulated populations of records whose truth is known."""

import json

import numpy as np
import polars as pl

OPTIONS = ["A", "B", "C", "D"]


def table(**columns):
    """Return records as `read_records` would have them, from columns."""
    count = len(columns["question_id"])
    options = pl.Series([OPTIONS] * count, dtype=pl.List(pl.String))
    base = {
        "benchmark": pl.Series([None] * count, dtype=pl.String),
        "context": pl.Series([None] * count, dtype=pl.Int64),
        "model": ["m"] * count,
        "options": options,
        "target": ["A"] * count,
        "answer": pl.Series([None] * count, dtype=pl.String),
        "probs": pl.Series([None] * count, dtype=pl.String),
    }
    return pl.DataFrame(base | columns)


def two_answers(right, length, samples, random, model="m"):
    """Return records whose answers are A with probability `right`, and B otherwise.

    The Brier bias² is 2 (1 − g)², the variance 2 g (1 − g): incoherence is g itself.
    """
    questions = len(right)
    hits = random.random((questions, samples)) < np.asarray(right)[:, None]
    return table(
        model=[model] * (questions * samples),
        question_id=np.repeat([f"q{i:04}" for i in range(questions)], samples),
        sample=np.tile(np.arange(samples), questions),
        answer=np.where(hits, "A", "B").ravel(),
        output_tokens=np.broadcast_to(np.asarray(length, float), (samples, questions)).T.ravel()
        if np.ndim(length) == 1
        else np.asarray(length, float).ravel(),
    )


def any_answers(probs, samples, random, **columns):
    """Return records whose answers are drawn from `probs`, [questions, 4]; the fifth is no answer."""
    labels = np.asarray([*OPTIONS, ""])[: probs.shape[1]]
    drawn = np.stack([random.choice(labels, samples, p=row) for row in probs])
    return table(
        question_id=np.repeat([f"q{i:04}" for i in range(len(probs))], samples),
        sample=np.tile(np.arange(samples), len(probs)),
        answer=drawn.ravel(),
        **columns,
    )


def unit_tests(passes, samples, random, actions):
    """Return records of runs whose tests pass with probability `passes`, [tasks, tests]."""
    outcomes = random.random((len(passes), samples, passes.shape[1])) < passes[:, None, :]
    rows = [
        {"model": "m", "benchmark": None, "question_id": f"t{i:03}", "context": None, "sample": j,
         "options": None, "target": None, "answer": None, "probs": None, "actions": float(actions[i, j]),
         "tests": json.dumps({f"test{k}": bool(x) for k, x in enumerate(run)})}
        for i, runs in enumerate(outcomes)
        for j, run in enumerate(runs)
    ]  # fmt: skip
    schema = {
        "benchmark": pl.String,
        "context": pl.Int64,
        "options": pl.List(pl.String),
        "target": pl.String,
        "answer": pl.String,
        "probs": pl.String,
    }
    return pl.DataFrame(rows, schema_overrides=schema), outcomes
