"""Turn other harnesses' logs into records: python -m experiments.llm_import inspect LOGS … --out FILE.

The records (see hotmess_jax/llm/records.py) are for `python -m experiments.incoherence` and
`python -m experiments.llm_report`.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hotmess_jax.command_line import fail, parse_any, right_aligned_table
from hotmess_jax.files import written_whole
from hotmess_jax.llm.importers import Imported, import_inspect, import_lm_eval, import_swe_bench

MOST_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the records go."""

    out: Path
    """The file of records, JSON lines."""

    overwrite: bool = False
    """Replace the file if it exists."""


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
    """lm-evaluation-harness' samples_*.jsonl; repeats are samples."""

    logs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of samples, or folders."""

    model: str | None = None
    """The model's name; None is the one in results_*.json beside the samples."""


@dataclass(frozen=True, kw_only=True)
class SweBench(Output):
    """SWE-bench's report.json files; runs are samples."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders, one a run."""

    model: str | None = None
    """The model's name; None is the folder between a run and its tasks."""


Command = (
    Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[LmEval, tyro.conf.subcommand("lm-eval")]
    | Annotated[SweBench, tyro.conf.subcommand("swe-bench")]
)


def main() -> None:
    """Parse the command line, read the logs, write the records, say what could not be read."""
    config = parse_any(Command)
    console = Console()
    if config.out.exists() and not config.overwrite:
        fail(f"{config.out} exists; --overwrite replaces it")
    try:
        imported = read(config)
    except ValueError as error:
        fail(str(error))
    print_unread(imported, console)
    if not imported.records:
        fail("nothing could be imported")
    with written_whole(config.out) as aside, aside.open("w", encoding="utf-8") as stream:
        for record in imported.records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    print_summary(imported, config.out, console)
    if imported.unread:
        sys.exit(1)


def read(config: Inspect | LmEval | SweBench) -> Imported:
    """Call the importer that was asked for."""
    if isinstance(config, Inspect):
        return import_inspect(config.logs, config.scorer, config.correctness)
    if isinstance(config, LmEval):
        return import_lm_eval(config.logs, config.model)
    return import_swe_bench(config.runs, config.model)


def print_unread(imported: Imported, console: Console) -> None:
    """Print what could not be read, by file and reason, and what was not read as it stood."""
    for (file, reason), count in imported.unread.most_common(MOST_SHOWN):
        console.print(
            f"not read: {file}: {reason} ({count})", highlight=False, soft_wrap=True, markup=False
        )
    if len(imported.unread) > MOST_SHOWN:
        rest = sum(imported.unread.values()) - sum(
            c for _, c in imported.unread.most_common(MOST_SHOWN)
        )
        console.print(f"not read: {rest} more, of {len(imported.unread) - MOST_SHOWN} kinds")
    for note, count in imported.notes.items():
        console.print(f"note: {note} ({count})", highlight=False, soft_wrap=True, markup=False)


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
