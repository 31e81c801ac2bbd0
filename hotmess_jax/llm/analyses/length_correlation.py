"""Correlations of lengths between models, as they are and corrected for the noise of few samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import stats

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.clusters import clusters_in, count_in, with_clusters
from hotmess_jax.llm.measures.groups import common_length_field
from hotmess_jax.llm.measures.samples import QUESTION
from hotmess_jax.llm.telling import cell
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from hotmess_jax.statistics.correlations import (
    LEAST,
    RankCorrelation,
    disattenuated,
    rank_correlation,
    reliability,
)
from hotmess_jax.statistics.estimate import estimate_of, finite
from hotmess_jax.statistics.intervals import Clusters


@dataclass(frozen=True, slots=True)
class LengthCorrelation(RankCorrelation):
    """The rank correlation of two models' mean lengths over the questions they share.

    `rho` is that of the means as they are, low by the noise of few samples; `corrected` is of mean ranks.
    """

    models: tuple[str, str]
    fields: tuple[str, str]
    questions: int
    # Of these questions; None where no field says.
    clusters: int | None


Result = list[LengthCorrelation]


def length_correlation(
    models: Mapping[str, pl.DataFrame],
    fields: Mapping[str, str],
    seed: int,
    cluster: str | None = None,
) -> list[LengthCorrelation]:
    """Return the rank correlation of each two models' mean lengths over the questions they share.

    `rho` is that of the means as they are, low by the noise of few samples; `corrected`, of mean ranks, is divided by
    the root of both models' reliabilities, None where a question has a single sample. Intervals are over questions;
    all is None where a model's lengths are all the same.

    Args:
        models: each model's records.
        fields: each model's length.
        seed: of the halves that reliabilities are taken from.
        cluster: a field whose values are clusters of questions; intervals are then over clusters.

    Raises:
        ValueError: for clusters, as in `with_clusters`.

    Source: Hägele et al. 2026, Figures 5b and 12b.
    """
    found = []
    lists = {
        name: records.filter(pl.col(fields[name]).is_not_null())
        .group_by(QUESTION, maintain_order=True)
        .agg(pl.col(fields[name]).cast(pl.Float64).alias(name))
        for name, records in models.items()
        if fields.get(name) in records.columns
    }
    names = list(lists)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            shared = lists[first].join(lists[second], on=QUESTION, nulls_equal=True)
            if shared.height < LEAST:
                continue
            both = pl.concat([models[name] for name in (first, second)], how="diagonal_relaxed")
            who = with_clusters(shared.select(QUESTION), both, cluster)
            values = [_padded(shared[name].to_list()) for name in (first, second)]
            of = correlation_of_means(values[0], values[1], seed, clusters_in(who))
            found.append(
                LengthCorrelation(
                    of.rho,
                    of.reliabilities,
                    of.corrected,
                    (first, second),
                    (fields[first], fields[second]),
                    shared.height,
                    count_in(who),
                )
            )
    return found


def correlation_of_means(
    x: Float[np.ndarray, "units _x"],
    y: Float[np.ndarray, "units _y"],
    seed: int,
    clusters: Clusters = None,
) -> RankCorrelation:
    """Return the rank correlation of units' mean measurements, as it is and corrected for reliability.

    Corrected is that of mean ranks among all measurements: the mean of a few lengths hangs on the longest, by
    more than halves of them tell.

    Args:
        x: measurements, NaN where a unit has fewer.
        y: others, of the same units.
        seed: of the halves that reliabilities are taken from.
        clusters: of the units.
    """
    random = np.random.default_rng(seed)
    rho = rank_correlation(np.nanmean(x, axis=1), np.nanmean(y, axis=1), clusters)
    ranks = [_ranks(of) for of in (x, y)]
    first, second = (reliability(of, random) for of in ranks)
    mean_ranks = [np.nanmean(of, axis=1) for of in ranks]
    of_ranks = rank_correlation(mean_ranks[0], mean_ranks[1], clusters)
    fixed = disattenuated(*of_ranks, [first, second])
    return RankCorrelation(estimate_of(*rho), (finite(first), finite(second)), estimate_of(*fixed))


def _ranks(values: Float[np.ndarray, "units measurements"]) -> Float[np.ndarray, "units measurements"]:
    """Return each measurement's rank among all, NaN where there is none."""
    found = np.full(values.shape, np.nan)
    known = ~np.isnan(values)
    found[known] = stats.rankdata(values[known])
    return found


def _padded(lists: Sequence[Sequence[float]]) -> Float[np.ndarray, "units most"]:
    found = np.full((len(lists), max(len(of) for of in lists)), np.nan)
    for row, of in zip(found, lists, strict=True):
        row[: len(of)] = of
    return found


def compute(case: Case) -> list[LengthCorrelation] | None:
    """Return the correlations of one setting's models; None where fewer than two have lengths."""
    lengths = {part.label: part.length for part in case.parts if part.length is not None}
    if common := case.settings.length or common_length_field([part.records for part in case.parts]):
        lengths = dict.fromkeys(lengths, common)
    models = {part.label: part.records for part in case.parts if part.label in lengths}
    return (
        length_correlation(models, lengths, case.analysis.seed, case.analysis.cluster)
        if len(models) > 1
        else None
    )


def tell(results: Mapping[str, Result]) -> str:
    """Return the section."""
    rows = [
        [" and ".join(of.models), " and ".join(dict.fromkeys(of.fields)), str(of.questions),
         cell(of.rho), " and ".join(number(each, 2) for each in of.reliabilities), cell(of.corrected)]
        for of_setting in results.values()
        for of in of_setting
    ]  # fmt: skip
    return (
        "Spearman's ρ of the questions' mean lengths. Means of few samples are noisy, and ρ low by it: corrected, "
        "it is divided by the root of both models' reliabilities.\n\n"
        + table(["models", "length", "questions", "ρ", "reliabilities", "ρ corrected"], rows)
    )
