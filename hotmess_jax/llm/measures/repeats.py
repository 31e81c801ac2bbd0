"""What people report of repeated runs: pass@k, pass^k, majority votes, agreement, a run's spread."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from pydantic_core import CoreSchema

from hotmess_jax.llm.measures.clusters import among, clusters_of
from hotmess_jax.llm.measures.samples import QUESTION, Unparsed
from hotmess_jax.llm.measures.successes import SUCCESS
from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.statistics.intervals import Clusters, mean_interval
from hotmess_jax.statistics.json_form import json_form
from kernels.successes import agreement, majority_vote, pass_at_k, pass_hat_k, sample_variance

# The largest k of a majority vote: the work grows with its cube.
MOST_VOTES = 64
FRACTIONS = "outcomes are fractions: none is right or wrong"
NO_ANSWERS = "only right or wrong is known, not what was answered"


@dataclass(frozen=True, slots=True)
class Repeats:
    """Means over the questions that have enough samples, each an unbiased estimate.

    The estimates count the questions they are of; all others are left out for having fewer samples.
    """

    questions: int  # with one sample or more
    accuracy: Estimate
    # Of k = 1, 2, … to the number of samples; none where outcomes are fractions.
    pass_at_k: tuple[Estimate, ...]
    pass_hat_k: tuple[Estimate, ...]
    # The majority of k answers, ties shared; none where answers are not known.
    majority: tuple[Estimate, ...]
    # The chance that two samples give the same answer, and that both are right or both wrong.
    agreement_of_answers: Estimate | None
    agreement_of_right: Estimate | None
    # The standard deviation of the accuracy between runs that ask each of these questions once.
    run_spread: Estimate | None
    # Why there is no pass@k, and no majority; None where there is.
    no_pass: str | None
    no_majority: str | None

    def left_out(self, of: Estimate) -> int:
        """Return how many questions have too few samples for an estimate."""
        return self.questions - of.counted

    def to_json(self) -> dict[str, Any]:
        """Return the estimates as JSON values, those of several k by k as text."""

        def one(of: Estimate | None) -> dict[str, Any] | None:
            return None if of is None else of.to_json() | {"left_out": self.left_out(of)}

        def by_k(of: Sequence[Estimate]) -> dict[str, Any]:
            return {str(k): one(estimate) for k, estimate in enumerate(of, start=1)}

        return {
            "questions": self.questions,
            "accuracy": one(self.accuracy),
            "pass_at_k": by_k(self.pass_at_k),
            "pass_hat_k": by_k(self.pass_hat_k),
            "majority": by_k(self.majority),
            "agreement": {
                "answers": one(self.agreement_of_answers),
                "right": one(self.agreement_of_right),
            },
            "run_spread": one(self.run_spread),
            "no_pass": self.no_pass,
            "no_majority": self.no_majority,
        }

    @classmethod
    def of_json(cls, value: Any) -> "Repeats":
        """Return what JSON values say.

        Raises:
            ValueError: where a name is missing, what should be an estimate is none, or k does not count from 1.
        """
        try:
            agreement = value["agreement"]
            return cls(
                int(value["questions"]),
                Estimate.of_json(value["accuracy"]),
                _by_k_of(value, "pass_at_k"),
                _by_k_of(value, "pass_hat_k"),
                _by_k_of(value, "majority"),
                _perhaps(agreement["answers"]),
                _perhaps(agreement["right"]),
                _perhaps(value["run_spread"]),
                value["no_pass"],
                value["no_majority"],
            )
        except KeyError as error:
            raise ValueError(f"what k samples do has no {error.args[0]}") from None
        except TypeError as error:
            raise ValueError(f"no document of what k samples do ({error})") from None

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: Any) -> CoreSchema:
        return json_form(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: Any) -> dict[str, Any]:
        one = dict(Estimate.__get_pydantic_json_schema__(core, handler))
        one["properties"] = one["properties"] | {"left_out": {"type": "integer"}}
        perhaps = {"anyOf": [one, {"type": "null"}]}
        text = {"anyOf": [{"type": "string"}, {"type": "null"}]}
        by_k = {"type": "object", "additionalProperties": one}
        both = {"answers": perhaps, "right": perhaps}
        agreement = {"type": "object", "properties": both, "required": list(both)}
        properties = {
            "questions": {"type": "integer"},
            "accuracy": one,
            **dict.fromkeys(("pass_at_k", "pass_hat_k", "majority"), by_k),
            "agreement": agreement,
            "run_spread": perhaps,
            **dict.fromkeys(("no_pass", "no_majority"), text),
        }
        return {"type": "object", "properties": properties, "required": list(properties)}


def _by_k_of(value: Mapping[str, Any], name: str) -> tuple[Estimate, ...]:
    """Return estimates of k = 1, 2, … from JSON values by k as text."""
    by_k = value[name]
    if list(by_k) != [str(k) for k in range(1, len(by_k) + 1)]:
        raise ValueError(f"{name} is not of k = 1, 2, …: {', '.join(by_k)}")
    return tuple(map(Estimate.of_json, by_k.values()))


def _perhaps(value: Any) -> Estimate | None:
    return None if value is None else Estimate.of_json(value)


class Successes(NamedTuple):
    """The questions that have a sample: which samples are right, and how many give each answer."""

    table: pl.DataFrame  # who the questions are
    right: Float[np.ndarray, "questions samples"]  # 0 to 1; 0 where there is no sample
    present: Bool[np.ndarray, "questions samples"]
    # Of each option, the right one first; None where a question has no options.
    answers: Int[np.ndarray, "questions classes"] | None
    # Samples that name no option.
    silent: Int[np.ndarray, " questions"]


def successes(records: pl.DataFrame, unparsed: Unparsed) -> Successes:
    """Return which samples of each question are right.

    By the answer, where there are options; by all tests passing; else by the outcome alone.

    Args:
        records: of one model, from `read_records`.
        unparsed: as in `to_samples`: with `drop` an answer that could not be parsed is no sample; else it is
            wrong, and votes for nothing, or with `wrong` for a class of its own.

    Raises:
        ValueError: where no question has a sample, or not one answer could be read.
    """
    tally = _Tally(unparsed)
    names = [*QUESTION, "options", "target", "answer", "probs", "tests", "outcome"]
    columns = [
        records[name].to_list() if name in records.columns else [None] * records.height
        for name in names
    ]
    for benchmark, question, *of in zip(*columns, strict=True):
        tally.add((benchmark, question), *of)
    if not tally.readable:
        raise ValueError(f"none of {records.height} answers could be read")
    if not tally.right:
        raise ValueError("no question has a sample that counts")
    numbers = np.asarray([len(of) for of in tally.right.values()])
    values = np.zeros((len(numbers), numbers.max()))
    present = np.arange(numbers.max()) < numbers[:, None]
    values[present] = [value for of in tally.right.values() for value in of]
    counted = tally.counted()
    silent = numbers - (0 if counted is None else counted.sum(axis=1))
    who = pl.DataFrame(
        {
            "benchmark": pl.Series([benchmark for benchmark, _ in tally.right], dtype=pl.String),
            "question_id": [question for _, question in tally.right],
        }
    )
    return Successes(who, values, present, counted, silent)


@dataclass
class _Tally:
    """What is counted of each question, record by record."""

    unparsed: Unparsed
    # Whether any answer could be read.
    readable: bool = False
    # By which share each sample is right.
    right: dict[tuple, list[float]] = field(default_factory=dict)
    # How many samples give each option, the right one first; None where there are no options.
    answers: dict[tuple, dict[str, int] | None] = field(default_factory=dict)

    def add(
        self,
        key: tuple,
        options: Sequence[str] | None,
        target: str | None,
        answer: str | None,
        probs: str | None,
        tests: str | None,
        outcome: float | None,
    ) -> None:
        """Count a record of a question."""
        self.readable |= options is None or probs is not None or bool(answer) or outcome is not None
        if options is None or (outcome is not None and tuple(options) == SUCCESS):
            right = outcome if tests is None else all(json.loads(tests).values())
            assert right is not None
            self.right.setdefault(key, []).append(float(right))
            self.answers[key] = None
            return
        # What has options has a target among them.
        assert target is not None
        given, share = _given(answer, probs, target)
        if given is None and probs is None:
            if self.unparsed == "drop":
                return
            given = "" if self.unparsed == "wrong" else None
        self.right.setdefault(key, []).append(share)
        # The right option leads, and there is a place for each other, and for a class of its own.
        empty = dict.fromkeys([target, *(o for o in options if o != target), ""], 0)
        counts = self.answers.setdefault(key, empty)
        assert counts is not None
        if given is not None:
            counts[given] += 1

    def counted(self) -> Int[np.ndarray, "questions classes"] | None:
        """Return how many samples give each option; None where a question has no options."""
        rows = [list(of.values()) for of in self.answers.values() if of is not None]
        if len(rows) < len(self.right):
            return None
        found = np.zeros((len(rows), max(map(len, rows))), int)
        for i, row in enumerate(rows):
            found[i, : len(row)] = row
        return found


def _given(answer: str | None, probs: str | None, target: str) -> tuple[str | None, float]:
    """Return the option that a sample names, and by which share it is right.

    Where several options are the most probable it names none, and is right by the target's share of them.
    """
    if probs is None:
        return answer or None, float(answer == target)
    given: dict[str, float] = json.loads(probs)
    most = max(given.values())
    leading = [label for label, p in given.items() if p == most]
    return leading[0] if len(leading) == 1 else None, (target in leading) / len(leading)


def repeats(
    records: pl.DataFrame, unparsed: Unparsed = "uniform", cluster: str | None = None
) -> Repeats:
    """Return what k samples of each question would do, for every k there are samples for.

    Args:
        records: of one model at one setting, from `read_records`.
        unparsed: as in `successes`.
        cluster: a field whose values are clusters of questions; intervals are then over clusters.

    Raises:
        ValueError: where no question has a sample.
    """
    of = successes(records, unparsed)
    # In double precision, whatever the caller's: binomial coefficients need it.
    with jax.enable_x64(True):
        return repeats_of(of, clusters_of(records, of.table, cluster))


def repeats_of(of: Successes, clusters: Clusters = None) -> Repeats:
    """Return the same of successes."""
    numbers = of.present.sum(axis=1)
    fractions = bool((of.answers is None) and ((of.right > 0) & (of.right < 1)).any())
    some, every = (
        np.empty((len(numbers), 0)) if fractions else np.asarray(f(of.right, of.present))
        for f in (pass_at_k, pass_hat_k)
    )
    shares = of.right.sum(axis=1) / numbers
    spread = _mean(np.asarray(sample_variance(of.right, of.present)), 0.5, clusters)
    agree = None
    if not fractions:
        counts = np.stack([of.right.sum(axis=1), numbers - of.right.sum(axis=1)], axis=1)
        # Samples that are right by a chance agree with no other for certain.
        whole = bool((counts == counts.round()).all())
        agree = (
            _mean(np.asarray(agreement(counts.round().astype(int))), 1.0, clusters) if whole else None
        )
    accuracy = _mean(shares, 1.0, clusters)
    assert accuracy is not None
    return Repeats(
        len(numbers),
        accuracy,
        _by_k(some, clusters),
        _by_k(every, clusters),
        () if of.answers is None else _by_k(_majorities(of), clusters),
        None
        if of.answers is None
        else _mean(np.asarray(agreement(of.answers, of.silent)), 1.0, clusters),
        agree,
        None if spread is None else _of_a_run(spread),
        FRACTIONS if fractions else None,
        NO_ANSWERS if of.answers is None else None,
    )


def _majorities(of: Successes) -> Float[np.ndarray, "questions k"]:
    """Return each question's chance that the majority of k is right; questions of equal counts once."""
    assert of.answers is not None
    most = min(int(of.present.sum(axis=1).max()), MOST_VOTES)
    # Which wrong option has which count does not matter.
    wrong = np.sort(of.answers[:, 1:], axis=1)
    rows = np.concatenate([of.answers[:, :1], of.silent[:, None], wrong], axis=1)
    unique, place = np.unique(rows, axis=0, return_inverse=True)
    # Whole batches, so that groups of like questions share what is compiled.
    batch = 64
    padded = np.pad(unique, ((0, -len(unique) % batch), (0, 0)))
    vote = jax.vmap(lambda row: majority_vote(row[0], row[2:], row[1], most))
    found = [np.asarray(vote(padded[i : i + batch])) for i in range(0, len(padded), batch)]
    return np.concatenate(found)[place.ravel()]


def _by_k(values: Float[np.ndarray, "questions k"], clusters: Clusters) -> tuple[Estimate, ...]:
    return tuple(found for column in values.T if (found := _mean(column, 1.0, clusters)) is not None)


def _mean(values: Float[np.ndarray, " questions"], most: float, clusters: Clusters) -> Estimate | None:
    """Return the mean over the questions that have a value; None where none has."""
    has = ~np.isnan(values)
    known, clusters = values[has], among(clusters, has)
    if not len(known):
        return None
    ends = None
    if len(known) > 1:
        low, high = mean_interval(known, most, clusters)
        ends = Interval(float(low), float(high)) if np.isfinite([low, high]).all() else None
    return Estimate(float(known.mean()), ends, "questions", len(known))


def _of_a_run(variance: Estimate) -> Estimate:
    """Return the standard deviation of a mean of single samples, one of each question."""
    low, high = (None, None) if variance.ci95 is None else variance.ci95
    ends = None
    if low is not None and high is not None:
        ends = Interval(*(float(np.sqrt(end / variance.counted)) for end in (low, high)))
    return Estimate(
        float(np.sqrt(variance.known / variance.counted)), ends, "questions", variance.counted
    )
