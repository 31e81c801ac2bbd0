"""How often what is printed of language models' samples holds the truth: python -m experiments.coverage.

Each simulation makes data of known truth many times over, and notes how often the printed intervals hold
the truth, the tests reject it, and how far the estimates lie from it on average.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import tyro
from rich.console import Console

from hotmess_jax.llm.coverage import simulations, simulations_named
from hotmess_jax.llm.coverage_document import check_place, markdown
from hotmess_jax.machine.files import write_text
from hotmess_jax.presentation.command_line import ending_in_one_line, failing_on, parse, try_outputs
from hotmess_jax.presentation.limits import Limits, check_limits
from hotmess_jax.presentation.tables import table


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
    if config.list:
        every = simulations().values()
        print(table(["name", "what", "runs"], [[s.name, s.about, str(s.runs)] for s in every]))
        return
    with failing_on(ValueError):
        chosen = simulations_named(config.names)
        if config.out is not None:
            check_place(config.out)
    try_outputs([config.out])
    console = Console(stderr=True)
    found = []
    with jax.enable_x64(True):
        for i, simulation in enumerate(chosen, start=1):
            begun, said = time.monotonic(), f"{i} of {len(chosen)}: {simulation.name}"
            with console.status(said):
                found.append((simulation, simulation.seen(config.seed, config.runs)))
            said += f", {time.monotonic() - begun:.0f} s"
            console.print(said, highlight=False, soft_wrap=True)
    text = markdown(found, config.seed)
    if config.out is None:
        print(text, end="")
        return
    write_text(config.out, text)
    console.print(str(config.out), highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
