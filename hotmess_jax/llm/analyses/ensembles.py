"""What more samples do: ensembles of them, and estimates from fewer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.clusters import among, clusters_of
from hotmess_jax.llm.measures.decomposing import Contexts, Metric, decompose, decompose_block
from hotmess_jax.llm.measures.enough import readable, shuffled, with_enough
from hotmess_jax.llm.measures.kl_correction import why_none
from hotmess_jax.llm.measures.precision import in_float64
from hotmess_jax.llm.measures.questions import AnalysisSettings, estimate_parts, most_error
from hotmess_jax.llm.measures.samples import Block, Samples, context_sizes
from hotmess_jax.llm.telling import FORM_NAMES, PARTS_NAMED, cell
from hotmess_jax.presentation.tables import table
from hotmess_jax.statistics.estimate import Estimates, estimates_of
from hotmess_jax.statistics.intervals import Clusters
from kernels.decompositions import Decomposition
from kernels.estimators import ensemble_means, expected_ensemble_brier

MOST_SIZES = 12
# Fewer ensembles than these are not compared by KL or plug-in.
LEAST_ENSEMBLES = 6
PARTS = ("error", "bias2", "variance", "incoherence")


@dataclass(frozen=True, slots=True)
class EnsembleParts:
    """The means over questions of one form, at each size in order."""

    error: Estimates
    bias2: Estimates
    variance: Estimates
    incoherence: Estimates


@dataclass(frozen=True, slots=True)
class Ensembles:
    """Means of E samples over disjoint ensembles, of one model and setting."""

    metric: Metric
    questions: int
    # Questions that are left out for having too few samples.
    fewer_samples: int
    samples_a_question: int
    sizes: tuple[int, ...]
    # How many ensembles of each size the corrected form is of, and the number that the plug-in form is of.
    ensembles: tuple[int, ...]
    compared: int | None
    draws: int
    # Of each size, why there is no corrected form; None where there is.
    no_corrected: tuple[str | None, ...]
    plugin: EnsembleParts
    corrected: EnsembleParts
    # Brier's unbiased parts of single samples, their variance divided by E.
    expected: EnsembleParts | None = None


Result = Ensembles
Pairs = list[tuple[Decomposition, Decomposition]]


class _Plan(NamedTuple):
    """Which ensembles are drawn."""

    sizes: list[int]
    # Of each size.
    counts: list[int]
    # The number at every size that is compared plug-in; None where six fit at none.
    compared: int | None


class _Drawn(NamedTuple):
    """Blocks of questions with the orders that their samples are drawn in, and what single samples give."""

    blocks: list[Block]
    orders: list[list[Int[np.ndarray, "questions samples"]]]
    single: list[tuple[Decomposition, Decomposition | None, Contexts | None]]
    settings: AnalysisSettings

    def of_size(self, size: int, count: int) -> Pairs:
        """Return the plug-in and the corrected decomposition of each block's ensembles."""
        return [
            _of_ensembles(block, order, contexts, size, count, self.settings)
            for block, order, (_, _, contexts) in zip(
                self.blocks, self.orders, self.single, strict=True
            )
        ]

    def why_none(self, size: int, count: int) -> str | None:
        """Say why the corrected KL of ensembles is not right; None where it is."""
        drawn = [
            _ensembles_of(block, order[:1], size, count)
            for block, order in zip(self.blocks, self.orders, strict=True)
        ]
        of = self.settings
        return why_none(drawn, of.smoothing, of.resamples, of.seed)


