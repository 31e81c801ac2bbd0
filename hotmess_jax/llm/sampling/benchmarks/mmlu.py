"""MMLU: the hub's, Hendrycks' CSVs, and MMLU-Redux' CSVs with their known-wrong labels."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from hotmess_jax.llm.sampling.benchmarks.question import LABELS, Question, RowError, make_question
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

# Gema et al. 2025, "Are We Done with MMLU?": what is wrong with a question, as its annotators wrote it.
ERROR_TYPES = {
    "ok",
    "bad_question_clarity",
    "bad_options_clarity",
    "no_correct_answer",
    "multiple_correct_answers",
    "wrong_groundtruth",
    "expert",
}


def rows(data: str) -> Rows:
    """Yield MMLU's rows, of whichever form `data` has.

    Raises:
        ValueError: where nothing can be read.
    """
    if on_a_hub(data):
        return lazily(_from_hub, hub_rows(data, "all", "test"))
    found = files(data, "*.csv")
    # Of Hendrycks' folders, the test questions.
    found = [path for path in found if path.stem.endswith("_test")] or found
    return itertools.chain.from_iterable(_file_rows(path) for path in found)


def _file_rows(path: Path) -> Rows:
    if _is_redux(path):
        return lazily(_from_redux, csv_rows(path, header=True))
    return lazily(_from_hendrycks, csv_rows(path, header=False))


def _is_redux(path: Path) -> bool:
    first: Iterator[Row] = csv_rows(path, header=False)
    names = {str(name).strip() for row in itertools.islice(first, 1) for name in row.fields.values()}
    return {"question", "choices", "answer"} <= names


def _from_hub(row: Row) -> Question:
    choices, answer = row.fields.get("choices"), row.fields.get("answer")
    if not isinstance(choices, list) or not isinstance(answer, int):
        raise RowError(f"has choices {choices!r} and answer {answer!r}")
    return make_question("mmlu", field(row, "question"), choices, answer, field(row, "subject"))


def _from_hendrycks(row: Row) -> Question:
    values = list(row.fields.values())
    if len(values) != 6:
        raise RowError(f"has {len(values)} columns instead of 6")
    text, *options, letter = values
    if letter.strip() not in LABELS[:4] or not letter.strip():
        raise RowError(f"the answer must be a letter of A to D, got {letter!r}")
    topic = re.sub(r"_(test|val|dev)$", "", row.stem)
    return make_question("mmlu", text, options, LABELS.index(letter.strip()), topic)


def _from_redux(row: Row) -> Question:
    try:
        choices = ast.literal_eval(field(row, "choices"))
    except (ValueError, SyntaxError):
        choices = None
    if not isinstance(choices, list):
        raise RowError(f"choices are no list: {field(row, 'choices')[:80]!r}")
    answer = field(row, "answer").strip()
    if not re.fullmatch(r"\d+", answer):
        raise RowError(f"the answer must be a number, got {answer!r}")
    error_type = "_".join(field(row, "error_type").lower().split())
    if error_type not in ERROR_TYPES:
        raise RowError(f"error_type {row.fields['error_type']!r} is not known: have columns shifted?")
    extra = {"error_type": error_type, "correct_answer": row.fields.get("correct_answer") or ""}
    options = [str(choice) for choice in choices]
    topic = row.stem.removeprefix("mmlu_")
    return make_question("mmlu", field(row, "question"), options, int(answer), topic, extra=extra)
