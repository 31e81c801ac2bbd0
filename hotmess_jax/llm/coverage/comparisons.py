"""Comparisons in simulations of known truth: against length, format failures, the survey."""

import functools
import itertools

import numpy as np
import polars as pl

from hotmess_jax.llm.analyses import (
    AnalysisSettings,
    by_measured_field,
    format_failures,
    questions_of,
)
from hotmess_jax.llm.survey import Ranking, Survey, analyse
from hotmess_jax.statistics.coverage import Kind, Seen, Simulation

SETTINGS = AnalysisSettings("brier", resamples=200)


def _records(answers: np.ndarray, **fields: np.ndarray) -> pl.DataFrame:
    """Return records of two options, of which A is right, from answers `[questions, samples]`."""
    questions, samples = answers.shape
    count = answers.size
    return pl.DataFrame(
        {
            "benchmark": pl.Series([None] * count, dtype=pl.String),
            "question_id": np.repeat([f"q{i:04}" for i in range(questions)], samples),
            "context": pl.Series([None] * count, dtype=pl.Int64),
            "sample": np.tile(np.arange(samples), questions),
            "model": ["m"] * count,
            "options": pl.Series([["A", "B"]] * count, dtype=pl.List(pl.String)),
            "target": ["A"] * count,
            "answer": answers.ravel(),
            "probs": pl.Series([None] * count, dtype=pl.String),
        }
        | {name: value.ravel() for name, value in fields.items()}
    )


def _length(seed: int, runs: int) -> list[Seen]:
    """Questions that are all the same: halves by length, which do not differ."""
    decompose = functools.partial(questions_of, settings=SETTINGS)
    seen = []
    for own, questions, samples in itertools.product((0.0, 0.3), (40, 100), (4, 10)):
        case = f"no effect, spread of lengths {own}, {questions} questions, {samples} samples"
        random = np.random.default_rng(seed)
        values, covered = [], []
        for _ in range(runs):
            right = random.random((questions, samples)) < 0.6
            length = np.exp(
                own * random.normal(size=(questions, 1)) + 0.1 * random.normal(size=right.shape)
            )
            length = length * np.where(right, 1, 1.5)
            records = _records(np.where(right, "A", "B"), output_tokens=length)
            found = by_measured_field(records, "output_tokens", decompose, SETTINGS, (5,))
            half = found["corrected"]["halves"]["incoherence"]
            if half["value"] is not None and None not in half["ci95"]:
                values.append(half["value"])
                covered.append(half["ci95"][0] <= 0 <= half["ci95"][1])
        printed = "halves by length, incoherence, corrected"
        without = runs - len(values)
        spread = float(np.std(values))
        seen.append(Seen(printed, case, "bias", float(np.mean(values)), len(values), without, spread))
        seen.append(Seen(printed, case, "coverage", float(np.mean(covered)), len(values), without))
    return seen


def _failures(seed: int, runs: int) -> list[Seen]:
    """Samples of one question fail together: a question's share is beta-distributed."""
    seen = []
    for (a, b), questions, samples in itertools.product(
        ((0.2, 1.8), (0.05, 0.95), (2.0, 18.0)), (20, 100, 500), (3, 10)
    ):
        random = np.random.default_rng(seed)
        covered = 0
        for _ in range(runs):
            share = random.beta(a, b, size=(questions, 1))
            failed = random.random((questions, samples)) < share
            (found,) = format_failures(_records(np.where(failed, "", "A")))
            low, high = found["share"]["ci95"]
            covered += low <= a / (a + b) <= high
        case = f"shares beta({a}, {b}), {questions} questions, {samples} samples"
        seen.append(Seen("share that could not be parsed", case, "coverage", covered / runs, runs))
    return seen


def _survey(seed: int, runs: int) -> list[Seen]:
    """Entities' true values are correlated, and raters see them with noise."""
    seen = []
    for rho, entities, raters, noise in itertools.product((0.0, 0.6), (15, 30), (5, 12), (0.5, 2.0)):
        random = np.random.default_rng(seed)
        true = 6 / np.pi * np.arcsin(rho / 2)
        covered, rejected, without = 0, 0, 0
        for run in range(runs):
            values = random.multivariate_normal([0, 0], [[1, rho], [rho, 1]], entities).T
            rankings = []
            for sign, question, value in zip(
                (1, -1), ("intelligence", "coherence"), values, strict=True
            ):
                for rater in range(raters):
                    order = np.argsort(-sign * (value + noise * random.normal(size=entities)))
                    names = tuple(f"e{e:02}" for e in order)
                    rankings.append(Ranking(f"{question}{rater}", question, names))
            survey = Survey(rankings, {f"e{e:02}": "" for e in range(entities)})
            found = analyse(survey, 199, run)["correlations"]["all"]
            low, high = found["corrected"]["ci95"]
            rejected += found["p"] <= 0.05
            if low is None:
                without += 1
            else:
                covered += low <= true <= high
        case = f"true ρ {rho}, {entities} entities, {raters} raters, noise {noise}"
        kept = max(runs - without, 1)
        seen.append(Seen("survey's ρ, corrected", case, "coverage", covered / kept, kept, without))
        kind: Kind = "power" if rho else "size"
        seen.append(Seen("survey's ρ, permutations", case, kind, rejected / runs, runs))
    return seen


SIMULATIONS: tuple[Simulation, ...] = (
    Simulation("length", "halves by length of questions that are all the same", _length, 50),
    Simulation("failures", "format failures of questions that fail together", _failures, 300),
    Simulation("survey", "rankings by raters of entities with a true correlation", _survey, 200),
)
