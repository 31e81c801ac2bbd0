"""Simulations of what compares samples, questions, models, contexts and raters."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from scipy import stats

from hotmess_jax.llm.analyses.format_failures import failure_share
from hotmess_jax.llm.analyses.length_correlation import correlation_of_means
from hotmess_jax.llm.analyses.scaling import scaling_of
from hotmess_jax.llm.analyses.surface import surface_of
from hotmess_jax.llm.measures.changes import change_row, changes_of
from hotmess_jax.llm.measures.groups import along_field
from hotmess_jax.llm.measures.halves import compare_halves
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.measures.subsets import Sampled, SampledBlock
from hotmess_jax.llm.survey import QUESTIONS as ASKED
from hotmess_jax.llm.survey import Ranking, Survey, analyse
from hotmess_jax.statistics.coverage import Seen, Simulation, seen_bias, seen_coverage, seen_rejections
from hotmess_jax.statistics.power_laws import fit

Random = np.random.Generator
PERMUTATIONS = 99
LENGTH = "output_tokens"


def two_answers(
    right: Bool[np.ndarray, "questions samples"],
    context: Int[np.ndarray, "questions samples"] | None = None,
) -> Sampled:
    """Return questions with two answers, by which samples are right.

    Where a sample is right with probability g, Brier's bias² is 2 (1 − g)² and its variance 2 g (1 − g).
    """
    block = SampledBlock(
        np.where(right[..., None], 0.0, np.asarray([-1.0, 1.0])),
        np.zeros(len(right), int),
        right * 1.0,
        np.ones(right.shape, bool),
        np.zeros(right.shape, int) if context is None else context,
        np.arange(right.size).reshape(right.shape),
    )
    who = {
        "benchmark": pl.Series([None] * len(right), dtype=pl.String),
        "question_id": [f"q{i:05}" for i in range(len(right))],
    }
    return Sampled("brier", [block], pl.DataFrame(who), 2.0)


def incoherence_of(right: Float[np.ndarray, " questions"]) -> float:
    """Return the true incoherence of two answers that are right with these probabilities."""
    return float((right * (1 - right)).sum() / (1 - right).sum())


def ends_of(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and both ends of their intervals, NaN where there is none.

    Args:
        values: estimates, exponents and the like, each with a value and ci95.
    """
    found = np.asarray([[of.value, *(of.ci95 or (None, None))] for of in values], np.float64)
    return found[:, 0], found[:, 1], found[:, 2]


def settings_of(seed: int) -> AnalysisSettings:
    """Return what the simulations analyse by."""
    return AnalysisSettings("brier", seed=seed)


# Samples' probability to be right in the shorter and in the longer half, question by question.
HALVES: dict[str, Callable[[Random, int], tuple[np.ndarray, np.ndarray]]] = {
    "no difference": lambda random, n: (of := random.uniform(0.2, 0.8, n), of),
    "longer ones are right less often": lambda random, n: (
        of := random.uniform(0.3, 0.9, n),
        of - 0.2,
    ),
    "97 % always right, no difference": lambda random, n: (
        of := np.where(random.random(n) < 0.97, 1, random.random(n)),
        of,
    ),
    "3 % right, no difference": lambda random, n: (of := random.beta(0.3, 9.7, n), of),
}


def longer_and_shorter(seed: int, runs: int) -> list[Seen]:
    """Simulate questions whose longer samples are another mixture of answers, or the same."""
    seen = []
    random = np.random.default_rng(seed)
    for name, draw in HALVES.items():
        first, second = draw(random, 400_000)
        truth = incoherence_of(second) - incoherence_of(first)
        for questions, samples in ((20, 4), (20, 10), (100, 4), (100, 10), (500, 4)):
            case = f"{name}; {questions} questions, {samples} samples"
            found = []
            for _ in range(runs):
                of = draw(random, questions)
                half = samples // 2
                right = np.concatenate(
                    [random.random((questions, half)) < part[:, None] for part in of], axis=1
                )
                length = np.sort(random.lognormal(4, 0.5, right.shape), axis=1)
                found.append(
                    compare_halves(
                        two_answers(right), [length], settings_of(seed), PERMUTATIONS, LENGTH
                    )
                )
            for form in ("corrected", "plugin"):
                parts = [getattr(of, form).difference for of in found]
                value, low, high = ends_of([of.incoherence for of in parts])
                if form == "corrected":
                    printed = "longer less shorter, incoherence, corrected"
                    seen.append(seen_coverage(printed, case, low, high, truth))
                    seen.append(seen_bias(printed, case, value, truth))
                    _, low, high = ends_of([of.accuracy for of in parts])
                    seen.append(
                        seen_coverage(
                            "longer less shorter, accuracy",
                            case,
                            low,
                            high,
                            float(second.mean() - first.mean()),
                        )
                    )
                else:
                    seen.append(
                        seen_bias("longer less shorter, incoherence, plug-in", case, value, truth)
                    )
            if "no difference" in name:
                p = np.asarray([of.test.incoherence.p for of in found], np.float64)
                seen.append(seen_rejections("permutation of lengths", case, p))
    return seen