@in_float64
def ensembling(
    records: pl.DataFrame, settings: AnalysisSettings, ensembles: int = 10, draws: int = 20
) -> Ensembles:
    """Return bias², variance and incoherence of means of E samples, beside the 1/E law.

    Questions with fewer than four samples (of KL, than six) are left out and counted. Disjoint ensembles are
    drawn at random from all of a question's samples, over its contexts, `draws` times; values are means over
    the draws. Plug-in values, and all of KL, depend on how many ensembles are compared: they are of the same
    number at every size, and None where fewer than six fit. Corrected Brier values do not, and are of as many
    as fit. They are also corrected for samples of the same context standing in one ensemble and in two: they
    are those of ensembles whose samples each have a context of their own. The KL values take ensembles as
    independent, and the corrected ones are there only where they are right of data sets drawn from the
    ensembles (`kl_correction`).

    Args:
        records: of one model and setting.
        settings: metric (brier or kl) and the rest; the seed is that of the draws too.
        ensembles: how many of each size, where the samples suffice; in the paper ten.
        draws: how often ensembles are drawn.

    Raises:
        ValueError: for the 0/1 error, or where no question has four samples or, of KL, six.

    Source: Hägele et al. 2026, Section 3.3.2, Figures 7b and 11: ten ensembles of a size.
    """
    samples, fewer = _with_enough(records, settings)
    plan = _planned(samples.least, ensembles, settings.metric == "kl")
    random = np.random.default_rng(settings.seed)
    drawn = _Drawn(
        samples.blocks,
        [[shuffled(block, random) for _ in range(draws)] for block in samples.blocks],
        [decompose_block(settings.metric, block, settings.smoothing) for block in samples.blocks],
        settings,
    )
    plugin, corrected, no_corrected = _forms(drawn, plan, samples.least)
    most = most_error(samples.blocks, settings)
    labels = clusters_of(records, samples.table, settings.cluster)
    clusters = among(labels, np.concatenate([block.question for block in samples.blocks]))
    expected = None
    if settings.metric == "brier":
        alone = _together(of for _, of, _ in drawn.single if of is not None)
        law = [expected_ensemble_brier(alone, size) for size in plan.sizes]
        expected = _parts(law, most, clusters)
    return Ensembles(
        settings.metric,
        sum(len(block.target) for block in samples.blocks),
        fewer,
        samples.least,
        tuple(plan.sizes),
        tuple(plan.counts),
        plan.compared,
        draws,
        tuple(no_corrected),
        _parts([_together(one for one, _ in pairs) for pairs in plugin], most, clusters),
        _parts([_together(two for _, two in pairs) for pairs in corrected], most, clusters),
        expected,
    )


def _with_enough(records: pl.DataFrame, settings: AnalysisSettings) -> tuple[Samples, int]:
    """Return the questions that have enough samples for ensembles, and how many have not.

    Raises:
        ValueError: for the 0/1 error, or where no question has enough.
    """
    if settings.metric == "zero_one":
        raise ValueError("ensembles need brier or kl")
    enough = LEAST_ENSEMBLES if settings.metric == "kl" else 4
    samples, fewer = with_enough(readable(records, settings), enough)
    if samples.least < enough:
        what = "KL of ensembles needs" if settings.metric == "kl" else "ensembles need"
        raise ValueError(f"{what} {enough} samples of a question, and none of {fewer} has them")
    return samples, fewer


