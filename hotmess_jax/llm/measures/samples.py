"""Records as arrays: the samples of one model, question by question."""

import json
from collections.abc import Sequence
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
    columns = [*QUESTION, "context", "options", "target", "answer", "probs"]
    lists = {name: rows[name].to_list() for name in columns} | {"row": places_given.tolist()}
    distributions = [None if text is None else json.loads(text) for text in lists["probs"]]
    step = stated_step([p for of in distributions if of is not None for p in of.values()])
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
        contexts: list[int | None] = []
        floors: list[float] = []
        hits = 0.0
        for i in range(first, after):
            answer = _answer(lists["answer"][i], distributions[i], labels, classes)
            if answer is None:
                blank += 1
                if unparsed == "drop":
                    continue
                answer = [1 / classes] * classes if unparsed == "uniform" else classes - 1
            else:
                hits += _right(answer, target)
            floors.append(step / 2 if step and distributions[i] is not None else 0.0)
            answers.append(answer)
            places.append(lists["row"][i])
            contexts.append(lists["context"][i])
        if len(answers) >= 2:
            rows_of = _Rows(len(who), target, answers, places, context_indices(contexts), floors)
            by_classes.setdefault(classes, []).append(rows_of)
        who.append(keys[first])
        right.append(hits / (len(answers) if len(answers) >= 2 else after - first))
        first = after
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
