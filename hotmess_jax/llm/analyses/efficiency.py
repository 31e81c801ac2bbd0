"""What fewer samples would have given."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import numpy as np
import polars as pl
from jaxtyping import Array

from hotmess_jax.llm.cases import Case
from hotmess_jax.llm.measures.decomposing import Metric, plugin_of
from hotmess_jax.llm.measures.enough import readable, shuffled, with_enough
from hotmess_jax.llm.measures.precision import in_float64
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import number
from kernels.decompositions import Decomposition
from kernels.resampling import sample_efficiency


@dataclass(frozen=True, slots=True)
class Efficiency:
    """What n samples of each question would have given, plug-in."""

    metric: Metric
    questions: int
    # Questions that are left out for having fewer than four samples; None in documents that do not say.
    fewer_samples: int | None
    draws: int
    # Each n, and of each the means, and the standard deviations between sets of so many new samples.
    samples: tuple[int, ...]
    bias2: tuple[float, ...]
    variance: tuple[float, ...]
    bias2_spread: tuple[float, ...]
    variance_spread: tuple[float, ...]


Result = Efficiency


@in_float64
def efficiency(records: pl.DataFrame, settings: AnalysisSettings, replicates: int = 30) -> Efficiency:
    """Return what n of the R samples would have given, n = 2..R/2: mean and spread over draws.

    R is the least number of samples of any question that has four; of questions with more, R are drawn at
    random. Questions with fewer are left out and counted. The spread is that of n new samples of the same
    questions.

    Raises:
        ValueError: where no question has four samples.

    Source: Hägele et al. 2026, Figure 21.
    """
    samples, fewer = with_enough(readable(records, settings), 4)
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
                shuffled(block, random)[:, :least, None],
                axis=1,
            ),
            block.target,
            replicates=replicates,
        )
        for i, block in enumerate(samples.blocks)
    ]
    # Questions with other numbers of classes are drawn on their own: means add up, and so do squares.
    share = counts / counts.sum()

    def mean(name: str) -> tuple[float, ...]:
        return tuple((share @ np.stack([getattr(curve, name) for curve in curves])).tolist())

    def spread(name: str) -> tuple[float, ...]:
        squares = np.stack([getattr(curve, f"{name}_spread") for curve in curves]) ** 2
        return tuple(np.sqrt(share**2 @ squares).tolist())

    numbers = tuple(np.asarray(curves[0].samples).tolist())
    return Efficiency(
        settings.metric,
        int(counts.sum()),
        fewer,
        replicates,
        numbers,
        mean("bias2"),
        mean("variance"),
        spread("bias2"),
        spread("variance"),
    )


@functools.cache
def _decompose(metric: Metric, smoothing: float) -> Callable[[Array, Array, Array], Decomposition]:
    def of(probs: Array, target: Array, present: Array) -> Decomposition:
        return plugin_of(metric, probs, target, present, smoothing)

    return of


def compute(case: Case) -> Efficiency:
    """Return what fewer samples would have given."""
    return efficiency(case.records, case.analysis)


def tell(results: Mapping[str, Efficiency]) -> str:
    """Return the section."""
    rows = [
        [model, str(n), str(result.questions),
         f"{number(result.bias2[i])} ± {number(result.bias2_spread[i], 2)}",
         f"{number(result.variance[i])} ± {number(result.variance_spread[i], 2)}"]
        for model, result in results.items()
        for i, n in enumerate(result.samples)
    ]  # fmt: skip
    draws = next(iter(results.values())).draws
    return (
        f"Plug-in, mean over {draws} draws from the samples there are, up to half of them, ± the standard "
        "deviation between sets of so many new samples of the same questions.\n\n"
        + table(["model", "samples a question", "questions", "bias²", "variance"], rows)
    )
