"""What more samples do: ensembles of them, and estimates from fewer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.clusters import among, clusters_of
from hotmess_jax.llm.measures.decomposing import Contexts, decompose, decompose_block
from hotmess_jax.llm.measures.enough import readable, shuffled, with_enough
from hotmess_jax.llm.measures.kl_correction import why_none
from hotmess_jax.llm.measures.precision import in_float64
from hotmess_jax.llm.measures.questions import (
    FORMS,
    AnalysisSettings,
    Json,
    estimate_parts,
    most_error,
    with_intervals,
)
from hotmess_jax.llm.measures.samples import Block, context_sizes
from hotmess_jax.llm.telling import FORM_NAMES, cell_at
from hotmess_jax.presentation.tables import table
from kernels.decompositions import Decomposition
from kernels.estimators import ensemble_means, expected_ensemble_brier

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
    samples, fewer = with_enough(readable(records, settings), enough)
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
    orders = [[shuffled(block, random) for _ in range(draws)] for block in samples.blocks]
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


def compute(case: Case) -> Json:
    """Return values of means of samples."""
    return ensembling(case.records, case.analysis, case.settings.ensembles)


def tell(results: Mapping[str, Any]) -> str:
    """Return the section."""
    rows = []
    for model, result in results.items():
        used = str(result["samples_a_question"] * result["questions"])
        for i, size in enumerate(result["sizes"]):
            expected = cell_at(result["expected"]["variance"], i) if "expected" in result else "–"
            for form, text in FORM_NAMES.items():
                cells = [
                    cell_at(result[form][k], i) for k in ("error", "bias2", "variance", "incoherence")
                ]
                if result[form]["variance"]["value"][i] is None:
                    continue
                count = str(result["ensembles"][i] if form == "corrected" else result["compared"])
                law = expected if form == "corrected" else ""
                rows.append(
                    [model, str(size), text, count, str(result["questions"]), used, *cells, law]
                )
    notes = [
        f"- {model}, E = {size}: {why}."
        for model, result in results.items()
        for size, why in zip(result["sizes"], result["no_corrected"], strict=True)
        if why is not None
    ]
    header = [
        "model",
        "E",
        "estimate",
        "ensembles",
        "questions",
        "samples",
        "error",
        "bias²",
        "variance",
        "incoherence",
        "variance by 1/E",
    ]
    return (
        "Means of E samples over disjoint ensembles, drawn at random over all contexts "
        f"{next(iter(results.values()))['draws']} times. Plug-in values hang on how many ensembles are "
        "compared: they are of as many at every size, and there are none where fewer than six fit. By 1/E: "
        "the corrected variance of single samples divided by E.\n\n"
        + "\n\n".join(filter(None, [table(header, rows), "\n".join(notes)]))
    )
