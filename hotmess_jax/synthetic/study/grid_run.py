"""A grid of sweeps carried out, and what is said meanwhile."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from hotmess_jax.presentation.command_line import failing_on
from hotmess_jax.presentation.lines import say
from hotmess_jax.synthetic.study import launch
from hotmess_jax.synthetic.study.choices_files import TableError, write_choices
from hotmess_jax.synthetic.study.grid import GridConfig, Planned, pools, write_pool
from hotmess_jax.synthetic.study.outputs import NoSweepError
from hotmess_jax.synthetic.study.pooling import PoolingError


def carry_out_all(
    config: GridConfig, sweeps: Sequence[Planned], there: Mapping[str, object], console: Console
) -> bool:
    """Carry out the sweeps that are not there; return whether no model failed.

    A sweep that did not end ends the command, when all others have, with status 1.
    """
    pending, done = [sweep for sweep in sweeps if sweep.name not in there], len(there)
    failed, unfinished = False, False
    for ended in (launch.on_ray if config.launcher == "ray" else launch.here)(pending, config):
        done += 1
        failed |= bool(ended.failed)
        unfinished |= ended.error is not None
        said = f"failed: {ended.error}" if ended.error else str(config.out / ended.name / "report.md")
        took = "" if ended.seconds is None else f" ({ended.seconds:.0f} s)"
        say(console, f"{done}/{len(sweeps)} {ended.name}: {said}{took}")
        say_failed(console, ended.name, ended.failed)
    if unfinished:
        raise SystemExit(1)
    return not failed


def sum_up(config: GridConfig, sweeps: Sequence[Planned], tabled: bool, console: Console) -> None:
    """Pool what differs in the seed alone, and write the table of all."""
    for name, folders in pools(sweeps).items():
        with failing_on(PoolingError):
            say(console, f"pooled over seeds: {write_pool(config.out / name, folders)}")
    if tabled:
        with failing_on(TableError, NoSweepError, PoolingError):
            table = write_choices([sweep.config.folder for sweep in sweeps], config.out / "choices.md")
        say(console, f"all choices: {table}")


def say_failed(console: Console, name: str, failed: Sequence[str]) -> None:
    """Print which models a sweep lacks, and why."""
    for each in failed:
        say(console, f"  {name} lacks {each}")
