"""Simulations of questions that come in clusters: what is printed over whole ones, and over questions alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import stats

from hotmess_jax.llm.analyses.format_failures import failure_share
from hotmess_jax.llm.analyses.length_correlation import correlation_of_means
from hotmess_jax.llm.analyses.scaling import scaling_of
from hotmess_jax.llm.analyses.surface import surface_of
from hotmess_jax.llm.coverage.comparisons import (
    LENGTH,
    PERMUTATIONS,
    SIZES,
    ends_of,
    settings_of,
    true_rank_correlation,
    two_answers,
)
from hotmess_jax.llm.measures.changes import change_row, changes_of
from hotmess_jax.llm.measures.clusters import CLUSTER
from hotmess_jax.llm.measures.groups import along_field
from hotmess_jax.llm.measures.halves import compare_halves
from hotmess_jax.llm.measures.subsets import Sampled
from hotmess_jax.statistics.coverage import Seen, Simulation, seen_coverage
from hotmess_jax.statistics.intervals import Clusters

Random = np.random.Generator
SIZE = 5
# The correlation of two questions of one cluster.
ICC = 0.5
NUMBERS = (30, 100)
# What is printed of one data set, by the printed name.
Printed = Mapping[str, Any]


def in_clusters(random: Random, clusters: int) -> Float[np.ndarray, " questions"]:
    """Return standard normal values of questions in clusters of five, correlated by one half within one."""
    shared = np.repeat(random.normal(size=clusters), SIZE)
    return np.sqrt(ICC) * shared + np.sqrt(1 - ICC) * random.normal(size=clusters * SIZE)


def _uniform(random: Random, clusters: int) -> Float[np.ndarray, " questions"]:
    return stats.norm.cdf(in_clusters(random, clusters))


def _named(sampled: Sampled) -> Sampled:
    """Return questions that name their clusters."""
    number = pl.Series(np.arange(sampled.who.height) // SIZE).cast(pl.String)
    return sampled._replace(who=sampled.who.with_columns(number.alias(CLUSTER)))


def _both(
    seed: int,
    runs: int,
    case: str,
    truths: Mapping[str, float],
    printed: Callable[[Random, int], tuple[Printed, Printed]],
) -> list[Seen]:
    """Return how often intervals over clusters, and those over questions, hold the truth."""
    seen = []
    for clusters in NUMBERS:
        random = np.random.default_rng([seed, clusters])
        made = [printed(random, clusters) for _ in range(runs)]
        where = f"{case}; {clusters} clusters of {SIZE} questions"
        for name, truth in truths.items():
            for i, over in enumerate(("clusters", "questions alone")):
                _, low, high = ends_of([of[i][name] for of in made])
                seen.append(seen_coverage(f"{name}, over {over}", where, low, high, truth))
    return seen


def _of_both(of: Callable[[Callable[[Sampled], Sampled]], Printed]) -> tuple[Printed, Printed]:
    """Return what is printed of questions with named clusters, and without."""
    return of(_named), of(lambda sampled: sampled)


def halves_of_samples(seed: int, runs: int) -> list[Seen]:
    """Simulate longer samples that are right less often by what the cluster decides."""

    def draw(random: Random, clusters: int) -> tuple[np.ndarray, np.ndarray]:
        first = 0.35 + 0.5 * _uniform(random, clusters)
        return first, first - 0.35 * np.repeat(random.random(clusters) < 0.5, SIZE)

    def printed(random: Random, clusters: int) -> tuple[Printed, Printed]:
        right = np.concatenate(
            [random.random((clusters * SIZE, 8)) < of[:, None] for of in draw(random, clusters)], axis=1
        )
        length = np.sort(random.lognormal(4, 0.5, right.shape), axis=1)

        def of(name: Callable[[Sampled], Sampled]) -> Printed:
            sampled = name(two_answers(right))
            found = compare_halves(sampled, [length], settings_of(seed), PERMUTATIONS, LENGTH)
            assert found.corrected is not None
            difference = found.corrected.difference
            return {
                "longer less shorter, incoherence": difference.incoherence,
                "longer less shorter, accuracy": difference.accuracy,
            }

        return _of_both(of)

    first, second = draw(np.random.default_rng(0), 80_000)
    shares = [float((g * (1 - g)).sum() / (1 - g).sum()) for g in (first, second)]
    truths = {
        "longer less shorter, incoherence": shares[1] - shares[0],
        "longer less shorter, accuracy": float(second.mean() - first.mean()),
    }
    return _both(seed, runs, "longer samples differ by cluster; 16 samples", truths, printed)


def halves_of_questions(seed: int, runs: int) -> list[Seen]:
    """Simulate questions along a length of their own, which clusters share in part, or are spread over."""
    seen = []
    truths = {
        "longer half less the other, incoherence": 0.0,
        "longer half less the other, accuracy": 0.0,
        "slope of incoherence": 0.0,
        "accuracy of the shortest group": 0.5,
    }
    for case, shared in (("lengths of clusters", True), ("lengths of questions", False)):

        def printed(random: Random, clusters: int, shared: bool = shared) -> tuple[Printed, Printed]:
            g = _uniform(random, clusters)
            own = random.normal(size=len(g))
            if shared:  # a passage's length, more than its questions'
                own = np.repeat(random.normal(size=clusters), SIZE) + 0.3 * own
            right = random.random((len(g), 6)) < g[:, None]
            length = np.exp(4 + 0.7 * own[:, None] + 0.2 * random.normal(size=right.shape))

            def of(name: Callable[[Sampled], Sampled]) -> Printed:
                found = along_field(name(two_answers(right)), [length], settings_of(seed), (5,), LENGTH)
                form = found.corrected
                assert form is not None
                return {
                    "longer half less the other, incoherence": form.halves.incoherence,
                    "longer half less the other, accuracy": form.halves.accuracy,
                    "slope of incoherence": form.slopes[5].incoherence,
                    "accuracy of the shortest group": form.curves.accuracy[0],
                }

            return _of_both(of)

        seen += _both(seed, runs, f"{case}, which say nothing; 6 samples", truths, printed)
    return seen


def models(seed: int, runs: int) -> list[Seen]:
    """Simulate four models on the same questions, with incoherence along length and size."""

    def printed(random: Random, clusters: int) -> tuple[Printed, Printed]:
        hard = 3 + 2 * _uniform(random, clusters)
        right = {
            name: random.random((len(hard), 6)) < 0.05 + 0.7 * _uniform(random, clusters)[:, None]
            for name in SIZES
        }
        length = np.broadcast_to(np.exp(hard)[:, None], (len(hard), 6))

        def of(name: Callable[[Sampled], Sampled]) -> Printed:
            sampled = {model: name(two_answers(hits)) for model, hits in right.items()}
            settings = settings_of(seed)
            scaled = scaling_of(sampled, [length], SIZES, "xl", settings, 1).groups[0].corrected
            assert scaled is not None
            lengths = {model: [length] for model in sampled}
            fitted = surface_of(sampled, lengths, SIZES, settings, 5, LENGTH).coefficients
            return {
                "incoherence of the smallest model": scaled.incoherence[0],
                "exponent of incoherence in size": scaled.exponents.incoherence,
                "surface, coefficient of length": fitted.length,
                "surface, coefficient of size": fitted.size,
            }

        return _of_both(of)

    many = 0.05 + 0.7 * np.random.default_rng(0).random(400_000)
    truths = {
        "incoherence of the smallest model": float((many * (1 - many)).sum() / (1 - many).sum()),
        "exponent of incoherence in size": 0.0,
        "surface, coefficient of length": 0.0,
        "surface, coefficient of size": 0.0,
    }
    return _both(
        seed,
        runs,
        "four models, each with clusters of its own difficulty, of equal incoherence; 6 samples",
        truths,
        printed,
    )


def answers(seed: int, runs: int) -> list[Seen]:
    """Simulate changes of answers, answers that cannot be parsed, and lengths of two models."""
    correlation = 0.6
    many = np.random.default_rng(0).multivariate_normal(
        [0, 0], [[1, correlation], [correlation, 1]], 200_000
    )
    truths = {
        "two answers of one context differ": float(1 / 3),
        "answers that could not be parsed": 0.5,
        "lengths of two models, ρ of means": true_rank_correlation(many),
    }

    def printed(random: Random, clusters: int) -> tuple[Printed, Printed]:
        g = _uniform(random, clusters)
        right = random.random((len(g), 6)) < g[:, None]
        (block,) = two_answers(right, np.broadcast_to(np.arange(6) % 2, right.shape)).blocks
        chosen = block.present[:, None, :]
        changes = changes_of(block, right.astype(int), chosen)
        silent, samples = random.binomial(6, g) * 1.0, np.full(len(g), 6.0)
        x, other = in_clusters(random, clusters), in_clusters(random, clusters)
        y = correlation * x + np.sqrt(1 - correlation**2) * other

        def of(clusters: Clusters) -> Printed:
            found = change_row(None, np.ones((len(g), 1)), changes, chosen, clusters)
            rho = correlation_of_means(np.exp(x)[:, None], np.exp(y)[:, None], seed, clusters).rho
            return {
                "two answers of one context differ": found.within,
                "answers that could not be parsed": failure_share(silent, samples, clusters),
                "lengths of two models, ρ of means": rho,
            }

        return of(np.arange(len(g)) // SIZE), of(None)

    return _both(seed, runs, "questions alike in clusters; 6 samples", truths, printed)


SIMULATIONS: Sequence[Simulation] = (
    Simulation("clusters-samples", "a question's longer samples less its shorter ones, in clusters",
               halves_of_samples, 200),
    Simulation("clusters-lengths", "questions grouped by their mean length, in clusters",
               halves_of_questions, 100),
    Simulation("clusters-models", "four models on the same questions, in clusters", models, 100),
    Simulation("clusters-answers", "changes, unparsed answers and lengths of two models, in clusters",
               answers, 400),
)  # fmt: skip
