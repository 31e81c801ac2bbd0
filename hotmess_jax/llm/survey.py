"""Rankings of entities by people: is what is more intelligent also held to be less coherent?"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from hotmess_jax.statistics.correlations import (
    RankCorrelation,
    disattenuated,
    permutation_p,
    rank_correlation,
    reliability,
)
from hotmess_jax.statistics.estimate import estimate_of, finite

COLUMNS = ("rater", "question", "entity", "category", "rank")
QUESTIONS = ("intelligence", "coherence")
MOST_REPORTED = 20


class Ranking(NamedTuple):
    """One rater's order of entities on one question, best first."""

    rater: str
    question: str
    entities: tuple[str, ...]


class Survey(NamedTuple):
    """All rankings, and each entity's category."""

    rankings: list[Ranking]
    categories: dict[str, str]


def read_survey(path: Path) -> Survey:
    """Read rankings from a CSV with the columns rater, question, entity, category and rank.

    `question` is intelligence or coherence, `rank` 1 for the most intelligent or most coherent. A rater
    answers one question only, and gives each entity of a list its own rank.

    Raises:
        ValueError: naming every problem by line, up to twenty.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise ValueError(f"{path} needs the columns {', '.join(COLUMNS)}")
    problems: list[str] = []
    places: dict[str, dict[int, str]] = {}
    asked: dict[str, str] = {}
    categories: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        rater, question, entity, category, rank = ((row[name] or "").strip() for name in COLUMNS)
        if not rater or not entity:
            problems.append(f"{path}:{number}: rater and entity must not be empty")
        elif question not in QUESTIONS:
            problems.append(
                f"{path}:{number}: question must be intelligence or coherence, got {question!r}"
            )
        elif not rank.isdecimal() or int(rank) < 1:
            problems.append(f"{path}:{number}: rank must be a number from 1 on, got {rank!r}")
        elif asked.setdefault(rater, question) != question:
            problems.append(
                f"{path}:{number}: rater {rater!r} answers both questions; raters must be disjoint"
            )
        elif categories.setdefault(entity, category) != category:
            problems.append(
                f"{path}:{number}: {entity!r} is {category!r} here and {categories[entity]!r} before"
            )
        elif int(rank) in (given := places.setdefault(rater, {})) or entity in given.values():
            problems.append(f"{path}:{number}: rater {rater!r} gives rank {rank} or {entity!r} twice")
        else:
            given[int(rank)] = entity
    problems += [
        f"{path}: rater {rater!r} has ranks {sorted(given)}, not 1 to {len(given)}"
        for rater, given in places.items()
        if not problems and sorted(given) != list(range(1, len(given) + 1))
    ]
    if problems:
        more = len(problems) - MOST_REPORTED
        raise ValueError(
            "\n".join(problems[:MOST_REPORTED] + ([f"and {more} more"] if more > 0 else []))
        )
    rankings = [
        Ranking(rater, asked[rater], tuple(given[rank] for rank in sorted(given)))
        for rater, given in places.items()
    ]
    return Survey(rankings, categories)


@dataclass(frozen=True, slots=True)
class MeanRank:
    """An entity's mean over raters of the share of a list that stands below it."""

    # None of an entity that nobody ranked, or one rater alone.
    mean: float | None
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class RankedEntity:
    """An entity's mean ranks on both questions."""

    entity: str
    category: str
    intelligence: MeanRank
    incoherence: MeanRank


