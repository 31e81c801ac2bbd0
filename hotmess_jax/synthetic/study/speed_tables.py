"""Measurements of speed, a row each: the model sizes' beside the machine's own rates, and how they are told."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from rich.console import Console

from hotmess_jax.machine.provenance import git_commit
from hotmess_jax.machine.sharding import make_mesh
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.synthetic.model import parse_size
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.speed import (
    Json,
    Workload,
    data_speed,
    machine,
    rollout_speed,
    to_json,
    train_speed,
)
from hotmess_jax.synthetic.study.speed_settings import Data, Models, Rollout, Train
from hotmess_jax.synthetic.train import check_attention

# What a row's title says, or nobody reads in a table.
HIDDEN = ("benchmark", "size", "jax", "device", "git_commit", "parameters", "bytes")


def check(config: Models | Data) -> None:
    """Refuse what cannot be measured.

    Raises:
        ValueError: for a size or a preset that is none, or attention that this machine does not have.
    """
    if isinstance(config, Data):
        if config.preset not in PRESETS:
            raise ValueError(f"unknown preset {config.preset!r}: expected one of {', '.join(PRESETS)}")
        return
    for size in config.size:
        parse_size(size)
    check_attention(config.attention, config.compute)


def model_rows(config: Models) -> Iterator[Json]:
    """Measure the machine, then training and rollouts of each size; yield a row a measurement."""
    rates = to_json(machine(make_mesh(config.batch), config.compute))
    for size in config.size:
        for kind in ("train", "rollout"):
            if isinstance(config, Rollout if kind == "train" else Train):
                continue
            found = _measure(kind, size, config)
            share = found["flops_per_s"] / rates["matrix_flops_per_s"]
            row = {"benchmark": kind, "size": size} | found | rates | {"share_of_matrix_rate": share}
            yield row | _about()


def data_row(config: Data) -> Json:
    """Measure a preset's data."""
    found = to_json(data_speed(PRESETS[config.preset], config.folder, config.batches))
    return {"benchmark": "data", "preset": config.preset} | found | _about()


def show(rows: Sequence[Json], as_json: bool) -> None:
    """Print measurements, one JSON line each or a table each."""
    if as_json:
        for row in rows:
            print(json.dumps(row), flush=True)
        return
    console = Console()
    for row in rows:
        title = " ".join(str(row[name]) for name in ("benchmark", "size", "preset") if name in row)
        table = right_aligned_table(f"{title}, {row['device']}", ["what", "figure"])
        for name, value in row.items():
            if name not in HIDDEN:
                text = f"{value:.4g}" if isinstance(value, float) else str(value)
                table.add_row(name.replace("_per_s", "/s").replace("_", " "), text)
        console.print(table)


def show_paper_hours(config: Models, rows: Sequence[Json]) -> None:
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


def _measure(kind: str, size: str, config: Models) -> Json:
    work = Workload(size, config.dimension, config.precision, config.compute, config.attention)
    if kind == "rollout":
        return to_json(rollout_speed(work, config.starts, config.rollout_steps, config.repeats))
    steps, rows = config.steps_per_dispatch, config.micro_batch
    return to_json(train_speed(work, config.batch, steps, rows, config.replicates, config.repeats))


def _about() -> dict[str, Any]:
    """Return what a measurement is of."""
    return {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "git_commit": git_commit(),
    }
