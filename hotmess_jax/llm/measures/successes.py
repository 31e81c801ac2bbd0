"""Outcomes that are right or wrong, or a share of right, and nothing else: bias² and variance of success."""

import json
from dataclasses import replace

import jax
import polars as pl

from hotmess_jax.llm.measures.questions import AnalysisSettings, Questions, questions_of

SUCCESS = ("success", "failure")
SHARES_METRIC = "squared_error"
MEANING = (
    "Of outcomes that are right or wrong and nothing else, bias² and variance are those of success: two "
    "different wrong answers are one failure. A task that always fails is all bias, whatever was done."
)
SHARES = (
    "Of outcomes between 0 and 1, accuracy is their mean, and error, bias² and variance are of the squared "
    "distance to 1."
)


def with_successes(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return records with outcomes as what their kind of decomposition takes.

    What counts is a benchmark's outcomes as a whole: where all of them are true or false, a record becomes
    a choice between success and failure, with success as the target; where one is a fraction, none does.
    Benchmarks in which any record has options or tests stay as they are: there an outcome alone is a sample
    that these are not known of.

    Args:
        records: from `read_records`.

    Returns:
        All records but those of benchmarks with fractions, and those.
    """
    if "outcome" not in records.columns:
        return records, records.clear()
    alone = pl.col("outcome").is_not_null() & pl.col("options").is_null()
    if "tests" in records.columns:
        alone &= pl.col("tests").is_null()
    flagged = records.with_columns(
        alone.all().over("benchmark").alias("__alone"),
        pl.col("outcome").is_in([0.0, 1.0]).all().over("benchmark").alias("__whole"),
    )
    shares = flagged.filter(pl.col("__alone") & ~pl.col("__whole")).drop("__alone", "__whole")
    others = flagged.filter(~pl.col("__alone") | pl.col("__whole"))
    answer = pl.when(pl.col("outcome") == 1).then(pl.lit(SUCCESS[0])).otherwise(pl.lit(SUCCESS[1]))
    options = pl.lit(pl.Series([list(SUCCESS)])).first()
    chosen = {"options": options, "target": pl.lit(SUCCESS[0]), "answer": answer}
    others = others.with_columns(
        pl.when(pl.col("__alone")).then(value).otherwise(pl.col(name)).alias(name)
        for name, value in chosen.items()
    )
    return others.drop("__alone", "__whole"), shares


def is_of_successes(records: pl.DataFrame) -> bool:
    """Tell whether any record is a choice between success and failure."""
    options = records["options"].drop_nulls()
    return list(SUCCESS) in options.to_list()


def share_questions(records: pl.DataFrame, settings: AnalysisSettings) -> Questions:
    """Return questions with the squared error to 1 of outcomes between 0 and 1.

    A distribution over success and failure is half as far from success by Brier's score, squared, as the
    outcome is from 1: error, bias² and variance are half of Brier's, each in 0..1. Accuracy is the mean
    outcome.

    Args:
        records: of one model, each with an outcome.
        settings: of which the metric is not used.

    Raises:
        ValueError: where no question has two samples.
    """
    outcomes = records["outcome"].to_list()
    probs = [json.dumps({SUCCESS[0]: value, SUCCESS[1]: 1 - value}) for value in outcomes]
    graded = records.with_columns(
        pl.lit(pl.Series([list(SUCCESS)])).first().alias("options"),
        pl.lit(SUCCESS[0]).alias("target"),
        pl.lit(None, pl.String).alias("answer"),
        pl.Series("probs", probs, dtype=pl.String),
    )
    found = questions_of(graded, replace(settings, metric="brier"))
    plugin, corrected = (
        jax.tree.map(lambda a: a / 2, form) for form in (found.plugin, found.corrected)
    )
    contexts = found.contexts
    if contexts is not None:
        contexts = contexts._replace(between=contexts.between / 2, within=contexts.within / 2)
    accuracy = found.table["outcome"].to_numpy()
    table = found.table.with_columns(accuracy=pl.col("outcome"))
    return found._replace(
        plugin=plugin,
        corrected=corrected,
        contexts=contexts,
        accuracy=accuracy,
        table=table,
        most=1.0,
        step=None,
    )
