"""Rankings of entities by people: is what is more intelligent also held to be less coherent?"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

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


def analyse(survey: Survey, resamples: int, seed: int) -> dict[str, Any]:
    """Return mean ranks with standard errors, and their correlation with an interval over raters.

    A rank is the share of a rater's list that stands below an entity (in the middle of its own place),
    so that lists of different lengths compare; of coherence it is inverted to incoherence.

    Args:
        survey: from `read_survey`.
        resamples: of the raters of each question.
        seed: of the resampling.

    Returns:
        `entities` with both means and standard errors, and Spearman's ρ over all and by category.

    Raises:
        ValueError: where a question has fewer than two raters, or fewer than three entities are in
            both.

    Source: Hägele et al. 2026, Figures 4b and 27.
    """
    entities = sorted(survey.categories)
    tables = {}
    for question in QUESTIONS:
        rankings = [ranking for ranking in survey.rankings if ranking.question == question]
        if len(rankings) < 2:
            raise ValueError(f"{question} has {len(rankings)} raters; at least two are needed")
        tables[question] = np.stack([_shares(ranking, entities) for ranking in rankings])
    # Coherence to incoherence.
    tables["coherence"] = 1 - tables["coherence"]
    means = [np.nanmean(tables[question], axis=0) for question in QUESTIONS]
    random = np.random.default_rng(seed)
    drawn = []
    for question in QUESTIONS:
        table = tables[question]
        chosen = random.integers(len(table), size=(resamples, len(table)))
        with np.errstate(invalid="ignore"):
            sums = np.nansum(table[chosen], axis=1)
            counts = (~np.isnan(table[chosen])).sum(axis=1)
            drawn.append(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
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
        rho = _spearman(means[0][both], means[1][both])
        replicates = [_spearman(a[both], b[both]) for a, b in zip(*drawn, strict=True)]
        ends = (
            np.nanpercentile(replicates, [2.5, 97.5]) if np.isfinite(replicates).any() else [None, None]
        )
        usable = np.isfinite(replicates).any()
        ends = np.nanpercentile(replicates, [2.5, 97.5]).tolist() if usable else [None, None]
        value = float(rho) if np.isfinite(rho) else None
        correlations[name] = {"entities": int(both.sum()), "rho": {"value": value, "ci95": ends}}
    errors = [stats.sem(tables[question], axis=0, nan_policy="omit") for question in QUESTIONS]
    return {
        "raters": {question: len(tables[question]) for question in QUESTIONS},
        "correlations": correlations,
        "entities": [
            {
                "entity": entity,
                "category": survey.categories[entity],
                **{
                    name: {
                        "mean": _number(means[k][i]),
                        "standard_error": _number(np.ma.filled(errors[k], np.nan)[i]),
                    }
                    for k, name in enumerate(("intelligence", "incoherence"))
                },
            }
            for i, entity in enumerate(entities)
        ],
    }


def _shares(ranking: Ranking, entities: Sequence[str]) -> np.ndarray:
    count = len(ranking.entities)
    share = {entity: 1 - (place + 0.5) / count for place, entity in enumerate(ranking.entities)}
    return np.asarray([share.get(entity, np.nan) for entity in entities])


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    usable = ~np.isnan(x) & ~np.isnan(y)
    if usable.sum() < 3 or np.ptp(x[usable]) == 0 or np.ptp(y[usable]) == 0:
        return float("nan")
    return float(stats.spearmanr(x[usable], y[usable]).statistic)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
