"""Scaling laws of finished sweeps: python -m experiments.scaling_laws RUN [RUN …] [--out FOLDER].

Fits power laws of validation loss, bias², variance and error in the parameter count (Hägele et al.
2026, Figures 6 and 26), with and without an irreducible offset. Several runs, whose settings agree apart
from their seed, are pooled: their draws of the problem are those of one sweep, whose sweep.json,
report.md and figures are written into FOLDER.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hotmess_jax.documents import to_json
from hotmess_jax.machine.files import DamagedFileError, write_json
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    failing_on,
    parse,
    try_outputs,
)
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.study.outputs import (
    NoSweepError,
    conclude,
    folder_of,
    read_sizes,
    write_outputs,
)
from hotmess_jax.synthetic.study.pooling import PoolingError, pool_into
from hotmess_jax.synthetic.study.terminal import print_laws


@dataclass(frozen=True)
class ScalingConfig:
    """Fit scaling laws to a finished synthetic sweep, or to several as one."""

    sweeps: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The sweeps' folders, or their sweep.json. Several must agree in all settings but seed and number of
    replicates."""

    out: Path | None = None
    """Folder for sweep.json, report.md and figures of the whole; needed with several sweeps."""

    json: str | None = None
    """Also write the fits as JSON to this file; "-" prints the JSON instead of the tables."""


@ending_in_one_line()
def main() -> None:
    """Parse the command line, check, pool, fit, write and print."""
    config = parse(ScalingConfig)
    if not config.sweeps:
        fail("sweeps: at least one folder is needed")
    with failing_on(NoSweepError):
        sweeps = [read_sizes(path) for path in config.sweeps]
    if len(sweeps) > 1 and config.out is None:
        fail("several sweeps are pooled into a folder of their own: name it with --out")
    json_file = None if config.json in (None, "-") else Path(config.json)
    with failing_on(PoolingError):
        whole = conclude(pool_into(config.out, config.sweeps, sweeps))
    try_outputs([json_file], [config.out])
    if config.out is not None:
        with failing_on(DamagedFileError):
            write_outputs(whole, config.out, folder_of(config.sweeps[0]))
    found = to_json(Found, whole.found)
    if config.json == "-":
        json.dump(found, sys.stdout, indent=1, allow_nan=False)
        print()
        return
    if json_file is not None:
        write_json(json_file, found)
    print_laws(whole, len(sweeps) > 1, config.out, Console())


if __name__ == "__main__":
    main()
