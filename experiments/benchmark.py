"""Speed: python -m experiments.benchmark metrics.

Prints one JSON line: the seconds of the project's kernels beside straightforward NumPy in the same run,
on the same random answers, in float64.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import numpy as np
import tyro

from hotmess_jax.command_line import fail, parse
from hotmess_jax.llm.analysis import METRICS, Block, metric_summary


@dataclass(frozen=True)
class BenchmarkConfig:
    """Measure the speed of a part of the project."""

    part: Annotated[Literal["metrics"], tyro.conf.Positional]
    """metrics: kl, brier and zero_one with bootstrap intervals over questions."""

    questions: int = 5_700
    """Questions (the paper's number for MMLU)."""

    samples: int = 30
    """Samples a question."""

    classes: int = 4
    """Options a question."""

    resamples: int = 1_000
    """Bootstrap replicates."""

    repeats: int = 5
    """Timed runs of the kernels, after one that compiles; the median counts. NumPy runs once."""


def main() -> None:
    """Parse the command line, measure, print."""
    config = parse(BenchmarkConfig)
    for name in ("questions", "samples", "classes", "resamples", "repeats"):
        if getattr(config, name) < 2:
            fail(f"{name} must be at least 2, got {getattr(config, name)}")
    with jax.enable_x64(True):
        print(json.dumps(measure_metrics(config)))


def measure_metrics(config: BenchmarkConfig) -> dict[str, object]:
    """Time the kernels and NumPy on the same answers."""
    rng = np.random.default_rng(0)
    shape = (config.questions, config.samples)
    probs = rng.dirichlet(np.full(config.classes, 0.5), shape)
    target = rng.integers(0, config.classes, config.questions)
    place = np.arange(config.questions)
    record = np.arange(probs[..., 0].size).reshape(shape)
    blocks = [Block(probs, target, np.ones(shape, bool), place, record)]

    def kernels() -> None:
        for metric in METRICS:
            metric_summary(blocks, metric, 1e-12, config.resamples, 0)

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


if __name__ == "__main__":
    main()
