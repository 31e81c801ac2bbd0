"""What a sweep's commands print: its plan, its models and claims, and its fits."""

from pathlib import Path

from rich.console import Console

from hotmess_jax.machine.disk import size
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import exponent, incoherence, interval, number
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.draws import problems_of
from hotmess_jax.synthetic.study.plan import disk_bytes, host_bytes, plan, store_bytes
from hotmess_jax.synthetic.study.report_laws import COMPARISONS, over
from hotmess_jax.synthetic.study.settings import SweepConfig

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


def print_summary(document: Json, folder: Path, console: Console) -> None:
    """Print the models' last step, the claims, and where everything is."""
    header = ["model", "parameters", "loss", "bias²", "variance", "incoherence", "95 %"]
    table = right_aligned_table("Last step of the rollouts", header)
    for model in document["models"]:
        final = model["final"]
        table.add_row(
            f"{model['size']}-{model['replicate']}",
            f"{model['parameters']:,}",
            number(model["validation_loss"]),
            number(final["bias2"]),
            number(final["variance"]),
            incoherence(final["incoherence"]),
            interval(final["incoherence_ci95"]),
        )
    problems = problems_of(document)
    for name, label in (("teacher", "teacher"), ("codec_teacher", "rounded")):
        for place, problem in enumerate(problems):
            last = [problem[name][key][-1] for key in ("bias2", "variance", "incoherence")]
            label_of = f"{label}, draw {place}" if len(problems) > 1 else label
            table.add_row(label_of, "", "", number(last[0]), number(last[1]), number(last[2]), "")
    console.print(table)
    print_claims(document, console)
    print_missing(document, console)
    for path in ("report.md", "sweep.json", "figures"):
        console.print(str(folder / path), highlight=False, soft_wrap=True)


def print_missing(document: Json, console: Console) -> None:
    """Print which models failed, and which are worse than chance and therefore in no fit."""
    if names := document["worse_than_chance"]:
        said = f"worse than chance, and left out of fits, claims and figures: {', '.join(names)}"
        console.print(said, highlight=False, soft_wrap=True)
    for failure in document["failures"]:
        said = f"failed: {failure['size']}, replicate {failure['replicate']}: {failure['failed']['reason']}"
        console.print(said, highlight=False, soft_wrap=True)
    if document["failures"]:
        console.print(
            "What failed is tried again on another machine, with other versions, --micro-batch, --attention or "
            "--steps-per-dispatch, or with --retry-failed.",
            highlight=False,
            soft_wrap=True,
        )


def print_claims(document: Json, console: Console) -> None:
    """Print each claim's verdict, with its number and over what its interval is."""
    draws = len(problems_of(document)) - document.get("draws_left_out", 0)
    if draws > 1:
        console.print(f"Intervals are over {draws} draws of the problem.", highlight=False)
    elif document["claims"]:
        console.print(
            "One draw of the problem: intervals are over sizes, replicates or starts, and do not cover "
            "what other draws would give.",
            highlight=False,
            soft_wrap=True,
        )
    for claim in document["claims"]:
        console.print(
            f"{claim['statement']}: {claim['verdict']} ({claim['measure']}: "
            f"{exponent(claim['value'])}, 95 % {interval(claim['ci95'])})",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


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
    for key, value, text in COMPARISONS:
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
