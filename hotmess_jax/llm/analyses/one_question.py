"""The question with most different answers, sample by sample."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.changes import with_answers
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.measures.series import one_series
from kernels.names import nearest


@dataclass(frozen=True, slots=True)
class SampleGiven:
    """What one sample answered."""

    context: int | None
    sample: int
    # The answer, of probabilities the most probable option, "" where there is none.
    given: str
    # As it was written, where options were not given.
    open_answer: str | None = None


@dataclass(frozen=True, slots=True)
class OneQuestion:
    """A question's answers, sample by sample."""

    question_id: str
    benchmark: str | None
    target: str | None
    options: tuple[str, ...] | None
    samples: tuple[SampleGiven, ...]


Result = OneQuestion


def one_question(
    records: pl.DataFrame, question_id: str | None = None, benchmark: str | None = None
) -> OneQuestion:
    """Return one question's answers, sample by sample: the one asked for, or that with most answers.

    Args:
        records: of one model and setting.
        question_id: of the question.
        benchmark: where several have a question of this id; None is the first of them.

    Source: Hägele et al. 2026, Figure 19.
    """
    rows = with_answers(one_series(records).table)
    spread = rows.group_by(QUESTION).agg(
        pl.col("given").n_unique().alias("distinct"), pl.len().alias("count")
    )
    order = ["distinct", "count", "question_id", "benchmark"]
    spread = spread.sort(order, descending=[True, True, False, False])
    if question_id is not None:
        spread = spread.filter(pl.col("question_id") == str(question_id))
    if benchmark is not None:
        spread = spread.filter(pl.col("benchmark") == benchmark)
    # Two benchmarks may have questions of one id.
    if not spread.height:
        near = nearest(question_id, rows["question_id"].unique().sort())
        of = f" of {benchmark!r}" if benchmark is not None else ""
        raise ValueError(f"no record is of the question {question_id!r}{of}{near}")
    one = spread.select(QUESTION).head(1)
    rows = rows.join(one, on=QUESTION, nulls_equal=True).sort(["context", "sample"])
    answers = rows.select(name for name in SampleGiven.__slots__ if name in rows.columns)
    options = rows["options"][0]
    return OneQuestion(
        rows["question_id"][0],
        rows["benchmark"][0],
        rows["target"][0],
        None if options is None else tuple(options),
        tuple(SampleGiven(**row) for row in answers.to_dicts()),
    )


def compute(case: Case) -> OneQuestion:
    """Return the question with most different answers."""
    return one_question(case.records)


def tell(results: Mapping[str, OneQuestion]) -> str:
    """Return the section."""
    lines = []
    for model, result in results.items():
        answers = " ".join(sample.given or "–" for sample in result.samples)
        lines.append(f"- {model}, question {result.question_id} (right: {result.target}): {answers}")
    return "The question with most different answers, sample by sample.\n\n" + "\n".join(lines)