@dataclass(frozen=True, slots=True)
class MeansCorrelate(RankCorrelation):
    """How both questions' mean ranks correlate over entities."""

    # Two-sided, of permutations of the entities.
    p: float | None
    entities: int


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What raters say of entities."""

    # By question.
    raters: dict[str, int]
    # Of all entities, and by category.
    correlations: dict[str, MeansCorrelate]
    entities: tuple[RankedEntity, ...]


def analyse(survey: Survey, permutations: int, seed: int) -> Surveyed:
    """Return mean ranks with standard errors, and their correlation with an interval over entities.

    A rank is the share of a rater's list that stands below an entity (in the middle of its own place),
    so that lists of different lengths compare; of coherence it is inverted to incoherence.

    Raters who disagree make a correlation of their means small. `corrected` divides Spearman's ρ by
    the root of both questions' reliabilities; the reliability of a mean is its split-half correlation
    over many halves of the raters, stepped up by Spearman and Brown. Its interval is divided likewise, and
    cut at ±1; it is None where a reliability is not above 0, or is not known.

    Args:
        survey: from `read_survey`.
        permutations: of the entities, for the test of ρ = 0.
        seed: of these, and of the splits of the raters.

    Raises:
        ValueError: where a question has fewer than two raters, or fewer than three entities are in
            both.

    Source: Hägele et al. 2026, Figures 4b and 27; Bonett and Wright 2000; Spearman 1904 and 1910.
    """
    entities = sorted(survey.categories)
    tables = _tables(survey, entities)
    means = [_means(table) for table in tables.values()]
    errors = [
        np.ma.filled(stats.sem(table, axis=0, nan_policy="omit"), np.nan) for table in tables.values()
    ]
    random = np.random.default_rng(seed)
    category = np.asarray([survey.categories[entity] for entity in entities])
    groups = {"all": np.ones(len(entities), bool)}
    groups |= {name: category == name for name in sorted(set(category.tolist()))}
    correlations = {}
    for name, chosen in groups.items():
        both = chosen & ~np.isnan(means[0]) & ~np.isnan(means[1])
        if both.sum() < 3:
            if name == "all":
                raise ValueError("fewer than three entities were ranked on both questions")
            continue
        reliabilities = [_reliability(table[:, both], random) for table in tables.values()]
        x, y = (mean[both] for mean in means)
        correlations[name] = correlate(x, y, reliabilities, permutations, random)
    ranked = [
        [MeanRank(finite(mean), finite(error)) for mean, error in zip(*of, strict=True)]
        for of in zip(means, errors, strict=True)
    ]
    return Surveyed(
        {question: len(table) for question, table in tables.items()},
        correlations,
        tuple(
            RankedEntity(entity, survey.categories[entity], *of_both)
            for entity, *of_both in zip(entities, *ranked, strict=True)
        ),
    )


def _tables(survey: Survey, entities: Sequence[str]) -> dict[str, Float[np.ndarray, "raters entities"]]:
    """Return each question's ranks by rater, those of coherence inverted to incoherence.

    Raises:
        ValueError: where a question has fewer than two raters.
    """
    tables = {}
    for question in QUESTIONS:
        rankings = [ranking for ranking in survey.rankings if ranking.question == question]
        if len(rankings) < 2:
            raise ValueError(f"{question} has {len(rankings)} raters; at least two are needed")
        tables[question] = np.stack([_shares(ranking, entities) for ranking in rankings])
    return tables | {"coherence": 1 - tables["coherence"]}


def _shares(ranking: Ranking, entities: Sequence[str]) -> np.ndarray:
    count = len(ranking.entities)
    share = {entity: 1 - (place + 0.5) / count for place, entity in enumerate(ranking.entities)}
    return np.asarray([share.get(entity, np.nan) for entity in entities])


def correlate(
    x: np.ndarray,
    y: np.ndarray,
    reliabilities: Sequence[float],
    permutations: int,
    random: np.random.Generator,
) -> MeansCorrelate:
    """Return Spearman's ρ of two means of the same entities, as measured and corrected.

    Args:
        x: a mean each entity.
        y: likewise.
        reliabilities: of both; NaN where not known.
        permutations: of y, for p.
        random: of the permutations.
    """
    rho, ends = rank_correlation(x, y)
    p = permutation_p(x, y, permutations, random)
    first, second = reliabilities
    return MeansCorrelate(
        estimate_of(rho, ends),
        (finite(first), finite(second)),
        estimate_of(*disattenuated(rho, ends, reliabilities)),
        finite(p),
        len(x),
    )


def _reliability(table: Float[np.ndarray, "raters entities"], random: np.random.Generator) -> float:
    """Return the reliability of the mean over raters, over the entities that two or more have ranked."""
    twice = (~np.isnan(table)).sum(axis=0) > 1
    return reliability(table[:, twice].T, random, same_halves=True)


def _means(table: np.ndarray) -> np.ndarray:
    """Return the means over raters; NaN of an entity that nobody ranked."""
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, table, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
