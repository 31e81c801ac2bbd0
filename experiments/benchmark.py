"""Speed: python -m experiments.benchmark train|rollout|sweep|data|metrics.

Training and rollouts beside the machine's own rate of matrix products; the loader beside training; the
metric kernels beside NumPy. With --json one JSON line a measurement, else a table.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from rich.console import Console

from hotmess_jax.machine.provenance import git_commit
from hotmess_jax.machine.sharding import make_mesh, use_every_core
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    failing_on,
    parse_any,
    try_outputs,
)
from hotmess_jax.presentation.limits import Limits, check_limits
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.synthetic.model import Attention, parse_size
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.speed import (
    Workload,
    data_speed,
    machine,
    rollout_speed,
    to_json,
    train_speed,
)
from hotmess_jax.synthetic.train import Compute, check_attention


@dataclass(frozen=True, kw_only=True)
class Models:
    """What measurements of models share."""

    size: tuple[str, ...] = ("47k", "200k", "790k")
    """Model sizes, as synthetic_sweep names them."""

    dimension: Annotated[int, Limits(1)] = 4
    """Variables of the quadratic."""

    precision: Annotated[int, Limits(1, 5)] = 4
    """Mantissa digits after the first."""

    compute: Compute = "float32"
    """Number format of matrix products, the models' and those that the machine's rate is of."""

    attention: Attention = "xla"
    """Attention within whole sequences; as in synthetic_sweep."""

    batch: Annotated[int, Limits(1)] = 1_024
    """Pairs in a training batch."""

    micro_batch: Annotated[int | None, Limits(0)] = None
    """Pairs whose gradients a device computes at once; as in synthetic_sweep."""

    steps_per_dispatch: Annotated[int, Limits(1)] = 2
    """Training steps in a call of the compiled program."""

    replicates: Annotated[int, Limits(1)] = 1
    """Trainings in one program; rates count the pairs of all."""

    starts: Annotated[int, Limits(1)] = 512
    """Starts rolled out side by side."""

    rollout_steps: Annotated[int, Limits(1)] = 2
    """Updates from each start in a call."""

    repeats: Annotated[int, Limits(1)] = 5
    """Timed calls, after one that compiles; the median counts."""

    json: bool = False
    """Print one JSON line a measurement."""


@dataclass(frozen=True, kw_only=True)
class Train(Models):
    """Training steps."""


@dataclass(frozen=True, kw_only=True)
class Rollout(Models):
    """Greedy rollouts."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Models):
    """Both, and how long the paper preset's models of these sizes would take."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The trajectories of a preset: made, stored, read back, and served in batches."""

    preset: str = "paper"
    """Whose trajectories."""

    batches: Annotated[int, Limits(1)] = 20_000
    """Batches to read."""

    folder: Path = Path("results/runs")
    """Where a store is made, and deleted again."""

    json: bool = False
    """Print one JSON line."""


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


Part = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Rollout, tyro.conf.subcommand("rollout")]
    | Annotated[Sweep, tyro.conf.subcommand("sweep")]
    | Annotated[Data, tyro.conf.subcommand("data")]
    | Annotated[MetricsBenchmark, tyro.conf.subcommand("metrics")]
)


@ending_in_one_line()
def main() -> None:
    """Parse the command line, measure, print."""
    config = parse_any(Part)
    with failing_on(ValueError):
        check_limits(config)
    if isinstance(config, MetricsBenchmark):
        with jax.enable_x64(True):
            print(json.dumps(measure_metrics(config)))
        return
    use_every_core()
    if isinstance(config, Data):
        if config.preset not in PRESETS:
            fail(f"unknown preset {config.preset!r}: expected one of {', '.join(PRESETS)}")
        try_outputs(folders=[config.folder])
        config.folder.mkdir(parents=True, exist_ok=True)
        found = to_json(data_speed(PRESETS[config.preset], config.folder, config.batches))
        show([{"benchmark": "data", "preset": config.preset} | found | about()], config.json)
        return
    check(config)
    rates = to_json(machine(make_mesh(config.batch), config.compute))
    rows = []
    for size in config.size:
        for kind in ("train", "rollout"):
            if isinstance(config, Rollout if kind == "train" else Train):
                continue
            found = measure(kind, size, config)
            share = found["flops_per_s"] / rates["matrix_flops_per_s"]
            row = {"benchmark": kind, "size": size} | found | rates | {"share_of_matrix_rate": share}
            rows.append(row | about())
            if config.json:
                show(rows[-1:], True)
    if not config.json:
        show(rows, False)
    if isinstance(config, Sweep):
        expect(config, rows)


def check(config: Models) -> None:
    """Refuse what cannot be measured."""
    try:
        for size in config.size:
            parse_size(size)
        check_attention(config.attention, config.compute)
    except ValueError as error:
        fail(str(error))


def measure(kind: str, size: str, config: Models) -> dict[str, Any]:
    """Measure one size."""
    work = Workload(size, config.dimension, config.precision, config.compute, config.attention)
    if kind == "rollout":
        return to_json(rollout_speed(work, config.starts, config.rollout_steps, config.repeats))
    steps, rows = config.steps_per_dispatch, config.micro_batch
    return to_json(train_speed(work, config.batch, steps, rows, config.replicates, config.repeats))


def about() -> dict[str, Any]:
    """Return what a measurement is of."""
    return {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "git_commit": git_commit(),
    }


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print measurements."""
    if as_json:
        for row in rows:
            print(json.dumps(row), flush=True)
        return
    hidden = ("benchmark", "size", "jax", "device", "git_commit", "parameters", "bytes")
    console = Console()
    for row in rows:
        title = " ".join(str(row[name]) for name in ("benchmark", "size", "preset") if name in row)
        table = right_aligned_table(f"{title}, {row['device']}", ["what", "figure"])
        for name, value in row.items():
            if name not in hidden:
                text = f"{value:.4g}" if isinstance(value, float) else str(value)
                table.add_row(name.replace("_per_s", "/s").replace("_", " "), text)
        console.print(table)


def expect(config: Models, rows: list[dict[str, Any]]) -> None:
    """Say on standard error how long the paper preset would take at these rates."""
    paper = PRESETS["paper"]
    training, rollout = paper.training, paper.rollout
    pairs, updates = training.train_steps * training.batch_size, rollout.starts * rollout.rollout_steps
    hours = sum(
        (pairs / row["pairs_per_s"] if row["benchmark"] == "train" else updates / row["updates_per_s"])
        for row in rows
    ) / 3600  # fmt: skip
    said = f"the paper preset's {', '.join(config.size)} at these rates: {hours:.2g} hours"
    Console(stderr=True).print(said, highlight=False)


def measure_metrics(config: MetricsBenchmark) -> dict[str, object]:
    """Time the kernels and NumPy on the same answers."""
    try:
        from hotmess_jax.llm.measures.decomposing import METRICS
        from hotmess_jax.llm.measures.questions import (
            AnalysisSettings,
            decompose_blocks,
            estimate_parts,
        )
        from hotmess_jax.llm.measures.samples import Block
    except ImportError:
        fail("metrics needs the extra llm: pip install -e '.[llm]'")
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


if __name__ == "__main__":
    main()
