"""Turn other harnesses' logs into records: python -m experiments.llm_import inspect LOGS … --out FILE.

The records (see hotmess_jax/llm/records.py) are for `python -m experiments.incoherence` and
`python -m experiments.llm_report`. What was read is held against the log's own figures: where they part,
or something could not be read, the exit status is 1.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from hotmess_jax.llm.importers import Imported, import_inspect, import_lm_eval, import_swe_bench
from hotmess_jax.llm.importers.reconcile import Compared
from hotmess_jax.llm.origins import RECONCILED, write_reconciled
from hotmess_jax.llm.sampling.record_file import beside
from hotmess_jax.machine.files import write_json, written_whole
from hotmess_jax.presentation.command_line import fail, parse_any
from hotmess_jax.presentation.tables import right_aligned_table

MOST_SHOWN = 20
# Of each task and model, figures that agree.
MOST_FIGURES = 4


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the records go."""

    out: Path
    """The file of records, JSON lines; beside it FILE.reconciled.json is written, what they were compared
    with, for experiments.llm_report."""

    overwrite: bool = False
    """Replace the files if they exist."""

    json: str | None = None
    """Also write the comparison with the logs' own figures, and all that was said, as one JSON document to
    this file; "-" prints it instead."""


@dataclass(frozen=True, kw_only=True)
class Inspect(Output):
    """Inspect's .eval and .json logs; epochs are samples (extra inspect)."""

    logs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Logs, or folders of them."""

    scorer: str | None = None
    """Whose score to take; None is the first that states an answer."""

    correctness: bool = False
    """Where a sample has no choices, take right or wrong as its outcome."""


@dataclass(frozen=True, kw_only=True)
class LmEval(Output):
    """lm-evaluation-harness' samples_*.jsonl, or results with samples inside; repeats are samples."""

    logs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of samples or results, or folders."""

    model: str | None = None
    """The model's name; None is the one in results_*.json beside the samples."""

    normalised: bool = False
    """Divide log-likelihoods by the options' lengths, as acc_norm does."""

    correctness: bool = False
    """Where a task has no options, take right or wrong as its outcome: by the last number."""


@dataclass(frozen=True, kw_only=True)
class SweBench(Output):
    """SWE-bench's report.json files and summaries of runs; runs are samples."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs, at any level of the harness' logs, or summaries (MODEL.RUN.json)."""

    model: str | None = None
    """The model's name; None is the folder between a run and its tasks, or the summary's."""


Command = (
    Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[LmEval, tyro.conf.subcommand("lm-eval")]
    | Annotated[SweBench, tyro.conf.subcommand("swe-bench")]
)


def main() -> None:
    """Parse the command line, read the logs, write the records, say what could not be read."""
    config = parse_any(Command)
    console = Console()
    for path in (config.out, beside(config.out, RECONCILED)):
        if path.exists() and not config.overwrite:
            fail(f"{path} exists; --overwrite replaces it")
    try:
        imported = read(config)
    except ValueError as error:
        fail(str(error))
    told = Console(stderr=True) if config.json == "-" else console
    print_unread(imported, told)
    if not imported.records:
        fail("nothing could be imported")
    with written_whole(config.out) as aside, aside.open("w", encoding="utf-8") as stream:
        for record in imported.records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    write_reconciled(config.out, document(imported))
    if config.json == "-":
        json.dump(document(imported), sys.stdout, indent=1, allow_nan=False)
        print()
    elif config.json is not None:
        write_json(Path(config.json), document(imported))
    print_summary(imported, config.out, told)
    print_comparison(imported, told)
    if imported.unread or imported.parted:
        sys.exit(1)


def read(config: Inspect | LmEval | SweBench) -> Imported:
    """Call the importer that was asked for."""
    if isinstance(config, Inspect):
        return import_inspect(config.logs, config.scorer, config.correctness)
    if isinstance(config, LmEval):
        return import_lm_eval(config.logs, config.model, config.normalised, config.correctness)
    return import_swe_bench(config.runs, config.model)


def document(imported: Imported) -> dict[str, Any]:
    """Return everything that was compared and said, as JSON values."""
    return {
        "records": len(imported.records),
        "compared": [one.to_json() for one in imported.compared],
        "without_figures": imported.without_figures,
        "unread": [
            {
                "file": file,
                "reason": reason,
                "count": count,
                "first": imported.first.get((file, reason)),
            }
            for (file, reason), count in imported.unread.items()
        ],
        "notes": dict(imported.notes),
    }


def print_unread(imported: Imported, console: Console) -> None:
    """Print what could not be read, by file and reason, and what was not read as it stood."""
    for key, count in imported.unread.most_common(MOST_SHOWN):
        first = f", first at {imported.first[key]}" if key in imported.first else ""
        say(console, f"not read: {key[0]}: {key[1]} ({count}{first})")
    if len(imported.unread) > MOST_SHOWN:
        rest = sum(count for _, count in imported.unread.most_common()[MOST_SHOWN:])
        say(console, f"not read: {rest} more, of {len(imported.unread) - MOST_SHOWN} kinds")
    for note, count in imported.notes.items():
        say(console, f"note: {note} ({count})")


def print_comparison(imported: Imported, console: Console) -> None:
    """Print the logs' own figures beside those of what was read; where they part, whose they are."""
    shown: dict[tuple[str, str], list[Compared]] = {}
    for one in imported.compared:
        shown.setdefault((one.benchmark, one.model), []).append(one)
    table = right_aligned_table(
        "What the logs say of themselves", ["task", "figure", "log", "read", ""]
    )
    parted = 0
    for (benchmark, model), figures in sorted(shown.items()):
        for i, one in enumerate(sorted(figures, key=lambda one: one.agrees)):
            if i < MOST_FIGURES or not one.agrees:
                said = f"{benchmark}\n{model}" if i == 0 else ""
                table.add_row(
                    said, one.figure, f"{one.log:g}", f"{one.read:g}", "" if one.agrees else "parts"
                )
            parted += not one.agrees
    if imported.compared:
        console.print(table)
        all_of = len(imported.compared)
        say(
            console,
            f"{all_of - parted} of {all_of} figures agree" + (f", {parted} part" if parted else ""),
        )
    for one in imported.parted:
        names = ", ".join(one.questions[:MOST_SHOWN]) or "no question's own score tells which"
        more = len(one.questions) - MOST_SHOWN
        say(
            console,
            f"parts: {one.file}: {one.figure} of {one.benchmark} is {one.log:g} in the log, {one.read:g} as "
            f"read: {names}" + (f" and {more} more" if more > 0 else ""),
        )
    without = imported.without_figures
    for name in without[:MOST_SHOWN]:
        say(console, f"no figures of its own: {name}")
    if len(without) > MOST_SHOWN:
        say(console, f"no figures of their own: {len(without) - MOST_SHOWN} more")


def say(console: Console, text: str) -> None:
    """Print a line as it is."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def print_summary(imported: Imported, out: Path, console: Console) -> None:
    """Print what was written, a line a benchmark and model."""
    table = right_aligned_table(str(out), ["benchmark", "model", "questions", "samples"])
    groups: dict[tuple[str, str], list[str]] = {}
    for record in imported.records:
        groups.setdefault((record["benchmark"], record["model"]), []).append(record["question_id"])
    for (benchmark, model), questions in sorted(groups.items()):
        table.add_row(benchmark, model, str(len(set(questions))), str(len(questions)))
    console.print(table)


if __name__ == "__main__":
    main()
