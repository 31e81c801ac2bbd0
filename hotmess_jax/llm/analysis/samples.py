"""Records as arrays: the samples of one model, question by question."""

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

Unparsed = Literal["uniform", "drop", "wrong"]
QUESTION = ["benchmark", "question_id"]


class Block(NamedTuple):
    """Questions with one number of classes, as arrays."""

    probs: Float[np.ndarray, "questions samples classes"]
    target: Int[np.ndarray, " questions"]
    present: Bool[np.ndarray, "questions samples"]
    # The questions' rows in `Samples.table`, and the samples' in the records; −1 where there is none.
    question: Int[np.ndarray, " questions"]
    record: Int[np.ndarray, "questions samples"]


class Samples(NamedTuple):
    """A group's questions as arrays, and what was counted on the way."""

    blocks: list[Block]
    # A row a question, also of those that are in no block: who it is, samples, accuracy.
    table: pl.DataFrame
    samples: int
    unparsed: float

    @property
    def questions(self) -> int:
        """How many there are, with those that are left out."""
        return self.table.height

    @property
    def left_out(self) -> int:
        """Questions with fewer than two samples, which are in no decomposition."""
        return self.questions - sum(len(block.target) for block in self.blocks)

    @property
    def accuracy(self) -> float:
        """The mean over questions of the share of samples that are right."""
        return float(self.table["accuracy"].to_numpy().mean())


def to_samples(records: pl.DataFrame, unparsed: Unparsed) -> Samples:
    """Bring one model's records to arrays, question by question.

    Args:
        records: of one model, from `read_records`.
        unparsed: what an answer that could not be parsed is: a uniform distribution over the options,
            no sample at all, or a class of its own, which is always wrong.
    """
    columns = [*QUESTION, "context", "sample", "options", "target", "answer", "probs"]
    rows = records.select(columns).with_row_index("row").sort([*QUESTION, "context", "sample"])
    lists = {name: rows[name].to_list() for name in ("row", *columns)}
    by_classes: dict[int, list[_Rows]] = {}
    who: list[tuple[str | None, str]] = []
    right: list[float] = []
    blank = 0
    first = 0
    keys = list(zip(lists["benchmark"], lists["question_id"], strict=True))
    while first < len(keys):
        after = first + 1
        while after < len(keys) and keys[after] == keys[first]:
            after += 1
        options = lists["options"][first]
        classes = len(options) + (unparsed == "wrong")
        labels = {label: i for i, label in enumerate(options)}
        target = labels[lists["target"][first]]
        answers: list[int | list[float]] = []
        places: list[int] = []
        hits = 0
        for i in range(first, after):
            answer = _answer(lists["answer"][i], lists["probs"][i], labels, classes)
            if answer is None:
                blank += 1
                if unparsed == "drop":
                    continue
                answer = [1 / classes] * classes if unparsed == "uniform" else classes - 1
            else:
                hits += (answer if isinstance(answer, int) else answer.index(max(answer))) == target
            answers.append(answer)
            places.append(lists["row"][i])
        if len(answers) >= 2:
            by_classes.setdefault(classes, []).append(_Rows(len(who), target, answers, places))
        who.append(keys[first])
        right.append(hits / (after - first))
        first = after
    table = pl.DataFrame(
        {
            "benchmark": pl.Series([benchmark for benchmark, _ in who], dtype=pl.String),
            "question_id": [question for _, question in who],
            "accuracy": right,
        }
    )
    return Samples(
        [_block(classes, questions) for classes, questions in by_classes.items()],
        table,
        records.height,
        blank / records.height,
    )


class _Rows(NamedTuple):
    """A question: its row, the right class, each sample's class or distribution, and its row."""

    question: int
    target: int
    answers: list[int | list[float]]
    places: list[int]


def _answer(
    answer: str | None, probs: str | None, labels: dict[str, int], classes: int
) -> int | list[float] | None:
    """Return a sample's class, or its distribution over the classes; None where it was not parsed."""
    if probs is not None:
        row = [0.0] * classes
        for label, p in json.loads(probs).items():
            row[labels[label]] = p
        return row
    return labels[answer] if answer else None


def _block(classes: int, questions: Sequence[_Rows]) -> Block:
    most = max(len(of.answers) for of in questions)
    probs = np.zeros((len(questions), most, classes))
    present = np.zeros(probs.shape[:2], bool)
    record = np.full(probs.shape[:2], -1)
    one_hot: list[tuple[int, int, int]] = []
    for i, of in enumerate(questions):
        present[i, : len(of.answers)] = True
        record[i, : len(of.answers)] = of.places
        for j, answer in enumerate(of.answers):
            if isinstance(answer, int):
                one_hot.append((i, j, answer))
            else:
                probs[i, j] = answer
    if one_hot:
        probs[tuple(np.asarray(one_hot).T)] = 1
    return Block(
        probs,
        np.asarray([of.target for of in questions]),
        present,
        np.asarray([of.question for of in questions]),
        record,
    )
