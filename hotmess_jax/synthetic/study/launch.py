"""Sweeps of a grid carried out: one after the other in this process, or spread over a Ray cluster."""

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from hotmess_jax.machine.interruption import StoppedError, between_steps, watched
from hotmess_jax.machine.sharding import use_every_core
from hotmess_jax.presentation.command_line import GOES_ON, fail
from hotmess_jax.synthetic.study.finish import carry_out
from hotmess_jax.synthetic.study.grid import GridConfig, Planned, failed_models, settings_of
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.sweep import Sweep

LEASE = 600.0  # seconds after which a shared file system has freed what a lost machine held
POLL_S = 1.0
STOP_S = 20.0  # which workers have to save what they train


@dataclass(frozen=True)
class Ended:
    """How a sweep ended: what went wrong, if anything did, which models failed, and how long it took."""

    name: str
    error: str | None
    failed: list[str]
    seconds: float | None


def one(arguments: Sequence[str], wait: float = 0.0) -> tuple[str | None, list[str]]:
    """Carry one sweep out; return what went wrong, if anything did, and which models failed.

    Args:
        arguments: the sweep's command line.
        wait: seconds to wait while another process works in its folder.
    """
    with SweepProgress(Console()) as progress:
        try:
            done = carry_out(Sweep(settings_of(arguments), progress, wait))
        except (ValueError, OSError) as error:
            return str(error), []
        except Exception as error:  # one sweep's trouble is not the others'
            traceback.print_exc()
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", []
    return None if done.models else "no model was trained", failed_models(done)


def here(sweeps: Sequence[Planned], config: GridConfig) -> Iterator[Ended]:
    """Carry the sweeps out one after the other."""
    use_every_core()
    for sweep in sweeps:
        begin = time.perf_counter()
        try:
            error, failed = one(sweep.arguments)
        except StoppedError as stop:
            raise stop.within(sweep.name) from None
        yield Ended(sweep.name, error, failed, time.perf_counter() - begin)


def on_ray(sweeps: Sequence[Planned], config: GridConfig) -> Iterator[Ended]:
    """Carry the sweeps out on a cluster, and yield them as they end.

    A task whose machine is lost is tried again elsewhere; one that raises is not.
    """
    try:
        import ray
    except ImportError:
        fail("--launcher ray needs the extra ray: pip install -e '.[ray]'")

    try:
        ray.init(address=config.address, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        fail(f"no Ray cluster at address {config.address!r}: {lines[0][:200]}")
    _check_nodes(ray.nodes(), config)
    # A process a sweep, so that each sees its devices anew.
    task: Any = ray.remote(
        num_cpus=config.cpus_per_sweep, num_gpus=config.gpus_per_sweep, max_retries=20, max_calls=1
    )(_alone)
    waiting = {task.remote(sweep.arguments): sweep.name for sweep in sweeps}

    def reached() -> str:
        done = len(sweeps) - len(waiting)
        return f"{done} of {len(sweeps)} sweeps were done, and those under way were told to save"

    try:
        with between_steps(reached) as stop_here:
            while waiting:
                all_ended, _ = ray.wait(list(waiting), num_returns=1, timeout=POLL_S)
                if stop_here():
                    for under_way in waiting:
                        ray.cancel(under_way)  # as by Ctrl-C there
                    ray.wait(list(waiting), num_returns=len(waiting), timeout=STOP_S)
                    return
                for ended in all_ended:
                    name = waiting.pop(ended)
                    try:
                        yield Ended(name, *ray.get(ended))
                    except ray.exceptions.RayError as error:
                        yield Ended(name, str(error).splitlines()[-1], [], None)
    finally:
        ray.shutdown()


def _check_nodes(nodes: Sequence[Mapping[str, Any]], config: GridConfig) -> None:
    """Refuse what no machine of a cluster has: Ray would wait for one for ever."""
    have = [node["Resources"] for node in nodes if node["Alive"]]
    most = [f"{each.get('CPU', 0):g} and {each.get('GPU', 0):g}" for each in have]
    if not any(
        each.get("CPU", 0) >= config.cpus_per_sweep and each.get("GPU", 0) >= config.gpus_per_sweep
        for each in have
    ):
        fail(
            f"no machine of the cluster has {config.cpus_per_sweep} processors and "
            f"{config.gpus_per_sweep:g} accelerators for a sweep (they have {'; '.join(most) or 'none'}): "
            "lower --cpus-per-sweep or --gpus-per-sweep"
        )


def _alone(arguments: list[str]) -> tuple[str | None, list[str], float]:
    use_every_core()
    begin = time.perf_counter()
    try:
        with watched(GOES_ON):
            error, failed = one(arguments, LEASE)
    except SystemExit:  # the grid was stopped, and so was this
        error, failed = "stopped", []
    return error, failed, time.perf_counter() - begin
