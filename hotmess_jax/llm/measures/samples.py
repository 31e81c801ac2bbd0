"""Records as arrays: the samples of one model, question by question."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from hotmess_jax.llm.clashes import QUESTION
from hotmess_jax.llm.measures.series import one_series
from kernels.names import check_name

Unparsed = Literal["uniform", "drop", "wrong"]


class Block(NamedTuple):
    """Questions with one number of classes, as arrays."""

    probs: Float[np.ndarray, "questions samples classes"]
    target: Int[np.ndarray, " questions"]
    present: Bool[np.ndarray, "questions samples"]
    # The questions' rows in `Samples.table`, and the samples' in the records; −1 where there is none.
    question: Int[np.ndarray, " questions"]
    record: Int[np.ndarray, "questions samples"]
    # Which of its question's contexts each sample is of, from 0 on; −1 where there is none.
    context: Int[np.ndarray, "questions samples"]
    # The least probability that each sample may mean, half of the step it was stated in; 0 where none is known.
    floor: Float[np.ndarray, "questions samples"] | None = None

    def floored(self) -> Float[np.ndarray, "questions samples classes"]:
        """Return the probabilities that a logarithm may be taken of: a stated 0 is less than half a step."""
        if self.floor is None or not self.floor.any():
            return self.probs
        raised = np.maximum(self.probs, self.floor[..., None])
        total = raised.sum(axis=-1, keepdims=True)
        return raised / np.where(total > 0, total, 1)


class Samples(NamedTuple):
    """A group's questions as arrays, and what was counted on the way."""

    blocks: list[Block]
    # A row a question, also of those that are in no block: who it is, samples, accuracy.
    table: pl.DataFrame
    samples: int
    unparsed: float
    # Whether any record says which context it is of.
    contexts: bool = False
    # The step in which probabilities were stated; None where there are none, or they are not in steps.
    step: float | None = None

    @property
    def questions(self) -> int:
        """How many there are, with those that are left out."""
        return self.table.height

    @property
    def left_out(self) -> int:
        """Questions with fewer than two samples, which are in no decomposition."""
        return self.questions - sum(len(block.target) for block in self.blocks)

    @property
    def why_none(self) -> str:
        """Why no question is decomposed, where none is."""
        if self.unparsed == 1:
            return f"none of {self.samples} answers could be read: there is no distribution of them"
        return "no question has two samples"

    @property
    def kept(self) -> Bool[np.ndarray, " questions"]:
        """Which questions are in a decomposition: those with two samples or more."""
        found = np.zeros(self.questions, bool)
        for block in self.blocks:
            found[block.question] = True
        return found

    @property
    def accuracy(self) -> float:
        """The mean share of samples that are right, over the questions that are decomposed.

        Over all of them where none is.
        """
        accuracy = self.table["accuracy"].to_numpy()
        return float((accuracy[self.kept] if self.blocks else accuracy).mean())

    @property
    def least(self) -> int:
        """The least number of samples of any question that is decomposed; 0 where none is."""
        return min((int(block.present.sum(axis=1).min()) for block in self.blocks), default=0)


def to_samples(records: pl.DataFrame, unparsed: Unparsed) -> Samples:
    """Bring one model's records to arrays, question by question.

    Args:
        records: of one model and setting, as `read_records` gives them; in any order.
        unparsed: what an answer that could not be parsed is: a uniform distribution over the options,
            no sample at all, or a class of its own, which is always wrong. A question's accuracy is over
            the same samples as its errors; where several options are the most probable, a sample is
            right by the share that is the target's. Where not one answer could be read no question is
            decomposed, whatever they are: what they would be alike in is what was made of them.

    Raises:
        ValueError: for another name, records of several models or settings, those without options, and
            for what `records.checked` refuses.
    """
    check_name("unparsed", unparsed, get_args(Unparsed))
    rows, places_given = one_series(records)
    if without := rows["options"].null_count():
        raise ValueError(
            f"{without} of {rows.height} records have no options: there is no choice to decompose"
        )
    given = _given(rows, places_given.tolist())
    by_classes: dict[int, list[_Rows]] = {}
    who: list[tuple[str | None, str]] = []
    right: list[float] = []
    blank = 0
    for key, of_key in groupby(range(rows.height), key=given.keys.__getitem__):
        found = _question(len(who), list(of_key), given, unparsed)
        blank += found.blank
        if len(found.rows.answers) >= 2:
            by_classes.setdefault(found.classes, []).append(found.rows)
        who.append(key)
        right.append(found.right)
    table = pl.DataFrame(
        {
            "benchmark": pl.Series([benchmark for benchmark, _ in who], dtype=pl.String),
            "question_id": [question for _, question in who],
            "accuracy": right,
        }
    )
    readable = by_classes if blank < rows.height else {}
    return Samples(
        [_block(classes, questions) for classes, questions in readable.items()],
        table,
        rows.height,
        blank / rows.height,
        rows["context"].null_count() < rows.height,
        given.step,
    )


class _Given(NamedTuple):
    """Records as lists, those of a question side by side."""

    keys: list[tuple[str | None, str]]
    context: list[int | None]
    options: list[list[str]]
    target: list[str]
    answer: list[str | None]
    probs: list[dict[str, float] | None]
    # Their rows in the table that was given.
    row: list[int]
    # As in `Samples`.
    step: float | None


