"""The table of open choices: python -m experiments.choices FOLDER [FOLDER …] [--out FILE.md].

A row for each finished sweep under the folders (sweep.json), the base first: which settings differ from the
base's, and what came of it. Sweeps that differ in the seed alone are pooled.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hotmess_jax.presentation.command_line import ending_in_one_line, failing_on, parse, try_outputs
from hotmess_jax.synthetic.study.choices import choices, markdown
from hotmess_jax.synthetic.study.choices_files import (
    TableError,
    check_place,
    read_sweeps,
    write_choices,
)
from hotmess_jax.synthetic.study.outputs import NoSweepError
from hotmess_jax.synthetic.study.pooling import PoolingError


@dataclass(frozen=True)
class ChoicesConfig:
    """Put finished sweeps beside one another."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of sweeps, or of folders of sweeps."""

    out: Path | None = None
    """File for the table, in Markdown, and beside it the same as .json and a figure as .png and .pdf. Without it,
    the table is printed."""


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read the sweeps, and write the table."""
    config = parse(ChoicesConfig)
    with failing_on(TableError, NoSweepError, PoolingError):
        if config.out is None:
            print(markdown(choices(*read_sweeps(config.folders))), end="")
            return
        check_place(config.out)
        try_outputs([config.out])
        written = write_choices(config.folders, config.out)
    Console().print(str(written), highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
