"""How often what is printed of language models' samples holds the truth: python -m experiments.coverage.

Each simulation makes data of known truth many times over, and notes how often the printed intervals hold
the truth, the tests reject it, and how far the estimates lie from it on average.
"""

import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console

from hotmess_jax.llm.coverage import simulations
from hotmess_jax.machine.files import write_text
from hotmess_jax.machine.provenance import provenance
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    failing_on,
    parse,
    try_outputs,
)
from hotmess_jax.presentation.limits import Limits, check_limits
from hotmess_jax.presentation.tables import coverage_table, table
from hotmess_jax.statistics.coverage import Seen, Simulation

TITLE = "# What the language-model half's intervals and tests were seen to do"


@dataclass(frozen=True)
class CoverageConfig:
    """Simulate data of known truth, and count how often what is printed holds it."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Which simulations; none is all of them."""

    runs: Annotated[int | None, Limits(1)] = None
    """Data sets a case; None is each simulation's own number."""

    seed: int = 0
    """Of the data and of everything drawn from them."""

    out: Path | None = None
    """File for the tables, in Markdown; without it, they are printed."""

    list: bool = False
    """Print which simulations there are."""


@ending_in_one_line()
def main() -> None:
    """Parse the command line, simulate, write."""
    config = parse(CoverageConfig)
    with failing_on(ValueError):
        check_limits(config)
    known = simulations()
    if config.list:
        print(table(["name", "what", "runs"], [[s.name, s.about, str(s.runs)] for s in known.values()]))
        return
    for name in config.names:
        if name not in known:
            fail(f"no simulation is called {name!r}: there are {', '.join(known)}")
    if config.out is not None:
        check_place(config.out)
        try_outputs([config.out])
    chosen = [known[name] for name in dict.fromkeys(config.names)] or [*known.values()]
    console = Console(stderr=True)
    found: list[tuple[Simulation, list[Seen]]] = []
    with jax.enable_x64(True):
        for i, simulation in enumerate(chosen, start=1):
            begun = time.monotonic()
            with console.status(f"{i} of {len(chosen)}: {simulation.name}"):
                # The seed hangs on the name, so that a simulation alone shows what it shows among all.
                seed = config.seed + zlib.crc32(simulation.name.encode())
                found.append((simulation, simulation.run(seed, config.runs or simulation.runs)))
            console.print(
                f"{i} of {len(chosen)}: {simulation.name}, {time.monotonic() - begun:.0f} s",
                highlight=False,
                soft_wrap=True,
            )
    text = markdown(found, config.seed)
    if config.out is None:
        print(text, end="")
        return
    write_text(config.out, text)
    console.print(str(config.out), highlight=False, markup=False, soft_wrap=True)


def check_place(out: Path) -> None:
    """Refuse a file that this command did not write."""
    if out.suffix != ".md":
        fail(f"out must be a file that ends in .md, got {out}")
    if out.exists() and not (out.is_file() and out.read_text().startswith(TITLE)):
        fail(f"{out} exists and is no table of coverage; choose another --out")


def markdown(found: list[tuple[Simulation, list[Seen]]], seed: int) -> str:
    """Return the document: a table a simulation."""
    made = provenance()
    versions: Any = made["versions"]
    parts = [
        TITLE,
        f"Made by `experiments.coverage`, seed {seed}, at {made['git_commit']}, JAX {versions['jax']}, "
        f"Python {versions['python']}. An interval that is said to be one of 95 % should hold the truth in "
        "95 % of the runs, a test at 5 % reject a true null in 5 %, and a corrected value lie at the truth "
        "on average. Runs without: those of which nothing is printed, for a reason that is given.",
    ]
    for simulation, seen in found:
        parts += [f"## {simulation.name}", simulation.about, coverage_table(seen)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
