"""The document of what the simulations of language models' samples have shown, as results/coverage-llm.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hotmess_jax.machine.provenance import provenance
from hotmess_jax.presentation.tables import coverage_table
from hotmess_jax.statistics.coverage import Seen, Simulation

TITLE = "# What the language-model half's intervals and tests were seen to do"


def check_place(out: Path) -> None:
    """Refuse a file that is no such document.

    Raises:
        ValueError: naming it.
    """
    if out.suffix != ".md":
        raise ValueError(f"out must be a file that ends in .md, got {out}")
    if out.exists() and not (out.is_file() and out.read_text().startswith(TITLE)):
        raise ValueError(f"{out} exists and is no table of coverage; choose another --out")


def markdown(found: Sequence[tuple[Simulation, list[Seen]]], seed: int) -> str:
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
