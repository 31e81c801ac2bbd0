"""What a sweep's commands print: its plan, its models and claims, and its fits."""

from pathlib import Path

from rich.console import Console

from hotmess_jax.machine.disk import size
from hotmess_jax.presentation.lines import say
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import exponent, incoherence, interval, number
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.study.plan import disk_bytes, host_bytes, plan, store_bytes
from hotmess_jax.synthetic.study.report_laws import (
    comparisons,
    estimate_cells,
    headline_cells,
    offset_cells,
)
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep, noted

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


def print_plan(config: SweepConfig, console: Console) -> None:
    """Print what each size would cost."""
    header = ["size", "parameters", "training\ntokens", "rollout\ntokens", "training\nFLOPs"]
    several = config.model.replicates > 1
    header += [
        "rollout\nFLOPs",
        "checkpoint",
        f"device,\n{config.model.replicates} models" if several else "on device",
    ]
    table = right_aligned_table(f"Plan of preset {config.preset}: one model of each size", header)
    plans = plan(config)
    for row in plans:
        table.add_row(
            row.size,
            f"{row.parameters:,}",
            f"{row.training_tokens:.3g}",
            f"{row.rollout_tokens:.3g}",
            f"{row.training_flops:.3g}",
            f"{row.rollout_flops:.3g}",
            size(row.checkpoint_bytes),
            size(row.device_bytes),
        )
    console.print(table)
    flops = config.model.replicates * sum(row.training_flops + row.rollout_flops for row in plans)
    console.print(
        f"{len(plans)} sizes × {config.model.replicates} replicate(s), {config.model.draws} draw(s) of the problem: "
        f"{flops:.3g} FLOPs; on disk {size(disk_bytes(config))}, of them {size(store_bytes(config))} "
        f"trajectories; {size(host_bytes(config))} of data in memory"
        + ("; on an accelerator all replicates of a size are one program" if several else "")
        + ". Nothing was run.",
        highlight=False,
    )


def print_summary(sweep: ConcludedSweep, folder: Path, console: Console) -> None:
    """Print the models' last step, the claims, and where everything is."""
    header = ["model", "parameters", "loss", "bias²", "variance", "incoherence", "95 %"]
    table = right_aligned_table("Last step of the rollouts", header)
    for model in sweep.models:
        final = model.final
        table.add_row(
            model.name,
            f"{model.parameters:,}",
            number(model.validation_loss),
            number(final.bias2),
            number(final.variance),
            incoherence(final.incoherence),
            interval(final.incoherence_ci95),
        )
    several = len(sweep.problems) > 1
    teachers = [("teacher", problem.teacher) for problem in sweep.problems]
    teachers += [("rounded", problem.codec_teacher) for problem in sweep.problems]
    for place, (label, teacher) in enumerate(teachers):
        of = f"{label}, draw {place % len(sweep.problems)}" if several else label
        last = teacher.final
        cells = map(number, (last.bias2, last.variance, last.incoherence))
        table.add_row(of, "", "", *cells, "")
    console.print(table)
    print_claims(sweep, console)
    print_missing(sweep, console)
    print_places(folder, console)


def print_laws(sweep: ConcludedSweep, pooled: bool, out: Path | None, console: Console) -> None:
    """Print the fits of a sweep, what is in none of them, of a pool the claims, and where it was written."""
    print_fits(sweep, console)
    print_missing(sweep, console)
    if pooled:
        print_claims(sweep, console)
    if out is not None:
        print_places(out, console)


def print_places(folder: Path, console: Console) -> None:
    """Print where a sweep's outputs are."""
    for path in ("report.md", "sweep.json", "figures"):
        say(console, str(folder / path))


def print_missing(sweep: ConcludedSweep, console: Console) -> None:
    """Print which models failed, and which are worse than chance and therefore in no fit."""
    if names := sweep.worse_than_chance:
        said = f"worse than chance, and left out of fits, claims and figures: {', '.join(names)}"
        say(console, said)
    for failure in sweep.failures:
        said = f"failed: {failure.size}, replicate {failure.replicate}: {failure.failed.reason}"
        say(console, said)
    if sweep.failures:
        say(
            console,
            "What failed is tried again on another machine, with other versions, --micro-batch, --attention or "
            "--steps-per-dispatch, or with --retry-failed.",
        )


def print_claims(sweep: ConcludedSweep, console: Console) -> None:
    """Print each claim's verdict, with its number and over what its interval is."""
    draws = noted(sweep).draws_compared
    if draws > 1:
        say(console, f"Intervals are over {draws} draws of the problem.")
    elif sweep.claims:
        say(
            console,
            "One draw of the problem: intervals are over sizes, replicates or starts, and do not cover "
            "what other draws would give.",
        )
    for claim in sweep.claims:
        say(
            console,
            f"{claim.statement}: {claim.verdict} ({claim.measure}: {exponent(claim.value)}, "
            f"95 % {interval(claim.ci95)})",
        )


def print_fits(sweep: ConcludedSweep, console: Console) -> None:
    """Print the fits as a table, each draw's exponents, and the comparisons."""
    found, fits = sweep.found, sweep.found.fits
    basis = next(iter(fits.values())).basis if fits else "too few sizes"
    header = ["quantity", "exponent", "95 %", "R²", "with offset", "95 %"]
    table = right_aligned_table(f"y = a·N^(−exponent), {basis}; and + offset", header)
    for name, label in LABELS.items():
        if fit := fits.get(name):
            table.add_row(label, *headline_cells(fit), number(fit.r2), *offset_cells(fit)[:2])
        elif name in noted(sweep).not_positive:
            table.add_row(label, "not positive")
    console.print(table)
    if len(found.draws) > 1:
        print_draws(found, console)
    for name in ("validation_loss", "validation_loss_above_floor"):
        if (fit := fits.get(name)) and (curvature := fit.curvature):
            value, ci95 = estimate_cells(curvature)
            line = (
                f"curvature of log {LABELS[name]} in log N, 0 for a power law: {value}, 95 % {ci95}, "
                f"over {curvature.count} {curvature.over}"
            )
            say(console, line)
    for text, part in comparisons(found):
        line = f"{text}: {exponent(part.value)}, 95 % {interval(part.ci95)}, {part.basis}"
        say(console, line)
    if left_out := found.draws_left_out:
        line = f"{left_out} of {len(found.draws)} draws lack a size and are left out of all of it"
        say(console, line)


def print_draws(found: Found, console: Console) -> None:
    """Print what was estimated in each draw of the problem."""
    header = ["draw", "seed", "loss", "bias²", "variance", "error", "bias² less\nvariance",
              "incoherence\nby size"]  # fmt: skip
    table = right_aligned_table("Exponents in each draw of the problem", header)
    for draw in found.draws:
        table.add_row(
            str(draw.problem),
            str(draw.seed),
            *(exponent(draw.exponent(n)) for n in ("validation_loss", "bias2", "variance", "error")),
            exponent(draw.exponent_difference),
            exponent(draw.incoherence_slope),
        )
    console.print(table)