def lengths_in_contexts(seed: int, runs: int) -> list[Seen]:
    """Simulate contexts that answers and lengths both hang on, and not on one another."""
    seen = []
    random = np.random.default_rng(seed)
    for questions, contexts, samples in ((30, 5, 4), (100, 3, 4), (30, 10, 3)):
        context = np.repeat(np.arange(contexts), samples)
        found = []
        for _ in range(runs):
            of = np.where(random.random((questions, contexts)) < 0.5, 0.1, 0.9)
            right = random.random((questions, len(context))) < of[:, context]
            length = random.lognormal(4, 1, of.shape)[:, context] * random.lognormal(
                0, 0.2, right.shape
            )
            sampled = two_answers(right, np.broadcast_to(context, right.shape))
            found.append(compare_halves(sampled, [length], settings_of(seed), PERMUTATIONS, LENGTH))
        case = f"contexts have an effect; {questions} questions, {contexts} contexts of {samples}"
        for name in ("incoherence", "accuracy"):
            p = np.asarray([getattr(of.test, name).p for of in found], np.float64)
            seen.append(seen_rejections(f"permutation of lengths, {name}", case, p))
    return seen


def _identical(random: Random, n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(n, 0.6), np.full(n, 4.0)


def _own_lengths(random: Random, n: int) -> tuple[np.ndarray, np.ndarray]:
    return random.uniform(0.2, 0.8, n), random.normal(4, 0.7, n)


def _sparse(random: Random, n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.where(random.random(n) < 0.9, 1, random.random(n)), random.normal(4, 0.7, n)


def _planted(random: Random, n: int) -> tuple[np.ndarray, np.ndarray]:
    mean = random.uniform(3, 5, n)
    return 0.4 * np.exp(0.4 * (mean - 4)), mean


# Probability to be right, mean log length, how much longer wrong samples are, spread of log lengths, slope.
ALONG: dict[str, tuple[Callable[[Random, int], tuple[np.ndarray, np.ndarray]], float, float, float]] = {
    "identical questions, wrong samples 1.5 times as long": (_identical, 1.5, 0.5, 0.0),
    "lengths of their own, incoherence of none": (_own_lengths, 1.0, 0.5, 0.0),
    "90 % always right, incoherence hangs on no length": (_sparse, 1.0, 0.5, 0.0),
    "incoherence ∝ length^0.4, the same in all samples": (_planted, 1.0, 0.0, 0.4),
}


def against_length(seed: int, runs: int) -> list[Seen]:
    """Simulate questions sorted by their samples' mean length."""
    seen = []
    random = np.random.default_rng(seed)
    for name, (draw, times, spread, slope) in ALONG.items():
        many, mean = draw(random, 400_000)
        order = np.argsort(mean, kind="stable")
        halves = incoherence_of(many[order[200_000:]]) - incoherence_of(many[order[:200_000]])
        truth = 0.0 if slope == 0 else halves
        for questions, samples in ((20, 4), (40, 4), (40, 10), (100, 4), (100, 10), (500, 4)):
            case = f"{name}; {questions} questions, {samples} samples"
            found = []
            for _ in range(runs):
                of, mean = draw(random, questions)
                right = random.random((questions, samples)) < of[:, None]
                length = np.exp(mean[:, None] + spread * random.normal(size=right.shape))
                length = length * np.where(right, 1, times)
                along = along_field(two_answers(right), [length], settings_of(seed), (10, 5), LENGTH)
                assert along.corrected is not None
                found.append(along.corrected)
            value, low, high = ends_of([of.halves.incoherence for of in found])
            printed = "longer half of questions less the other, incoherence, corrected"
            seen.append(seen_coverage(printed, case, low, high, truth))
            seen.append(seen_bias(printed, case, value, truth))
            for count in found[0].slopes:
                _, low, high = ends_of([of.slopes[count].incoherence for of in found])
                printed = f"slope over {count} groups, incoherence, corrected"
                seen.append(seen_coverage(printed, case, low, high, slope))
    return seen


# Which share of the questions each of four models errs on; incoherence is .4 in all of them, or falls.
MODELS: dict[str, tuple[tuple[float, ...], float]] = {
    "accuracy .4 to .7, equal incoherence": ((1.0, 0.83, 0.67, 0.5), 0.0),
    "accuracy .3 to .97, equal incoherence": ((1.0, 0.83, 0.5, 0.05), 0.0),
    "accuracy .4 to .8, incoherence ∝ N^−.1": ((1.0, 0.9, 0.7, 0.4), -0.1),
}
SIZES = {"s": 1e8, "m": 1e9, "l": 1e10, "xl": 1e11}


def _models(
    shares: Sequence[float], exponent: float, questions: int, random: Random
) -> dict[str, np.ndarray]:
    """Return each model's probability to be right, question by question: hard ones are hard for all."""
    hard = random.random(questions)
    found = {}
    for (name, size), share in zip(SIZES.items(), shares, strict=True):
        own = 0.6 * hard + 0.4 * random.random(questions)
        errs = own <= np.quantile(own, share)
        found[name] = np.where(errs, 0.4 * (size / 1e8) ** exponent, 1)
    return found


def scaling(seed: int, runs: int) -> list[Seen]:
    """Simulate four models on the same questions, in three groups by the largest model's lengths."""
    seen = []
    random = np.random.default_rng(seed)
    for name, (shares, exponent) in MODELS.items():
        for questions, samples in ((60, 4), (300, 4), (300, 10)):
            found = []
            for _ in range(runs):
                of = _models(shares, exponent, questions, random)
                right = {
                    model: random.random((questions, samples)) < part[:, None]
                    for model, part in of.items()
                }
                length = random.lognormal(4, 0.5, (questions, samples))
                sampled = {model: two_answers(hits) for model, hits in right.items()}
                found.append(scaling_of(sampled, [length], SIZES, "xl", settings_of(seed), 3))
            exponents = [
                row.corrected.exponents.incoherence
                for of in found
                for row in of.groups
                if row.corrected is not None
            ]
            value, low, high = ends_of(exponents)
            case = f"{name}; three groups of {questions // 3} questions, {samples} samples"
            printed = "exponent of incoherence in size, corrected"
            seen.append(seen_coverage(printed, case, low, high, exponent))
            seen.append(seen_bias(printed, case, value, exponent))
    return seen


def surface(seed: int, runs: int) -> list[Seen]:
    """Simulate four models whose incoherence is a power law of length and size, on shared questions."""
    seen = []
    random = np.random.default_rng(seed)
    for length_power, size_power in ((0.0, 0.0), (0.3, -0.05)):
        truth = surface_truth(length_power, size_power)
        for questions, samples in ((40, 4), (100, 10), (300, 4)):
            found = []
            for _ in range(runs):
                hard = random.uniform(3, 5, questions)
                own = random.normal(0, 0.5, questions)  # of a question, and not of its length
                sampled, lengths = {}, {}
                for name, size in SIZES.items():
                    log = length_power * (hard - 4) + size_power * np.log(size / 1e8)
                    g = np.clip(0.4 * np.exp(log) * (1 + 0.5 * np.tanh(own)), 0, 1)
                    right = random.random((questions, samples)) < g[:, None]
                    sampled[name] = two_answers(right)
                    lengths[name] = [np.broadcast_to(np.exp(hard)[:, None], right.shape)]
                found.append(surface_of(sampled, lengths, SIZES, settings_of(seed), 10, LENGTH))
            case = (
                f"incoherence ∝ length^{length_power:g} · size^{size_power:g}; {questions} questions, "
                f"{samples} samples"
            )
            for i, name in enumerate(("length", "size"), start=1):
                _, low, high = ends_of([getattr(of.coefficients, name) for of in found])
                printed = f"surface, coefficient of {name}, corrected"
                seen.append(seen_coverage(printed, case, low, high, truth[i]))
    return seen


def surface_truth(length_power: float, size_power: float) -> Float[np.ndarray, " 3"]:
    """Return the coefficients of the same fit to a population's sums."""
    random = np.random.default_rng(0)
    hard, own = random.uniform(3, 5, 400_000), np.tanh(random.normal(0, 0.5, 400_000))
    group = np.argsort(np.argsort(hard)) * 10 // len(hard)
    x, part, whole = [], [], []
    for size in SIZES.values():
        log = length_power * (hard - 4) + size_power * np.log(size / 1e8)
        g = np.clip(0.4 * np.exp(log) * (1 + 0.5 * own), 0, 1)
        for i in range(10):
            here = group == i
            x.append([np.log(np.exp(hard[here]).mean()), np.log(size)])
            part.append(float((g * (1 - g))[here].mean()))
            whole.append(float((1 - g)[here].mean()))
    return fit(np.asarray(x), np.asarray(part), np.asarray(whole)).coefficients


def rankings(seed: int, runs: int) -> list[Seen]:
    """Simulate raters who rank entities on two questions, whose true values correlate or do not."""
    seen = []
    random = np.random.default_rng(seed)
    for entities, raters, noise in ((8, 12, 1.0), (15, 12, 1.0), (15, 5, 1.0), (15, 12, 3.0),
                                    (40, 12, 1.0)):  # fmt: skip
        for correlation in (0.0, 0.6, -0.9):
            covariance = [[1, correlation], [correlation, 1]]
            many = random.multivariate_normal([0, 0], covariance, 100_000)
            many_noisy = many + noise / np.sqrt(raters) * random.normal(size=many.shape)
            raw, true = (true_rank_correlation(of) for of in (many_noisy, many))
            found = [
                analyse(_survey(random.multivariate_normal([0, 0], covariance, entities), raters,
                                noise, random), PERMUTATIONS, seed).correlations["all"]
                for _ in range(runs)
            ]  # fmt: skip
            case = f"true ρ {round(true, 1) + 0.0:g}; {entities} entities, {raters} raters, noise {noise:g}"
            for name, printed, truth in (
                ("rho", "survey, ρ of mean ranks", raw),
                ("corrected", "survey, ρ corrected for reliability", true),
            ):
                _, low, high = ends_of([getattr(of, name) for of in found])
                seen.append(seen_coverage(printed, case, low, high, truth))
            if correlation == 0:
                p = np.asarray([of.p for of in found], np.float64)
                seen.append(seen_rejections("survey, permutation of entities", case, p))
    return seen


def true_rank_correlation(pairs: Float[np.ndarray, "units 2"]) -> float:
    """Return Spearman's ρ of many pairs, as the truth of few."""
    return float(stats.spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def _survey(true: Float[np.ndarray, "entities 2"], raters: int, noise: float, random: Random) -> Survey:
    names = np.asarray([f"e{i:03}" for i in range(len(true))])
    found = []
    for sign, question, values in zip((1, -1), ASKED, true.T, strict=True):
        for rater in range(raters):
            given = sign * values + noise * random.normal(size=len(values))
            found.append(
                Ranking(f"{question}{rater}", question, tuple(names[np.argsort(-given)].tolist()))
            )
    return Survey(found, dict.fromkeys(names.tolist(), ""))


def lengths_between_models(seed: int, runs: int) -> list[Seen]:
    """Simulate two models' lengths, noisy about questions' own, which correlate or do not."""
    seen = []
    random = np.random.default_rng(seed)
    for correlation in (0.0, 0.8):
        covariance = [[1, correlation], [correlation, 1]]
        many = random.multivariate_normal([0, 0], covariance, 200_000)
        true = true_rank_correlation(many)
        for questions, samples in ((30, 3), (100, 3), (100, 10), (300, 3)):
            noisy = np.exp(many[..., None] + 1.3 * random.normal(size=(*many.shape, samples)))
            raw = true_rank_correlation(noisy.mean(axis=2))
            found = []
            for _ in range(runs):
                mean = random.multivariate_normal([0, 0], covariance, questions)
                x, y = np.exp(mean.T[..., None] + 1.3 * random.normal(size=(2, questions, samples)))
                found.append(correlation_of_means(x, y, seed))
            case = f"true ρ {round(true, 1) + 0.0:g}; {questions} questions, {samples} samples"
            for name, printed, truth in (
                ("rho", "lengths of two models, ρ of means", raw),
                ("corrected", "lengths of two models, ρ corrected for reliability", true),
            ):
                value, low, high = ends_of([getattr(of, name) for of in found])
                seen.append(seen_coverage(printed, case, low, high, truth))
                seen.append(seen_bias(printed, case, value, truth))
    return seen


def format_failures(seed: int, runs: int) -> list[Seen]:
    """Simulate answers that cannot be parsed, more of some questions than of others."""
    seen = []
    random = np.random.default_rng(seed)
    for a, b in ((0.3, 9.7), (0.1, 0.4), (5, 5)):
        for questions, samples in ((10, 10), (20, 10), (100, 3), (500, 3)):
            numbers = np.full(questions, samples)
            numbers[: questions // 2] = 2 * samples
            values = [
                failure_share(
                    random.binomial(numbers, random.beta(a, b, questions)) * 1.0, numbers * 1.0
                )
                for _ in range(runs)
            ]
            _, low, high = ends_of(values)
            case = f"{100 * a / (a + b):.0f} % on average; {questions} questions, {samples} or {2 * samples} samples"
            seen.append(seen_coverage("share unparsed", case, low, high, a / (a + b)))
    return seen


def contexts(seed: int, runs: int) -> list[Seen]:
    """Simulate contexts with and without an effect on how often answers differ."""
    seen = []
    random = np.random.default_rng(seed)
    for concentration in (np.inf, 5.0, 1.0):
        for questions, number, samples in ((20, 3, 3), (100, 3, 3), (100, 2, 10), (500, 3, 2)):
            many = _of_contexts(20_000, 2, concentration, random)
            within = 1 - (many**2).sum(axis=2).mean(axis=1)
            between = 1 - (many[:, 0] * many[:, 1]).sum(axis=1)
            truth = float((between - within).mean()) if np.isfinite(concentration) else 0.0
            context = np.repeat(np.arange(number), samples)
            found = []
            for _ in range(runs):
                probs = _of_contexts(questions, number, concentration, random)[:, context]
                codes = (random.random((questions, len(context), 1)) > probs.cumsum(axis=2)).sum(axis=2)
                block = two_answers(
                    np.ones(codes.shape, bool), np.broadcast_to(context, codes.shape)
                ).blocks[0]
                chosen = np.ones((questions, 1, len(context)), bool)
                changes = changes_of(block, np.minimum(codes, 3), chosen)
                found.append(change_row(None, np.ones((questions, 1)), changes, chosen))
            case = f"effect {truth:.2f}; {questions} questions, {number} contexts of {samples}"
            value, low, high = ends_of([of.effect for of in found])
            seen.append(seen_coverage("effect of contexts", case, low, high, truth))
            seen.append(seen_bias("effect of contexts", case, value, truth))
    return seen


def _of_contexts(
    questions: int, number: int, concentration: float, random: Random
) -> Float[np.ndarray, "questions contexts 4"]:
    """Return answers' probabilities in each context: Dirichlet about the question's own."""
    own = random.dirichlet(np.ones(4), questions)
    if not np.isfinite(concentration):
        return np.repeat(own[:, None], number, axis=1)
    drawn = random.gamma(concentration * own[:, None] + 1e-9, size=(questions, number, 4)) + 1e-300
    return drawn / drawn.sum(axis=2, keepdims=True)


SIMULATIONS: tuple[Simulation, ...] = (
    Simulation("longer-and-shorter", "a question's longer samples less its shorter ones",
               longer_and_shorter, 60),
    Simulation("lengths-in-contexts", "the same, where contexts make answers and lengths alike",
               lengths_in_contexts, 200),
    Simulation("against-length", "questions grouped by their mean length", against_length, 40),
    Simulation("scaling", "exponents in model size, in groups of difficulty", scaling, 40),
    Simulation("surface", "incoherence over length and size", surface, 60),
    Simulation("rankings", "rankings by people of intelligence and of coherence", rankings, 100),
    Simulation("lengths-between-models", "lengths of two models' answers", lengths_between_models, 60),
    Simulation("format-failures", "answers that cannot be parsed", format_failures, 1000),
    Simulation("contexts", "how often answers differ within and between contexts", contexts, 200),
)  # fmt: skip
