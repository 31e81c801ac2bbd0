"""Scaling laws of a finished sweep: python -m experiments.scaling_laws results/laptop [--json OUT].

Fits power laws of validation loss, bias², variance and error in the parameter count (Hägele et al.
2026, Figures 6 and 26), with and without an irreducible offset.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hotmess_jax.command_line import fail, parse, right_aligned_table
from hotmess_jax.curves import Json
from hotmess_jax.files import write_json
from hotmess_jax.findings import QUANTITIES, fit_sweep
from hotmess_jax.report import interval, number


@dataclass(frozen=True)
class ScalingConfig:
    """Fit scaling laws to a finished synthetic sweep."""

    sweep: Annotated[Path, tyro.conf.Positional]
    """The sweep's folder, or its sweep.json."""

    json: str | None = None
    """Also write the fits as JSON to this file; "-" prints the JSON instead of the tables."""


def main() -> None:
    """Parse the command line, fit, and print."""
    config = parse(ScalingConfig)
    found = fit_sweep(read_sweep(config.sweep))
    if config.json == "-":
        json.dump(found, sys.stdout, indent=1, allow_nan=False)
        print()
        return
    if config.json is not None:
        write_json(Path(config.json), found)
    print_fits(found, Console())


def read_sweep(path: Path) -> Json:
    """Read a sweep's document; what is wrong with it ends the program in one line."""
    path = path / "sweep.json" if path.is_dir() else path
    try:
        sweep = json.loads(path.read_text())
        models = sweep["models"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"{path} is no finished sweep: {error!r}")
    if len({model["size"] for model in models}) < 2:
        fail(f"{path} holds fewer than 2 finished sizes; a scaling law needs more")
    return sweep


def print_fits(found: Json, console: Console) -> None:
    """Print the fits as a table, and the two comparisons."""
    header = ["quantity", "exponent", "95 %", "R²", "with offset", "95 %", "offset"]
    table = right_aligned_table("y = a·N^(−exponent), and + offset", header)
    for name in QUANTITIES:
        if fit := found["fits"].get(name):
            other = fit.get("with_offset") or dict.fromkeys(("exponent", "ci95", "offset"))
            table.add_row(
                name,
                number(fit["exponent"]),
                interval(fit["ci95"]),
                number(fit["r2"]),
                number(other["exponent"]),
                interval(other["ci95"]),
                number(other["offset"]),
            )
        else:
            table.add_row(name, "not positive everywhere")
    console.print(table)
    for key, value, text in (
        ("exponent_difference", "difference", "exponent of bias² less that of variance"),
        ("incoherence_slope", "slope", "final incoherence per factor of ten in size"),
    ):
        if part := found.get(key):
            line = f"{text}: {number(part[value])}, 95 % {interval(part['ci95'])}"
            console.print(line, highlight=False, markup=False)


if __name__ == "__main__":
    main()
