"""Model-written evaluations (Perez et al. 2023): JSON lines of human_generated_evals."""

import itertools
import re

from hotmess_jax.llm.benchmarks.question import LABELS, Question, RowError, make_question
from hotmess_jax.llm.benchmarks.rows import Row, Rows, field, files, json_rows, lazily

# Some files write out "Question:" and "Answer:", others do not.
_LAYOUT = re.compile(
    r"(?:Question:\s*)?(?P<text>.*?)\n+\s*Choices:\s*\n(?P<options>.*?)(?:\n+\s*Answer:)?\s*", re.DOTALL
)
_OPTION = re.compile(r"(?:^|\n)\s*\(([A-Z])\)")
_LABEL = re.compile(r"\s*\(([A-Z])\)\s*")


def rows(data: str) -> Rows:
    """Yield the rows of model-written evaluations; a question's topic is its file's name.

    Raises:
        ValueError: where nothing can be read.
    """
    read = (json_rows(path) for path in files(data, "*.jsonl"))
    return lazily(_question, itertools.chain.from_iterable(read))


def _question(row: Row) -> Question:
    layout = _LAYOUT.fullmatch(field(row, "question"))
    if layout is None:
        raise RowError("the question has no block of choices")
    before, *parts = _OPTION.split(layout["options"])
    labels, options = parts[::2], parts[1::2]
    if before.strip() or "".join(labels) != LABELS[: len(labels)]:
        raise RowError(f"choices are not labelled A, B, … in order: {labels}")
    matching = field(row, "answer_matching_behavior")
    label = _LABEL.fullmatch(matching)
    if label is None or label[1] not in labels:
        raise RowError(f"answer_matching_behavior {matching!r} is not among the choices {labels}")
    return make_question("mwe", layout["text"], options, labels.index(label[1]), row.stem)
