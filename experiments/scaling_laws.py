"""Scaling laws of finished sweeps: python -m experiments.scaling_laws RUN [RUN …] [--out FOLDER].

Fits power laws of validation loss, bias², variance and error in the parameter count (Hägele et al.
2026, Figures 6 and 26), with and without an irreducible offset. Several runs, whose settings agree apart
from their seed, are pooled: their draws of the problem are those of one sweep, whose sweep.json,
report.md and figures are written into FOLDER.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from experiments.synthetic_sweep import print_claims, print_missing
from hotmess_jax.machine.files import DamagedFileError, write_json
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    failing_on,
    parse,
    try_outputs,
)
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import exponent, interval, number
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.study.outputs import (
    NoSweepError,
    conclude,
    examples_of,
    read_sweep,
    write_outputs,
)
from hotmess_jax.synthetic.study.pooling import PoolingError, digest, pool
from hotmess_jax.synthetic.study.report_laws import over
from hotmess_jax.synthetic.verdicts import judged_findings

LABELS = {
    "validation_loss": "loss",
    "validation_loss_all": "all tokens",
    "validation_loss_above_floor": "above floor",
    "bias2": "bias²",
    "variance": "variance",
    "error": "error",
    "median_error": "median",
    "strayed": "strayed",
}


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
    sweeps = [read(path) for path in config.sweeps]
    if len(sweeps) > 1 and config.out is None:
        fail("several sweeps are pooled into a folder of their own: name it with --out")
    json_file = None if config.json in (None, "-") else Path(config.json)
    document = pool_into(config.out, config.sweeps, sweeps)
    try_outputs([json_file], [config.out])
    if config.out is not None:
        with failing_on(DamagedFileError):
            examples = examples_of(document, _folder(config.sweeps[0]))
        write_outputs(document, config.out, examples)
    found = judged_findings(document).to_json()
    if config.json == "-":
        json.dump(found, sys.stdout, indent=1, allow_nan=False)
        print()
        return
    if json_file is not None:
        write_json(json_file, found)
    console = Console()
    print_fits(found, console)
    print_missing(document, console)
    if len(sweeps) > 1:
        print_claims(document, console)
    if config.out is not None:
        for name in ("report.md", "sweep.json", "figures"):
            console.print(str(config.out / name), highlight=False, soft_wrap=True)


def read(path: Path) -> Json:
    """Read a sweep's document; what is wrong with it ends the program in one line."""
    with failing_on(NoSweepError):
        sweep = read_sweep(path, ("schema", "config", "provenance", "models", "failures", "problem"))
    if len({model["size"] for model in sweep["models"]}) < 2:
        fail(f"{path} holds fewer than 2 finished sizes; a scaling law needs more")
    return sweep


def pool_into(out: Path | None, paths: Sequence[Path], sweeps: Sequence[Mapping]) -> Json:
    """Return what goes into a folder: of one sweep its document, of several their pool, with findings.

    What cannot be pooled, or a folder that holds something else, ends the program in one line.
    """
    with failing_on(PoolingError):
        pooled = dict(sweeps[0]) if len(sweeps) == 1 else pool(sweeps, [str(p) for p in paths])
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        digests = {run["digest"] for run in _runs(pooled)}
        try:
            there = {
                run["digest"] for run in json.loads((out / "sweep.json").read_text())["pooled_from"]
            }
        except (OSError, ValueError, KeyError, TypeError):
            fail(f"{out} exists and holds no pool of sweeps; choose another --out")
        if not there <= digests:
            fail(f"{out} holds a pool of other sweeps; choose another --out")
    return conclude(pooled)


def _runs(document: Mapping) -> list[Json]:
    return document.get("pooled_from") or [{"digest": digest(document)}]


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def print_fits(found: Json, console: Console) -> None:
    """Print the fits as a table, each draw's exponents, and the comparisons."""
    fits = found["fits"]
    basis = over(next(iter(fits.values()))) if fits else "too few sizes"
    header = ["quantity", "exponent", "95 %", "R²", "with offset", "95 %"]
    table = right_aligned_table(f"y = a·N^(−exponent), {basis}; and + offset", header)
    for name, label in LABELS.items():
        if fit := fits.get(name):
            other = fit.get("with_offset") or dict.fromkeys(("exponent", "ci95"))
            table.add_row(
                label,
                exponent(fit["exponent"]),
                interval(fit["ci95"]),
                number(fit["r2"]),
                number(other["exponent"]),
                interval(other["ci95"]),
            )
        elif name in ("bias2", "variance", "error"):
            table.add_row(label, "not positive")
    console.print(table)
    if len(found["draws"]) > 1:
        print_draws(found, console)
    for name in ("validation_loss", "validation_loss_above_floor"):
        if curvature := fits.get(name, {}).get("curvature"):
            ((kind, count),) = ((k, v) for k, v in curvature.items() if k not in ("value", "ci95"))
            line = (
                f"curvature of log {LABELS[name]} in log N, 0 for a power law: "
                f"{exponent(curvature['value'])}, 95 % {interval(curvature['ci95'])}, over {count} {kind}"
            )
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for key, value, text in (
        ("exponent_difference", "difference", "exponent of bias² less that of variance"),
        ("incoherence_slope", "slope", "final incoherence per factor of ten in size"),
        ("plateau_difference", "difference", "plateau of the largest size less that of the smallest"),
    ):
        if part := found.get(key):
            line = f"{text}: {exponent(part[value])}, 95 % {interval(part['ci95'])}, {over(part)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if left_out := found["draws_left_out"]:
        line = f"{left_out} of {len(found['draws'])} draws lack a size and are left out of all of it"
        console.print(line, highlight=False, soft_wrap=True)


def print_draws(found: Json, console: Console) -> None:
    """Print what was estimated in each draw of the problem."""
    header = ["draw", "seed", "loss", "bias²", "variance", "error", "bias² less\nvariance",
              "incoherence\nby size"]  # fmt: skip
    table = right_aligned_table("Exponents in each draw of the problem", header)
    for draw in found["draws"]:
        exponents = draw.get("exponents", {})
        table.add_row(
            str(draw["problem"]),
            str(draw["seed"]),
            *(exponent(exponents.get(n)) for n in ("validation_loss", "bias2", "variance", "error")),
            *(exponent(draw.get(n)) for n in ("exponent_difference", "incoherence_slope")),
        )
    console.print(table)


if __name__ == "__main__":
    main()