def _given(rows: pl.DataFrame, places: list[int]) -> _Given:
    probs = [None if text is None else json.loads(text) for text in rows["probs"].to_list()]
    step = stated_step([p for of in probs if of is not None for p in of.values()])
    return _Given(
        list(zip(*(rows[name].to_list() for name in QUESTION), strict=True)),
        rows["context"].to_list(),
        rows["options"].to_list(),
        rows["target"].to_list(),
        rows["answer"].to_list(),
        probs,
        places,
        step,
    )


class _Rows(NamedTuple):
    """A question: its row, the right class, each sample's class or distribution, row, context and floor."""

    question: int
    target: int
    answers: list[int | list[float]]
    places: list[int]
    contexts: list[int]
    floors: list[float]


class _Question(NamedTuple):
    """A question's samples, its number of classes and accuracy, and how many answers were not parsed."""

    rows: _Rows
    classes: int
    right: float
    blank: int


def _question(place: int, records: Sequence[int], given: _Given, unparsed: Unparsed) -> _Question:
    """Return the question that some records are of; `place` is its row in the table."""
    options = given.options[records[0]]
    classes = len(options) + (unparsed == "wrong")
    labels = {label: i for i, label in enumerate(options)}
    found = _Rows(place, labels[given.target[records[0]]], [], [], [], [])
    contexts: list[int | None] = []
    hits, blank = 0.0, 0
    for i in records:
        answer = _answer(given.answer[i], given.probs[i], labels, classes)
        if answer is None:
            blank += 1
            if unparsed == "drop":
                continue
            answer = [1 / classes] * classes if unparsed == "uniform" else classes - 1
        else:
            hits += _right(answer, found.target)
        found.floors.append(given.step / 2 if given.step and given.probs[i] is not None else 0.0)
        found.answers.append(answer)
        found.places.append(given.row[i])
        contexts.append(given.context[i])
    known = len(found.answers) if len(found.answers) >= 2 else len(records)
    found.contexts.extend(context_indices(contexts))
    return _Question(found, classes, hits / known, blank)


# Steps that people and models state probabilities in.
STEPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
IN_STEPS = 0.9


def stated_step(values: Sequence[float]) -> float | None:
    """Return the step in which probabilities were stated, estimated from them.

    The coarsest of `STEPS` of which nine in ten of the values that are neither 0 nor 1 are multiples (those
    whose sum had to be brought to 1 are not). None where there is no such value or step: then zeros are
    taken for what they say.
    """
    stated = np.asarray(values)
    stated = stated[(stated > 0) & (stated < 1)]
    if not len(stated):
        return None
    for step in STEPS:
        if (np.abs(stated / step - np.round(stated / step)) < 1e-6).mean() >= IN_STEPS:
            return step
    return None


def _right(answer: int | list[float], target: int) -> float:
    if isinstance(answer, int):
        return float(answer == target)
    most = max(answer)
    return (answer[target] == most) / answer.count(most)


def _answer(
    answer: str | None, probs: dict[str, float] | None, labels: dict[str, int], classes: int
) -> int | list[float] | None:
    """Return a sample's class, or its distribution over the classes; None where it was not parsed."""
    if probs is not None:
        row = [0.0] * classes
        for label, p in probs.items():
            row[labels[label]] = p
        return row
    return labels[answer] if answer else None


def _block(classes: int, questions: Sequence[_Rows]) -> Block:
    most = max(len(of.answers) for of in questions)
    probs = np.zeros((len(questions), most, classes))
    present = np.zeros(probs.shape[:2], bool)
    record, context = np.full(probs.shape[:2], -1), np.full(probs.shape[:2], -1)
    floor = np.zeros(probs.shape[:2])
    one_hot: list[tuple[int, int, int]] = []
    for i, of in enumerate(questions):
        present[i, : len(of.answers)] = True
        record[i, : len(of.answers)] = of.places
        context[i, : len(of.answers)] = of.contexts
        floor[i, : len(of.answers)] = of.floors
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
        context,
        floor,
    )


def context_indices(rows: Sequence[int | None]) -> list[int]:
    """Return the contexts of one question's samples as numbers from 0 on, in order of appearance."""
    known: dict[int | None, int] = {}
    return [known.setdefault(context, len(known)) for context in rows]


def context_sizes(
    present: Bool[np.ndarray, "questions samples"], context: Int[np.ndarray, "questions samples"]
) -> Int[np.ndarray, "questions contexts"]:
    """Return how many samples each question has in each of its contexts."""
    numbers = np.arange(max(int(context.max(initial=0)), 0) + 1)
    return ((context[..., None] == numbers) & present[..., None]).sum(axis=1)


def by_context(
    values: Float[np.ndarray, "questions samples d"],
    present: Bool[np.ndarray, "questions samples"],
    context: Int[np.ndarray, "questions samples"],
) -> tuple[Float[np.ndarray, "questions contexts most d"], Bool[np.ndarray, "questions contexts most"]]:
    """Return samples sorted into their contexts, 0 where a context has fewer, and which there are."""
    sizes = context_sizes(present, context)
    shape = (*sizes.shape, int(sizes.max(initial=1)))
    rows, columns = np.nonzero(present)
    key = rows * shape[1] + context[rows, columns]
    order = np.argsort(key, kind="stable")
    place = np.empty(len(key), int)
    place[order] = np.arange(len(key)) - np.searchsorted(key[order], key[order], side="left")
    found, here = np.zeros((*shape, values.shape[-1])), np.zeros(shape, bool)
    where = rows, context[rows, columns], place
    found[where], here[where] = values[rows, columns], True
    return found, here
