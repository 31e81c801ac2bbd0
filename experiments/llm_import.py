"""Turn other harnesses' logs into records: python -m experiments.llm_import inspect LOGS … --out FILE.

The records (see hotmess_jax/llm/records.py) are for `python -m experiments.incoherence` and
`python -m experiments.llm_report`. What was read is held against the log's own figures: where they part,
or something could not be read, the exit status is 1.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from hotmess_jax.llm.importers import (
    MAPS,
    Imported,
    TableMap,
    import_inspect,
    import_lm_eval,
    import_swe_bench,
    import_table,
    import_tau_bench,
    look,
)
from hotmess_jax.llm.importers.reconcile import Compared
from hotmess_jax.llm.importers.table_answers import Reading
from hotmess_jax.llm.origins import RECONCILED, write_reconciled
from hotmess_jax.llm.sampling.record_file import beside
from hotmess_jax.machine.files import write_json, written_whole
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    named_values,
    parse_any,
    try_outputs,
)
from hotmess_jax.presentation.tables import right_aligned_table

MOST_SHOWN = 20
# Of each task and model, figures that agree.
MOST_FIGURES = 4


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How the records are written."""

    overwrite: bool = False
    """Replace the files if they exist."""

    json: str | None = None
    """Also write the comparison with the logs' own figures, and all that was said, as one JSON document to
    this file; "-" prints it instead."""


@dataclass(frozen=True, kw_only=True)
class Output(Writing):
    """Where the records go."""

    out: Path
    """The file of records, JSON lines; beside it FILE.reconciled.json is written, what they were compared
    with, for experiments.llm_report."""


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


@dataclass(frozen=True, kw_only=True)
class TauBench(Output):
    """tau-bench's and tau2-bench's results; trials are samples, and a record's outcome is the reward."""

    results: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of results, a model and domain each, or folders of them."""

    model: str | None = None
    """The model's name, which tau-bench's files do not hold; None is what the file's name says."""

    domain: str | None = None
    """airline, retail, …; None is what the file says."""


@dataclass(frozen=True, kw_only=True)
class Table(Writing):
    """Tables of any columns, CSV, TSV, JSON, JSONL or Parquet; without --columns: what the columns are."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Tables whose rows are samples; also as gzip."""

    out: Path | None = None
    """The file of records, JSON lines; beside it FILE.reconciled.json is written."""

    columns: tuple[str, ...] = ()
    """FIELD=COLUMN …, such as question_id=doc_id answer=pred target=gold sample=seed. Dots reach into
    objects (output_tokens=usage.output_tokens); a|b is the first that the file has."""

    set: tuple[str, ...] = ()
    """FIELD=VALUE …, of all rows, such as model=gpt-4o-mini."""

    options: tuple[str, ...] = ()
    """All labels, such as A B C D; or the one column that has labels or the options' texts."""

    explode: tuple[str, ...] = ()
    """Columns that hold a list of samples each."""

    rows: str | None = None
    """Where in a JSON document the rows are, such as results.rows."""

    score: str | None = None
    """The column with the table's own score, right or wrong, that the records are held against."""

    targets: Reading | None = None
    """What the targets are; None is what all of them can be."""

    answers: Reading | None = None
    """What the answers are; None is what targets are, else letters, else texts."""

    parse_text: bool = False
    """Read the answer from what the column of `text` finally states."""

    map: (
        Literal[
            "lighteval", "lighteval-generated", "evalscope", "opencompass", "simple-evals", "promptfoo"
        ]
        | None
    ) = None
    """The columns of a harness' own tables; what is given beside it counts before it."""


Command = (
    Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[LmEval, tyro.conf.subcommand("lm-eval")]
    | Annotated[SweBench, tyro.conf.subcommand("swe-bench")]
    | Annotated[TauBench, tyro.conf.subcommand("tau-bench")]
    | Annotated[Table, tyro.conf.subcommand("table")]
)


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read the logs, write the records, say what could not be read."""
    config = parse_any(Command)
    console = Console()
    if isinstance(config, Table) and not (config.columns or config.map or config.out):
        return print_looks(config, console)
    if config.out is None:
        fail("where the records go is not said: --out FILE")
    for path in (config.out, beside(config.out, RECONCILED)):
        if path.exists() and not config.overwrite:
            fail(f"{path} exists; --overwrite replaces it")
    try_outputs([config.out, None if config.json in (None, "-") else Path(config.json)])
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


def read(config: Inspect | LmEval | SweBench | TauBench | Table) -> Imported:
    """Call the importer that was asked for."""
    if isinstance(config, Inspect):
        return import_inspect(config.logs, config.scorer, config.correctness)
    if isinstance(config, LmEval):
        return import_lm_eval(config.logs, config.model, config.normalised, config.correctness)
    if isinstance(config, SweBench):
        return import_swe_bench(config.runs, config.model)
    if isinstance(config, TauBench):
        return import_tau_bench(config.results, config.model, config.domain)
    given = TableMap(
        columns=named_values("--columns", config.columns),
        constants=named_values("--set", config.set),
        options=config.options,
        explode=config.explode,
        rows=config.rows,
        score=config.score,
        targets=config.targets,
        answers=config.answers,
        parse_text=config.parse_text,
    )
    return import_table(config.files, given.over(MAPS[config.map]) if config.map else given)


def print_looks(config: Table, console: Console) -> None:
    """Print what columns each table has, and the command that is to be completed."""
    for path in config.files:
        try:
            columns, command = look(path, config.rows)
        except ValueError as error:
            fail(str(error))
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


def say(console: Console, text: str) -> None:
    """Print a line as it is."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)


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


if __name__ == "__main__":
    main()
