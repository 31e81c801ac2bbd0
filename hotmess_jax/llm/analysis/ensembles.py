"""What more samples do: ensembles of them, and estimates from fewer."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jaxtyping import Array, Float, Int

from hotmess_jax.llm.analysis.questions import (
    FORMS,
    AnalysisSettings,
    Json,
    estimate,
    mean_parts,
    overall,
    questions_of,
    to_json,
    with_intervals,
)
from hotmess_jax.llm.analysis.samples import Samples, to_samples
from hotmess_jax.llm.analysis.summary import Metric, decompose, plugin_of
from kernels.decompositions import Decomposition
from kernels.estimators import ensemble_means, expected_ensemble_brier
from kernels.resampling import sample_efficiency

MOST_SIZES = 12


def ensembling(records: pl.DataFrame, settings: AnalysisSettings) -> Json:
    """Return bias², variance and incoherence of means of E samples, beside the 1/E law.

    Args:
        records: of one model; each question's first R samples are used, R the least number of any.
        settings: metric (brier or kl) and the rest.

    Returns:
        `sizes`, and of each form in their order error, bias2, variance and incoherence with intervals;
        for Brier also `expected`: the unbiased parts of single samples, their variance divided by E.

    Raises:
        ValueError: for the 0/1 error, or where a question has fewer than four samples.

    Source: Hägele et al. 2026, Section 3.3.2, Figures 7b and 11.
    """
    if settings.metric == "zero_one":
        raise ValueError("ensembles need brier or kl")
    samples = to_samples(records, settings.unparsed)
    least = min((int(block.present.sum(axis=1).min()) for block in samples.blocks), default=0)
    if least < 4:
        raise ValueError(f"ensembles need 4 samples of each question, and one has {least}")
    sizes = _sizes(least // 2)
    firsts = [(block.probs[:, :least], block.target) for block in samples.blocks]
    by_size = [
        [
            _decompose_all(ensemble_means(probs, size), target, settings.metric, settings.smoothing)
            for probs, target in firsts
        ]
        for size in sizes
    ]
    found: Json = {
        "metric": settings.metric,
        "questions": sum(len(target) for _, target in firsts),
        "samples_a_question": least,
        "sizes": sizes,
    }
    for i, form in enumerate(FORMS):
        parts = [_together(pair[i] for pair in pairs) for pairs in by_size]
        found[form] = with_intervals(*estimate(mean_parts, _by_size(parts), settings))
    if settings.metric == "brier":
        single = _together(pair[1] for pair in by_size[0])
        expected = [expected_ensemble_brier(single, size) for size in sizes]
        found["expected"] = with_intervals(*estimate(mean_parts, _by_size(expected), settings))
    return found


def _decompose_all(
    probs: Float[Array, "questions samples classes"],
    target: Int[np.ndarray, " questions"],
    metric: Metric,
    smoothing: float,
) -> tuple[Decomposition, Decomposition]:
    """Return the plug-in and the corrected decomposition where every question has every sample."""
    present = jnp.ones(probs.shape[:2], bool)
    plugin, corrected = decompose(metric, probs, jnp.asarray(target), present, smoothing)
    assert corrected is not None, metric
    return plugin, corrected


def _by_size(parts: Sequence[Decomposition]) -> dict[str, np.ndarray]:
    """Return arrays `[questions, sizes]`."""
    return {
        name: np.stack([getattr(part, name) for part in parts], axis=1)
        for name in Decomposition._fields
    }


def _sizes(most: int) -> list[int]:
    """Return all sizes to 4, and then about evenly in the logarithm."""
    return sorted(
        {*range(1, min(4, most) + 1), *np.geomspace(1, most, MOST_SIZES).round().astype(int).tolist()}
    )


def _together(decompositions: Iterable[Decomposition]) -> Decomposition:
    return jax.tree.map(lambda *parts: np.concatenate(parts), *decompositions)


def efficiency(records: pl.DataFrame, settings: AnalysisSettings, replicates: int = 30) -> Json:
    """Return what n of the R samples would have given, n = 2..R: mean and spread over draws.

    Raises:
        ValueError: where a question has fewer than three samples.

    Source: Hägele et al. 2026, Figure 21.
    """
    samples = to_samples(records, settings.unparsed)
    least = min((int(block.present.sum(axis=1).min()) for block in samples.blocks), default=0)
    if least < 3:
        raise ValueError(f"sample efficiency needs 3 samples of each question, and one has {least}")
    counts = np.asarray([len(block.target) for block in samples.blocks])
    curves = [
        sample_efficiency(
            jax.random.fold_in(jax.random.key(settings.seed), i),
            _decompose(settings.metric, settings.smoothing),
            block.probs[:, :least],
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
    smoothings: Sequence[float] = (1e-15, 1e-12, 1e-9, 1e-6, 1e-3),
) -> list[Json]:
    """Return how the headline incoherence moves with what was decided on the way.

    Treatments of unparsed answers, the smoothing (kl only), leaving out questions whose label is known
    to be wrong, and the number of samples (the first n of each question), each alone.

    Args:
        records: of one model.
        settings: the headline's.
        smoothings: δ of the KL decomposition.
    """
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
    place = pl.int_range(pl.len()).over(["benchmark", "question_id"])
    most = int(records.group_by(["benchmark", "question_id"]).len()["len"].to_numpy().max())
    for count in (3, 5, 10, 20):
        if count < most:
            few = records.sort(["context", "sample"]).filter(place < count)
            cases.append(("samples", f"first {count}", few, settings, None))
    found = []
    for what, value, part, changed, known in cases:
        try:
            found.append(
                {"what": what, "value": value} | overall(questions_of(part, changed, known), changed)
            )
        except ValueError as error:
            found.append({"what": what, "value": value, "missing": str(error)})
    return found