def _planned(least: int, ensembles: int, kl: bool) -> _Plan:
    """Return which ensembles questions of so many samples at least allow."""
    sizes = sizes_to(least // (LEAST_ENSEMBLES if kl else 2))
    # The same number at every size that is compared plug-in: that of the largest of which six fit.
    largest = max((size for size in sizes if least // size >= LEAST_ENSEMBLES), default=None)
    compared = min(max(ensembles, LEAST_ENSEMBLES), least // largest) if largest else None
    counts = [compared if kl and compared else min(ensembles, least // size) for size in sizes]
    return _Plan(sizes, counts, compared)


def _forms(drawn: _Drawn, plan: _Plan, least: int) -> tuple[list[Pairs], list[Pairs], list[str | None]]:
    """Return what the plug-in and the corrected form are read from at each size, and why the second is not.

    What there is none of is NaN.
    """
    sizes, counts, compared = plan
    corrected = [drawn.of_size(size, count) for size, count in zip(sizes, counts, strict=True)]
    plugin = [
        pairs
        if count == compared
        else _none(pairs)
        if compared is None or size * compared > least
        else drawn.of_size(size, compared)
        for pairs, size, count in zip(corrected, sizes, counts, strict=True)
    ]
    why: list[str | None] = [None] * len(sizes)
    if drawn.settings.metric == "kl":
        why = [drawn.why_none(size, count) for size, count in zip(sizes, counts, strict=True)]
        corrected = [
            pairs if none is None else _none(pairs) for pairs, none in zip(corrected, why, strict=True)
        ]
    return plugin, corrected, why


def _parts(by_size: Sequence[Decomposition], most: float, clusters: Clusters) -> EnsembleParts:
    """Return the means of questions at each size."""
    arrays = {
        name: np.stack([getattr(part, name) for part in by_size], axis=1)
        for name in Decomposition._fields
    }
    values, ends = estimate_parts(arrays, most, clusters)
    return EnsembleParts(**{name: estimates_of(values[name], ends[name]) for name in values})


def _none(pairs: Pairs) -> Pairs:
    return jax.tree.map(lambda part: np.full(np.shape(part), np.nan), pairs)


def _ensembles_of(
    block: Block, orders: Sequence[Int[np.ndarray, "questions samples"]], size: int, count: int
) -> Block:
    """Return means of disjoint ensembles as samples; a question each draw, draw after draw."""
    order = np.stack(orders)[..., : size * count]
    drawn = np.take_along_axis(block.floored()[None], order[..., None], axis=2)
    shape = (len(orders) * len(block.target), size * count, block.probs.shape[-1])
    probs = np.asarray(ensemble_means(drawn.reshape(shape), size))
    alone = np.zeros(probs.shape[:2], int)
    many = np.tile(block.target, len(orders)), np.tile(block.question, len(orders))
    return Block(probs, many[0], np.ones(probs.shape[:2], bool), many[1], alone - 1, alone)


def _of_ensembles(
    block: Block,
    orders: Sequence[Int[np.ndarray, "questions samples"]],
    contexts: Contexts | None,
    size: int,
    count: int,
    settings: AnalysisSettings,
) -> tuple[Decomposition, Decomposition]:
    """Return the plug-in and the corrected decomposition of ensembles, means over draws."""
    if settings.metric != "kl":
        block = block._replace(floor=None)
    of = _ensembles_of(block, orders, size, count)
    arrays = map(jnp.asarray, (of.probs, of.target, of.present))
    forms = decompose(settings.metric, *arrays, settings.smoothing)
    plugin, corrected = jax.tree.map(
        lambda part: np.asarray(part).reshape(len(orders), -1).mean(axis=0), forms
    )
    if settings.metric == "brier" and contexts is not None:
        shared = _shared(block) * np.where(contexts.number > 1, np.nan_to_num(contexts.between), 0)
        error, bias2, variance = corrected
        corrected = Decomposition(
            error - shared * (1 - 1 / size), bias2 - shared, variance + shared / size
        )
    return plugin, corrected


def _shared(block: Block) -> Float[np.ndarray, " questions"]:
    """Return the share of a question's pairs of samples that are of one context."""
    sizes = context_sizes(block.present, block.context)
    total = sizes.sum(axis=1)
    return (sizes * (sizes - 1)).sum(axis=1) / (total * (total - 1))


def sizes_to(most: int) -> list[int]:
    """Return all sizes to 4, and then about evenly in the logarithm."""
    return sorted(
        {*range(1, min(4, most) + 1), *np.geomspace(1, most, MOST_SIZES).round().astype(int).tolist()}
    )


def _together(decompositions: Iterable[Decomposition]) -> Decomposition:
    return jax.tree.map(lambda *parts: np.concatenate(parts), *decompositions)


def compute(case: Case) -> Ensembles:
    """Return values of means of samples."""
    return ensembling(case.records, case.analysis, case.settings.ensembles)


def tell(results: Mapping[str, Ensembles]) -> str:
    """Return the section."""
    rows = [row for model, result in results.items() for row in _rows(model, result)]
    notes = [
        f"- {model}, E = {size}: {why}."
        for model, result in results.items()
        for size, why in zip(result.sizes, result.no_corrected, strict=True)
        if why is not None
    ]
    header = ["model", "E", "estimate", "ensembles", "questions", "samples",
              *(PARTS_NAMED.get(name, name) for name in PARTS), "variance by 1/E"]  # fmt: skip
    return (
        "Means of E samples over disjoint ensembles, drawn at random over all contexts "
        f"{next(iter(results.values())).draws} times. Plug-in values hang on how many ensembles are "
        "compared: they are of as many at every size, and there are none where fewer than six fit. By 1/E: "
        "the corrected variance of single samples divided by E.\n\n"
        + "\n\n".join(filter(None, [table(header, rows), "\n".join(notes)]))
    )


def _rows(model: str, result: Ensembles) -> list[list[str]]:
    """Return a row a size and form that there is."""
    rows = []
    used = str(result.samples_a_question * result.questions)
    for i, size in enumerate(result.sizes):
        expected = "–" if result.expected is None else cell(result.expected.variance[i])
        for parts, form, count, law in (
            (result.plugin, "plugin", result.compared, ""),
            (result.corrected, "corrected", result.ensembles[i], expected),
        ):
            if parts.variance.value[i] is None:
                continue
            cells = [cell(getattr(parts, name)[i]) for name in PARTS]
            names = [model, str(size), FORM_NAMES[form], str(count)]
            rows.append([*names, str(result.questions), used, *cells, law])
    return rows
