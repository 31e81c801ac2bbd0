"""The synthetic study: python -m experiments.synthetic_sweep [--preset PRESET] [--dry-run] …

Trains transformers of several sizes to imitate an optimiser, splits the error of their rollouts into
bias² and variance, and writes sweep.json, report.md and figures (Hägele et al. 2026,
arXiv 2601.23045, Section 3.2.2). Stopped at any moment, the same command goes on where it was.
"""

from pathlib import Path

from rich.console import Console

from hotmess_jax.machine.disk import size
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
from hotmess_jax.presentation.tables import right_aligned_table
from hotmess_jax.presentation.words import exponent, incoherence, interval, number
from hotmess_jax.synthetic.checkpoints import CorruptCheckpointError
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.data import CorruptStoreError
from hotmess_jax.synthetic.draws import problems_of
from hotmess_jax.synthetic.study.folder import FolderInUseError
from hotmess_jax.synthetic.study.outputs import conclude, examples_of, write_outputs
from hotmess_jax.synthetic.study.plan import NoRoomError, disk_bytes, host_bytes, plan, store_bytes
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.sweep import Sweep, check

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
            document = carry_out(sweep)
    print_summary(document, config.folder, console)
    if document["failures"]:
        raise SystemExit(1)


def carry_out(sweep: Sweep) -> Json:
    """Carry a sweep out, write its outputs, and return what sweep.json holds.

    Of several processes, the first alone fits and writes.
    """
    document = sweep.carry_out()
    if not is_first():
        return document | {"fits": {}, "claims": [], "worse_than_chance": []}
    document = conclude(document)
    folder = sweep.config.folder
    write_outputs(document, folder, examples_of(document, folder))
    return document


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


if __name__ == "__main__":
    main()
