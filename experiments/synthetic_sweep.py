"""The synthetic study: python -m experiments.synthetic_sweep [--preset PRESET] [--dry-run] …

Trains transformers of several sizes to imitate an optimiser, splits the error of their rollouts into
bias² and variance, and writes sweep.json, report.md and figures (Hägele et al. 2026,
arXiv 2601.23045, Section 3.2.2). Stopped at any moment, the same command goes on where it was.
"""

from rich.console import Console

from hotmess_jax.machine.files import DamagedFileError
from hotmess_jax.machine.processes import FirstProcessError, is_first, join
from hotmess_jax.machine.sharding import use_every_core
from hotmess_jax.presentation.command_line import (
    GOES_ON,
    ending_in_one_line,
    failing_on,
    failing_to_write,
    parse_with_preset,
)
from hotmess_jax.synthetic.checkpoints import CorruptCheckpointError
from hotmess_jax.synthetic.data import CorruptStoreError
from hotmess_jax.synthetic.study.finish import carry_out
from hotmess_jax.synthetic.study.folder import FolderInUseError
from hotmess_jax.synthetic.study.plan import NoRoomError
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.sweep import Sweep, check
from hotmess_jax.synthetic.study.terminal import print_plan, print_summary

REFUSALS = (
    FolderInUseError,
    NoRoomError,
    CorruptStoreError,
    CorruptCheckpointError,
    DamagedFileError,
    FirstProcessError,
)


@ending_in_one_line(GOES_ON)
def main() -> None:
    """Parse the command line and carry the sweep out."""
    config = parse_with_preset(PRESETS, "quick")
    use_every_core()
    console = Console()
    if config.output.dry_run:
        with failing_on(ValueError), failing_to_write():
            check(config)
        print_plan(config, console)
        return
    machine = config.machine
    if machine.distributed or (machine.coordinator, machine.processes, machine.process) != (None,) * 3:
        with failing_on(ValueError):
            config.validate()
            join(machine.coordinator, machine.processes, machine.process)
        console.quiet = not is_first()
    with SweepProgress(console) as progress:
        with failing_on(ValueError), failing_to_write():
            sweep = Sweep(config, progress)
        with failing_on(*REFUSALS):
            done = carry_out(sweep)
    print_summary(done, config.folder, console)
    if done.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
