"""What more samples do: ensembles of them, and estimates from fewer."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Array, Float, Int

from hotmess_jax.llm.analyses.clusters import among, clusters_of
from hotmess_jax.llm.analyses.decomposing import (
    Contexts,
    Metric,
    decompose,
    decompose_block,
    plugin_of,
)
from hotmess_jax.llm.analyses.kl_correction import why_none
from hotmess_jax.llm.analyses.precision import in_float64
from hotmess_jax.llm.analyses.questions import (
    FORMS,
    AnalysisSettings,
    Json,
    Questions,
    estimate_parts,
    most_error,
    overall,
    questions_of,
    to_json,
    with_intervals,
)
from hotmess_jax.llm.analyses.samples import QUESTION, Block, Samples, context_sizes, to_samples
from hotmess_jax.llm.analyses.series import one_series
from kernels.decompositions import Decomposition
from kernels.estimators import ensemble_means, expected_ensemble_brier
from kernels.resampling import sample_efficiency

MOST_SIZES = 12
# Fewer ensembles than these are not compared by KL or plug-in.
LEAST_ENSEMBLES = 6


@in_float64
def ensembling(
    records: pl.DataFrame, settings: AnalysisSettings, ensembles: int = 10, draws: int = 20
) -> Json:
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

    Returns:
        `sizes`, how many `ensembles` of each the corrected form is of, `compared`, the number that the plug-in
        form is of, and of each form in the sizes' order error, bias2, variance and incoherence with
        intervals; for Brier also `expected`: the unbiased parts of single samples, their variance divided by
        E. `no_corrected` says of each size why there is no corrected form.

    Raises:
        ValueError: for the 0/1 error, or where no question has four samples or, of KL, six.

    Source: Hägele et al. 2026, Section 3.3.2, Figures 7b and 11: ten ensembles of a size.
    """
    if settings.metric == "zero_one":
        raise ValueError("ensembles need brier or kl")
    kl = settings.metric == "kl"
    enough = LEAST_ENSEMBLES if kl else 4
    samples, fewer = _with_enough(_readable(records, settings), enough)
    least = samples.least
    if least < enough:
        what = "KL of ensembles needs" if kl else "ensembles need"
        raise ValueError(f"{what} {enough} samples of a question, and none of {fewer} has them")
    sizes = sizes_to(least // (LEAST_ENSEMBLES if kl else 2))
    # The same number at every size that is compared plug-in: that of the largest of which six fit.
    largest = max((size for size in sizes if least // size >= LEAST_ENSEMBLES), default=None)
    compared = min(max(ensembles, LEAST_ENSEMBLES), least // largest) if largest else None
    counts = [compared if kl and compared else min(ensembles, least // size) for size in sizes]
    single = [decompose_block(settings.metric, block, settings.smoothing) for block in samples.blocks]
    random = np.random.default_rng(settings.seed)
    orders = [[_shuffled(block, random) for _ in range(draws)] for block in samples.blocks]
    found: Json = {
        "metric": settings.metric,
        "questions": sum(len(block.target) for block in samples.blocks),
        "fewer_samples": fewer,
        "samples_a_question": least,
        "sizes": sizes,
        "ensembles": counts,
        "compared": compared,
        "draws": draws,
        "no_corrected": [None] * len(sizes),
    }

    def of_size(size: int, count: int) -> list[tuple[Decomposition, Decomposition]]:
        return [
            _of_ensembles(block, order, contexts, size, count, settings)
            for block, order, (_, _, contexts) in zip(samples.blocks, orders, single, strict=True)
        ]

    corrected = [of_size(size, count) for size, count in zip(sizes, counts, strict=True)]
    plugin = [
        pairs
        if count == compared
        else _none(pairs)
        if compared is None or size * compared > least
        else of_size(size, compared)
        for pairs, size, count in zip(corrected, sizes, counts, strict=True)
    ]
    if kl:
        for i, size in enumerate(sizes):
            drawn = [
                _ensembles_of(block, order[:1], size, counts[i])
                for block, order in zip(samples.blocks, orders, strict=True)
            ]
            found["no_corrected"][i] = why = why_none(
                drawn, settings.smoothing, settings.resamples, settings.seed
            )
            if why is not None:
                corrected[i] = _none(corrected[i])
    most = most_error(samples.blocks, settings)
    labels = clusters_of(records, samples.table, settings.cluster)
    clusters = among(labels, np.concatenate([block.question for block in samples.blocks]))
    for i, (form, by_size) in enumerate(zip(FORMS, (plugin, corrected), strict=True)):
        parts = [_together(pair[i] for pair in pairs) for pairs in by_size]
        found[form] = with_intervals(*estimate_parts(_by_size(parts), most, clusters))
    if settings.metric == "brier":
        alone = _together(of for _, of, _ in single if of is not None)
        expected = [expected_ensemble_brier(alone, size) for size in sizes]
        found["expected"] = with_intervals(*estimate_parts(_by_size(expected), most, clusters))
    return found


def _none(
    pairs: list[tuple[Decomposition, Decomposition]],
) -> list[tuple[Decomposition, Decomposition]]:
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


def _readable(records: pl.DataFrame, settings: AnalysisSettings) -> Samples:
    """Return the samples, where any question is decomposed."""
    samples = to_samples(records, settings.unparsed)
    if not samples.blocks:
        raise ValueError(samples.why_none)
    return samples


def _with_enough(samples: Samples, least: int) -> tuple[Samples, int]:
    """Return the questions that have at least so many samples, and how many have fewer."""
    enough = [(block, block.present.sum(axis=1) >= least) for block in samples.blocks]
    kept = [
        block._replace(**{name: part[of] for name, part in block._asdict().items() if part is not None})
        for block, of in enough
        if of.any()
    ]
    return samples._replace(blocks=kept), sum(int((~of).sum()) for _, of in enough)


def _shuffled(block: Block, random: np.random.Generator) -> Int[np.ndarray, "questions samples"]:
    """Return each question's samples in random order, those that are there first."""
    return np.argsort(np.where(block.present, random.random(block.present.shape), np.inf), axis=1)


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


def _by_size(parts: Sequence[Decomposition]) -> dict[str, np.ndarray]:
    """Return arrays `[questions, sizes]`."""
    return {
        name: np.stack([getattr(part, name) for part in parts], axis=1)
        for name in Decomposition._fields
    }


def sizes_to(most: int) -> list[int]:
    """Return all sizes to 4, and then about evenly in the logarithm."""
    return sorted(
        {*range(1, min(4, most) + 1), *np.geomspace(1, most, MOST_SIZES).round().astype(int).tolist()}
    )


def _together(decompositions: Iterable[Decomposition]) -> Decomposition:
    return jax.tree.map(lambda *parts: np.concatenate(parts), *decompositions)


@in_float64
def efficiency(records: pl.DataFrame, settings: AnalysisSettings, replicates: int = 30) -> Json:
    """Return what n of the R samples would have given, n = 2..R/2: mean and spread over draws.

    R is the least number of samples of any question that has four; of questions with more, R are drawn at
    random. Questions with fewer are left out and counted. The spread is that of n new samples of the same
    questions.

    Raises:
        ValueError: where no question has four samples.

    Source: Hägele et al. 2026, Figure 21.
    """
    samples, fewer = _with_enough(_readable(records, settings), 4)
    least = samples.least
    if least < 4:
        raise ValueError(
            f"sample efficiency needs 4 samples of a question, and none of {fewer} has them"
        )
    random = np.random.default_rng(settings.seed)
    counts = np.asarray([len(block.target) for block in samples.blocks])
    curves = [
        sample_efficiency(
            jax.random.fold_in(jax.random.key(settings.seed), i),
            _decompose(settings.metric, settings.smoothing),
            np.take_along_axis(
                block.floored() if settings.metric == "kl" else block.probs,
                _shuffled(block, random)[:, :least, None],
                axis=1,
            ),
            block.target,
            replicates=replicates,
        )
        for i, block in enumerate(samples.blocks)
    ]
    # Questions with other numbers of classes are drawn on their own: means add up, and so do squares.
    share = counts / counts.sum()
    found = {
        name: share @ np.stack([getattr(curve, name) for curve in curves])
        for name in ("bias2", "variance")
    }
    found |= {
        f"{name}_spread": np.sqrt(
            share**2 @ np.stack([getattr(curve, f"{name}_spread") for curve in curves]) ** 2
        )
        for name in ("bias2", "variance")
    }
    return {
        "metric": settings.metric,
        "questions": int(counts.sum()),
        "fewer_samples": fewer,
        "draws": replicates,
        "samples": to_json(curves[0].samples),
        **to_json(found),
    }


@functools.cache
def _decompose(metric: Metric, smoothing: float) -> Callable[[Array, Array, Array], Decomposition]:
    def of(probs: Array, target: Array, present: Array) -> Decomposition:
        return plugin_of(metric, probs, target, present, smoothing)

    return of


def sensitivity(
    records: pl.DataFrame,
    settings: AnalysisSettings,
    headline: Questions | None = None,
    smoothings: Sequence[float] = (1e-15, 1e-12, 1e-9, 1e-6, 1e-3),
) -> list[Json]:
    """Return how the headline incoherence moves with what was decided on the way.

    Treatments of unparsed answers, the smoothing (kl only), leaving out questions whose label is known
    to be wrong, and the number of samples (n of each question, drawn at random over its contexts), each
    alone.

    Args:
        records: of one model.
        settings: the headline's; with `resamples` 0, KL has plug-in values alone, and whether its corrected
            value holds is not judged case by case, which takes most of the time.
        headline: what `questions_of` gives of the records and settings, where it is known.
        smoothings: δ of the KL decomposition.
    """
    records = one_series(records).table
    samples = to_samples(records, settings.unparsed)
    cases: list[tuple[str, str, pl.DataFrame, AnalysisSettings, Samples | None]]
    cases = [("headline", "", records, settings, samples)]
    for policy in ("uniform", "drop", "wrong"):
        if policy != settings.unparsed and samples.unparsed > 0:
            changed = dataclasses.replace(settings, unparsed=policy)
            cases.append(("unparsed", policy, records, changed, None))
    if settings.metric == "kl":
        for smoothing in smoothings:
            changed = dataclasses.replace(settings, smoothing=smoothing)
            cases.append(("smoothing", f"{smoothing:g}", records, changed, samples))
    if "error_type" in records.columns:
        right = pl.col("error_type").is_null() | (pl.col("error_type") == "ok")
        cases.append(("labels known to be wrong", "left out", records.filter(right), settings, None))
    most = int(records.group_by(QUESTION).len()["len"].to_numpy().max())
    chance = np.random.default_rng(settings.seed).random(records.height)
    place = pl.col("chance").rank("ordinal").over(QUESTION)
    shuffled = records.with_columns(chance=chance)
    for count in (3, 5, 10, 20):
        if count < most:
            few = shuffled.filter(place <= count).drop("chance")
            cases.append(("samples", f"{count} at random", few, settings, None))
    # Cases that change nothing are the headline: what is known of it is not found out again.
    same: Json | None = None if headline is None else overall(headline, settings)
    found = []
    for what, value, part, changed, known in cases:
        unchanged = part is records and changed == settings
        try:
            row = same if unchanged and same else overall(questions_of(part, changed, known), changed)
            same = row if unchanged else same
            found.append({"what": what, "value": value} | row)
        except ValueError as error:
            found.append({"what": what, "value": value, "missing": str(error)})
    return found
