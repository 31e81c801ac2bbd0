"""Many sweeps: python -m experiments.grid --vary seed=0,1 condition-number=10,50 --out FOLDER.

Every combination of the values is a synthetic_sweep in a folder of its own. Stopped at any moment, the
same command goes on where it was. With --launcher ray the sweeps spread over a Ray cluster whose machines
share the folders; what a lost machine was doing is taken up by another, from its last checkpoint.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from experiments.synthetic_sweep import carry_out
from hotmess_jax.command_line import fail, parse, parse_with_preset
from hotmess_jax.config import PRESETS, SweepConfig
from hotmess_jax.progress import SweepProgress
from hotmess_jax.sharding import use_every_core
from hotmess_jax.sweep import Sweep

LEASE = 600.0  # seconds after which a shared file system has freed what a lost machine held


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """Carry out a sweep for every combination of settings."""

    vary: tuple[str, ...]
    """Settings of synthetic_sweep and their values, as SETTING=VALUE,VALUE,…"""

    out: Path
    """The folder; each sweep has one of its own in it."""

    preset: str = "quick"
    """Where all other settings come from."""

    fixed: tuple[str, ...] = ()
    """Other settings, the same for all, as SETTING=VALUE."""

    store: Path = Path("results/runs/trajectories")
    """Folder of the teacher's trajectories, shared between sweeps."""

    launcher: Literal["here", "ray"] = "here"
    """One after the other in this process, or spread over a Ray cluster (extra: ray)."""

    address: str | None = None
    """The Ray cluster's; None starts one on this machine."""

    cpus_per_sweep: int = 2
    """Processors that Ray keeps for each sweep."""

    gpus_per_sweep: float = 0.0
    """Accelerators that Ray keeps for each sweep; below 1, sweeps share one."""


def main() -> None:
    """Parse the command line, check every sweep, and carry all of them out."""
    config = parse(GridConfig)
    if config.cpus_per_sweep < 1 or config.gpus_per_sweep < 0:
        fail(f"cpus-per-sweep must be at least 1 and gpus-per-sweep 0, got {config.cpus_per_sweep} and "
             f"{config.gpus_per_sweep:g}")  # fmt: skip
    sweeps = dict(combinations(config))
    for arguments in sweeps.values():
        try:
            of(arguments).validate()
        except ValueError as error:
            fail(str(error))
    console = Console()
    pending = {
        name: arguments for name, arguments in sweeps.items()
        if not (config.out / name / "sweep.json").exists()
    }  # fmt: skip
    done = len(sweeps) - len(pending)
    if done:
        console.print(f"{done} of {len(sweeps)} are there already", highlight=False)
    failures = 0
    for name, error in (on_ray if config.launcher == "ray" else here)(pending, config):
        done += 1
        failures += error is not None
        said = f"failed: {error}" if error else str(config.out / name / "report.md")
        console.print(
            f"{done}/{len(sweeps)} {name}: {said}", highlight=False, markup=False, soft_wrap=True
        )
    if failures:
        raise SystemExit(1)


def combinations(config: GridConfig) -> Iterator[tuple[str, list[str]]]:
    """Yield each sweep's name and its command line."""
    axes = []
    for text in config.vary:
        name, found, values = text.partition("=")
        if not found or not name or not all(values.split(",")):
            fail(f"vary must be SETTING=VALUE,VALUE,…, got {text!r}")
        axes.append([(name, value) for value in values.split(",")])
    fixed = [text.partition("=") for text in config.fixed]
    for (name, found, _), text in zip(fixed, config.fixed, strict=True):
        if not found or not name:
            fail(f"fixed must be SETTING=VALUE, got {text!r}")
    for chosen in itertools.product(*axes):
        folder = ",".join(f"{name}={value}" for name, value in chosen)
        settings = [*chosen, *((name, value) for name, _, value in fixed)]
        yield folder, [
            "--preset", config.preset, "--out", str((config.out / folder).absolute()),
            "--store", str(config.store.absolute()),
            *(word for name, value in settings for word in (f"--{name}", *value.split())),
        ]  # fmt: skip


def of(arguments: Sequence[str]) -> SweepConfig:
    """Return the settings of a sweep's command line."""
    return parse_with_preset(PRESETS, "quick", arguments)


def one(arguments: Sequence[str], wait: float = 0.0) -> str | None:
    """Carry one sweep out; return what went wrong, if anything did.

    Args:
        arguments: the sweep's command line.
        wait: seconds to wait while another process works in its folder.
    """
    with SweepProgress(Console()) as progress:
        try:
            document = carry_out(Sweep(of(arguments), progress, wait))
        except ValueError as error:
            return str(error)
    return None if document["models"] else "no model was trained"


def here(sweeps: dict[str, list[str]], config: GridConfig) -> Iterator[tuple[str, str | None]]:
    """Carry the sweeps out one after the other."""
    use_every_core()
    for name, arguments in sweeps.items():
        yield name, one(arguments)


def on_ray(sweeps: dict[str, list[str]], config: GridConfig) -> Iterator[tuple[str, str | None]]:
    """Carry the sweeps out on a cluster, and yield them as they end.

    A task whose machine is lost is tried again elsewhere; one that raises is not.
    """
    try:
        import ray
    except ImportError:
        fail("--launcher ray needs the extra ray: pip install -e '.[ray]'")

    ray.init(address=config.address, log_to_driver=False)
    # A process a sweep, so that each sees its devices anew.
    task: Any = ray.remote(
        num_cpus=config.cpus_per_sweep, num_gpus=config.gpus_per_sweep, max_retries=20, max_calls=1
    )(_alone)
    waiting = {task.remote(arguments): name for name, arguments in sweeps.items()}
    try:
        while waiting:
            (ended,), _ = ray.wait(list(waiting), num_returns=1)
            name = waiting.pop(ended)
            try:
                yield name, ray.get(ended)
            except ray.exceptions.RayError as error:
                yield name, str(error).splitlines()[-1]
    finally:
        ray.shutdown()


def _alone(arguments: list[str]) -> str | None:
    use_every_core()
    return one(arguments, LEASE)


if __name__ == "__main__":
    main()
