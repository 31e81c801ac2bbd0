"""What an import found, as the terminal and JSON tell it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hotmess_jax.llm.importers.imported import Imported
from hotmess_jax.llm.importers.reconcile import Compared
from hotmess_jax.llm.importers.table_look import look
from hotmess_jax.presentation.lines import say
from hotmess_jax.presentation.tables import right_aligned_table

MOST_SHOWN = 20
# Of each task and model, figures that agree.
MOST_FIGURES = 4


def print_looks(files: Sequence[Path], rows: str | None, console: Console) -> None:
    """Print what columns each table has, and the command that is to be completed.

    Raises:
        ValueError: where one cannot be read.
    """
    for path in files:
        columns, command = look(path, rows)
        width = max(len(name) for name, _ in columns)
        for name, example in columns:
            say(console, f"{name:{width}}  {example}")
        say(
            console,
            "\nTo complete; what is named is proposed by the columns' names alone (see --help):",
        )
        say(console, command)


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


def print_summary(imported: Imported, out: Path, console: Console) -> None:
    """Print what was written, a line a benchmark and model."""
    table = right_aligned_table(str(out), ["benchmark", "model", "questions", "samples"])
    groups: dict[tuple[str, str], list[str]] = {}
    for record in imported.records:
        groups.setdefault((record.get("benchmark", "–"), record["model"]), []).append(
            record["question_id"]
        )
    for (benchmark, model), questions in sorted(groups.items()):
        table.add_row(benchmark, model, str(len(set(questions))), str(len(questions)))
    console.print(table)
