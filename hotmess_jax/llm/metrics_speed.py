"""How fast the metric kernels are beside NumPy; its settings need no extra, the measuring needs llm."""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax
import numpy as np

from hotmess_jax.presentation.limits import Limits


@dataclass(frozen=True)
class MetricsBenchmark:
    """The metric kernels with bootstrap intervals over questions, and NumPy; prints one JSON line."""

    questions: Annotated[int, Limits(2)] = 5_700
    """Questions (the paper's number for MMLU)."""

    samples: Annotated[int, Limits(2)] = 30
    """Samples a question."""

    classes: Annotated[int, Limits(2)] = 4
    """Options a question."""

    resamples: Annotated[int, Limits(2)] = 1_000
    """Bootstrap replicates."""

    repeats: Annotated[int, Limits(2)] = 5
    """Timed runs of the kernels, after one that compiles; the median counts. NumPy runs once."""


def metrics_speed(config: MetricsBenchmark) -> dict[str, object]:
    """Time the kernels and NumPy on the same answers.

    Raises:
        ImportError: where the extra llm is missing.
    """
    try:
        from hotmess_jax.llm.measures.decomposing import METRICS
        from hotmess_jax.llm.measures.questions import (
            AnalysisSettings,
            decompose_blocks,
            estimate_parts,
        )
        from hotmess_jax.llm.measures.samples import Block
    except ImportError:
        raise ImportError("metrics needs the extra llm: pip install -e '.[llm]'") from None
    rng = np.random.default_rng(0)
    shape = (config.questions, config.samples)
    probs = rng.dirichlet(np.full(config.classes, 0.5), shape)
    target = rng.integers(0, config.classes, config.questions)
    place = np.arange(config.questions)
    record = np.arange(probs[..., 0].size).reshape(shape)
    blocks = [Block(probs, target, np.ones(shape, bool), place, record, np.zeros(shape, int))]

    def kernels() -> None:
        for metric in METRICS:
            settings = AnalysisSettings(metric, resamples=config.resamples)
            decomposed = decompose_blocks(blocks, settings)
            for form in (decomposed.plugin, decomposed.corrected):
                estimate_parts(form._asdict(), decomposed.most)

    compiling = _seconds(kernels)
    times = [_seconds(kernels) for _ in range(config.repeats)]
    numpy_seconds = _seconds(lambda: _numpy_bootstrap(probs, target, config.resamples))
    median = statistics.median(times)
    return {
        "benchmark": "metrics",
        "shape": list(probs.shape),
        "resamples": config.resamples,
        "first_s": round(compiling, 3),
        "median_s": round(median, 3),
        "spread_s": [round(min(times), 3), round(max(times), 3)],
        "numpy_s": round(numpy_seconds, 3),
        "ratio": round(numpy_seconds / median, 1),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _numpy_bootstrap(probs: np.ndarray, target: np.ndarray, resamples: int) -> np.ndarray:
    """Resample questions in a loop and decompose each time, as one would write it in NumPy."""
    rng = np.random.default_rng(1)
    replicates = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(probs), len(probs))
        p, t = probs[drawn], target[drawn]
        rows = np.arange(len(t))
        mean = p.mean(axis=1)
        brier_bias2 = ((mean - np.eye(p.shape[2])[t]) ** 2).sum(axis=1).mean()
        brier_variance = ((p - mean[:, None]) ** 2).sum(axis=2).mean()
        log_mean = np.log((p + 1e-12) / (1 + p.shape[2] * 1e-12)).mean(axis=1)
        kl_variance = -np.log(np.exp(log_mean).sum(axis=1))
        kl_bias2 = (-log_mean[rows, t] - kl_variance).mean()
        mode, answers = mean.argmax(axis=1), p.argmax(axis=2)
        wrong, off = (mode != t).mean(), (answers != mode[:, None]).mean()
        replicates.append([brier_bias2, brier_variance, kl_bias2, kl_variance.mean(), wrong, off])
    return np.percentile(replicates, [2.5, 97.5], axis=0)
