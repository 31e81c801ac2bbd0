"""Tables of anybody's own making, as records: which column is what is said, and nothing is guessed."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hotmess_jax.llm.importers.imported import Imported, told_apart
from hotmess_jax.llm.importers.reconcile import mean
from hotmess_jax.llm.importers.table_answers import (
    Options,
    Reading,
    answer_readings,
    options_of,
    place_of,
    target_reading,
)
from hotmess_jax.llm.importers.table_files import (
    Table,
    is_empty,
    literal,
    nearest,
    reach,
    read_table,
    replaced,
)
from hotmess_jax.llm.importers.table_maps import TableMap
from hotmess_jax.llm.records import IDENTITY, Record
from hotmess_jax.llm.sampling.answers import final_answer
from hotmess_jax.llm.sampling.benchmarks.question import LABELS

# Read in ways of their own.
_ANSWERED = ("answer", "target", "outcome", "probs", "logprobs", "sample")
# What columns that hold a field are often called: for advice alone.
NAMES: Mapping[str, Sequence[str]] = {
    "question_id": ("question_id", "doc_id", "id", "task_id", "question", "item", "index", "idx"),
    "answer": ("answer", "pred", "prediction", "predicted", "extracted_answer", "choice", "response"),
    "target": ("target", "gold", "label", "correct_answer", "reference", "answer_key", "truth"),
    "sample": ("sample", "seed", "epoch", "trial", "run", "repeat", "attempt"),
    "model": ("model", "model_name", "llm", "engine"),
    "outcome": ("outcome", "correct", "score", "success", "passed", "reward", "is_correct"),
    "options": ("options", "choices", "candidates"),
}
_EXAMPLES = 3
_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")


def import_table(paths: Sequence[Path], given: TableMap) -> Imported:
    """Read tables whose rows are samples: CSV, TSV, JSON, JSONL, Parquet, also as gzip.

    A row is a record with what the map names. Answers and targets may be labels (also in brackets),
    numbers of options, or options' texts: which of them the targets are is what all of them can be, and
    where they can be several with different results that is asked for. An answer that is no option is
    unparsed and counted. Where no column says which sample a row is, rows of a question are numbered.
    Options that stand in another order from row to row are told apart by their texts.

    Args:
        paths: files, of one map.
        given: which column is what.

    Raises:
        ValueError: where a file cannot be read, or lacks columns: the error says which it has.
    """
    imported = Imported()
    tables = [
        _exploded(read_table(path, given.rows), given.explode, imported)
        for path in dict.fromkeys(paths)
    ]
    _check(tables, given)
    rows = [row for table in tables for row in _rows(table, given, imported)]
    rows = _with_options(rows, given, imported)
    if any(row.options for row in rows):
        _read_answers(rows, given, imported)
    _numbers_of_text([row for row in rows if row.table.text])
    _add(rows, imported)
    _reconcile(rows, given, imported)
    return imported


@dataclass(eq=False)
class _Row:
    """One sample: the values of its fields as the table has them, and what was read of them."""

    table: Table
    where: str
    values: dict[str, Any]
    score: float | None
    given_options: Any = None
    options: Options | None = None
    target: int | None = None
    record: dict[str, Any] = field(default_factory=dict)
    added: bool = False


def _check(tables: Sequence[Table], given: TableMap) -> None:
    """Raise for what is missing, with what there is."""
    wanted = [*given.columns.items()]
    wanted += [("options", given.options[0])] if len(given.options) == 1 else []
    wanted += [("score", given.score)] if given.score is not None else []
    _missing(tables, wanted)
    fields = {*given.columns, *given.constants}
    needed = [name for name in ("question_id", "model") if name not in fields]
    answered = fields & {"answer", "probs", "logprobs"} or given.parse_text
    if not answered and "outcome" not in fields:
        needed.append("answer")
    if answered:
        needed += [] if "target" in fields else ["target"]
        needed += [] if given.options else ["options"]
    if needed:
        names = list(tables[0].columns)
        said = []
        for name in needed:
            close = nearest(NAMES[name], [n for n in names if n not in given.columns.values()])
            strange = {*given.columns, *given.constants} - {*Record.model_fields}
            said_so = nearest([name], sorted(strange), 0.8)
            how = {
                "options": "--options A B C D, or the column that has them",
                "model": "--set model=NAME, or --columns model=COLUMN",
                "answer": "--columns answer=COLUMN (or outcome=COLUMN, right or wrong, without options)",
            }.get(name, f"--columns {name}=COLUMN")
            hint = f", and not {said_so!r}" if said_so else f"; {close!r}?" if close else ""
            said.append(f"{name} is needed: {how}{hint}")
        raise ValueError(f"{'; '.join(said)}; {tables[0].path} has {', '.join(names)}")
    if both := {*given.columns} & {*given.constants}:
        raise ValueError(f"{min(both)} is said twice: as a column, and of all rows")
    if len(set(given.options)) < len(given.options):
        raise ValueError(f"options must differ, got {' '.join(given.options)}")
    if given.parse_text and "text" not in fields:
        raise ValueError("the text that states the answer is needed: --columns text=COLUMN")


def _missing(tables: Sequence[Table], wanted: Sequence[tuple[str, str]]) -> None:
    """Raise for columns that a table lacks, with those that it has and the nearest of them."""
    problems = []
    for table in tables:
        names = list(table.columns)
        said = []
        for name, path in wanted:
            if _first(table, path) is None:
                close = nearest(path.split("|"), names)
                said.append(f"{path!r} ({name})" + (f", did you mean {close!r}?" if close else ""))
        if said:
            problems.append(f"{table.path} has no column {'; '.join(said)}; it has {', '.join(names)}")
    if problems:
        raise ValueError("; ".join(problems))


def _rows(table: Table, given: TableMap, imported: Imported) -> Iterator[_Row]:
    for where, reason in table.broken:
        imported.leave_out(table.path, reason, where)
    columns = {name: of for name, path in given.columns.items() if (of := _first(table, path))}
    scored_by = _first(table, given.score) if given.score else None
    options = _first(table, given.options[0]) if len(given.options) == 1 else None
    for where, row in table.rows:
        values = dict(given.constants) | {name: reach(row, path) for name, path in columns.items()}
        lacking = next((n for n in ("question_id", "model") if is_empty(values[n])), None)
        if lacking is not None:
            imported.leave_out(
                table.path, f"the row has no {lacking} ({columns.get(lacking, lacking)})", where
            )
            continue
        score = None
        if scored_by:
            score = share(reach(row, scored_by))
            if score is None:
                imported.notes[f"rows whose {scored_by} is neither right, wrong nor a share"] += 1
        yield _Row(table, where, values, score, None if options is None else reach(row, options))


def _first(table: Table, path: str) -> str | None:
    """Return the first alternative that the table has, "" where it may have none; None where it must."""
    return next((of for of in path.split("|") if not of or table.has(of)), None)


def _exploded(table: Table, paths: Sequence[str], imported: Imported) -> Table:
    """Return a table with a row for each item of the lists at these paths.

    Raises:
        ValueError: where it has no such column.
    """
    if not paths:
        return table
    _missing([table], [("--explode", path) for path in paths])
    rows = []
    for where, row in table.rows:
        try:
            rows += [(where, one) for one in _items(row, paths)]
        except ValueError as error:
            imported.leave_out(table.path, str(error), where)
    return replace(table, rows=rows)


def _items(row: Mapping[str, Any], paths: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield a row with each item of its lists in the lists' place."""
    lists = {}
    for path in paths:
        value = reach(row, path)
        value = literal(value) if isinstance(value, str) else value
        if not isinstance(value, list | tuple):
            raise ValueError(f"{path} is no list")
        lists[path] = list(value)
    count = len(lists[paths[0]])
    if not count:
        raise ValueError(f"{paths[0]} is an empty list")
    if any(len(of) != count for of in lists.values()):
        raise ValueError(f"{', '.join(paths)} are lists of different lengths")
    for i in range(count):
        one: Any = row
        for path, values in lists.items():
            one = replaced(one, path, values[i])
        yield one


def share(value: Any) -> float | None:
    """Return right or wrong, or a number between 0 and 1, as a number; None for anything else."""
    if isinstance(value, str):
        said = value.strip().lower()
        if said in ("true", "false"):
            return float(said == "true")
        try:
            value = float(said)
        except ValueError:
            return None
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    return None


def _with_options(rows: list[_Row], given: TableMap, imported: Imported) -> list[_Row]:
    """Return the rows that have options, where options are there at all, or have an outcome."""
    if not given.options:
        return rows
    found = []
    everywhere = Options(given.options) if len(given.options) > 1 else None
    for row in rows:
        row.options = everywhere or options_of(row.given_options)
        if row.options is None:
            imported.leave_out(row.table.path, f"{given.options[0]} holds no options", row.where)
        else:
            found.append(row)
    return found


class _Unparsed:
    """Answers that are taken as unparsed: those that are no option, as they stand, and how many say nothing."""

    def __init__(self) -> None:
        self.strange: Counter[str] = Counter()
        self.blank = 0

    def note(self, imported: Imported, in_columns: bool) -> None:
        """Say how many there are."""
        if self.strange:
            examples = ", ".join(repr(value) for value, _ in self.strange.most_common(_EXAMPLES))
            imported.notes[f"answers that are no option, taken as unparsed (such as {examples})"] += (
                self.strange.total()
            )
        if self.blank:
            what = "are empty" if in_columns else "their text does not state"
            imported.notes[f"answers that {what}, taken as unparsed"] += self.blank


def _read_answers(rows: list[_Row], given: TableMap, imported: Imported) -> None:
    """Find each row's target and answer; a row without a target is left out."""
    chosen = target_reading([(row.values["target"], row.options) for row in rows], given.targets)
    if chosen is not None and chosen.startswith("numbers") and given.targets is None:
        imported.notes[f"targets are {chosen.replace('-', ' ')}, as they themselves show"] += len(rows)
    pairs = [(row.values["answer"], row.options) for row in rows if "answer" in row.values]
    if pairs and all(isinstance(value, list | tuple) and len(value) > 1 for value, _ in pairs):
        column = given.columns["answer"]
        raise ValueError(f"{column} holds lists of answers: --explode {column} makes a sample of each")
    readings = answer_readings(pairs, chosen, given.answers)
    if given.answers is None and pairs:
        numbers = [name for name in readings if name.startswith("numbers") and name != chosen]
        for name in numbers:
            imported.notes[f"answers are {name.replace('-', ' ')}, as they themselves show"] += len(
                pairs
            )
    unparsed = _Unparsed()
    for row in rows:
        options = _read_target(row, chosen, imported)
        if options is None:
            continue
        try:
            probs = _probs(row.values, options)
        except ValueError as error:
            imported.leave_out(row.table.path, str(error), row.where)
            row.target = None
            continue
        if probs is not None:
            row.record["probs"] = dict(zip(options.labels, probs, strict=True))
        else:
            row.record["answer"] = _answer(row.values, options, readings, unparsed)
    unparsed.note(imported, bool(pairs))


def _read_target(row: _Row, chosen: Reading | None, imported: Imported) -> Options | None:
    """Find a row's target, and return its options, told apart; None where the row is left out."""
    assert row.options is not None
    row.target = place_of(row.values["target"], row.options, [chosen] if chosen else [])
    if row.target is None:
        imported.leave_out(
            row.table.path,
            "the target is none of the options",
            f"{row.where}: {row.values['target']!r}"[:80],
        )
        return None
    options = row.options
    texts = told_apart(options.texts, row.target) if options.texts else None
    row.options = options = Options(options.labels, texts)
    row.record = {"options": list(options.labels), "target": options.labels[row.target]}
    if texts is not None:
        row.record["option_texts"] = list(texts)
    return options


def _answer(
    values: Mapping[str, Any], options: Options, readings: Sequence[Reading], unparsed: _Unparsed
) -> str:
    """Return the label that a row's answer, or its text, names; "" where it names none, which is counted."""
    if "answer" not in values:
        text = values.get("text")
        stated = _stated("" if is_empty(text) else str(text), options)
        unparsed.blank += not stated
        return stated
    value = values["answer"]
    place = place_of(value, options, readings)
    if place is not None:
        return options.labels[place]
    if is_empty(value):
        unparsed.blank += 1
    else:
        unparsed.strange[" ".join(str(value).split())[:40]] += 1
    return ""


def _stated(text: str, options: Options) -> str:
    """Return the label that a response finally states, "" where it states none."""
    if not all(label in LABELS for label in options.labels):
        raise ValueError(f"a text is read for letters, and the options are {' '.join(options.labels)}")
    return final_answer(text, options.labels, options.texts or ()) or ""


def _probs(values: Mapping[str, Any], options: Options) -> list[float] | None:
    """Return a distribution in the options' order, from probabilities or log-likelihoods; None without.

    Raises:
        ValueError: where it is not one number an option.
    """
    name = next((n for n in ("probs", "logprobs") if not is_empty(values.get(n))), None)
    if name is None:
        return None
    said = values[name]
    said = literal(said) if isinstance(said, str) else said
    if isinstance(said, Mapping):
        unknown = set(said) - set(options.labels)
        if unknown or (name == "logprobs" and len(said) < len(options.labels)):
            raise ValueError(f"{name} are not of the options")
        said = [said.get(label) or 0.0 for label in options.labels]
    numbers = (
        [float(v) for v in said if isinstance(v, int | float)] if isinstance(said, list | tuple) else []
    )
    if len(numbers) != len(options.labels) or any(math.isnan(v) for v in numbers):
        raise ValueError(f"{name} are not one number an option")
    if name == "probs":
        return numbers
    highest = max(numbers)
    weights = [math.exp(v - highest) for v in numbers]
    return [weight / sum(weights) for weight in weights]


def _numbers_of_text(rows: Sequence[_Row]) -> None:
    """Make numbers of fields that a text file has nothing else in, and that records have no type for."""
    names = {name for row in rows for name in row.values} - {*Record.model_fields, *_ANSWERED}
    for name in names:
        cells = [row for row in rows if not is_empty(row.values.get(name))]
        said = [row.values[name] for row in cells]
        # "007" and "1_000" are names.
        if not all(isinstance(value, str) and _NUMBER.fullmatch(value.strip()) for value in said):
            continue
        whole = not any(set(value) & set(".eE") for value in said)
        for row in cells:
            row.values[name] = (int if whole else float)(row.values[name])


def _add(rows: Sequence[_Row], imported: Imported) -> None:
    """Add the records, each checked; rows of one question must agree on its options and target."""
    questions: dict[tuple, _Row] = {}
    taken: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        if row.options is not None and row.target is None:
            continue
        try:
            record = _record(row)
            _same_question(row, record, questions, imported)
            record = Record.model_validate({"sample": 0, **record}).model_dump(exclude_none=True)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            name = ".".join(map(str, detail["loc"]))
            said = f"{name}: {detail['msg'].removeprefix('Value error, ')}".removeprefix(": ")
            imported.leave_out(row.table.path, said, f"{row.where}: {detail['input']!r}"[:80])
            continue
        except ValueError as error:
            imported.leave_out(row.table.path, str(error), row.where)
            continue
        sample = record.pop("sample") if not is_empty(row.values.get("sample")) else None
        if sample is not None:
            known = taken.setdefault((*(record.get(n) for n in IDENTITY[:-1]), sample), record)
            if known is not record:
                others = {*known, *record} - {*Record.model_fields, "option_texts"}
                if known == record:
                    imported.notes["rows that stand twice, read once"] += 1
                    continue
                if all(known.get(name) == record.get(name) for name in others):
                    imported.leave_out(
                        row.table.path, "another row is the same sample of the same question", row.where
                    )
                    continue
                imported.notes["samples of one number that differ in other fields, numbered anew"] += 1
        imported.add(dict(record), sample)
        row.record, row.added = record, True


def _record(row: _Row) -> dict[str, Any]:
    """Return a row's record, unchecked.

    Raises:
        ValueError: where its outcome or sample is not what it should be.
    """
    record: dict[str, Any] = {
        name: _plain(name, value)
        for name, value in row.values.items()
        if name not in _ANSWERED and not is_empty(value)
    }
    if not is_empty(sample := row.values.get("sample")):
        try:
            number = float(str(sample))
        except (TypeError, ValueError):
            number = math.nan
        if number != number or number != int(number):
            raise ValueError("the sample is no number (without a column for it, samples are numbered)")
        record["sample"] = int(number)
    if "outcome" in row.values and not (row.options and is_empty(row.values["outcome"])):
        outcome = share(row.values["outcome"])
        if outcome is None:
            raise ValueError("the outcome is neither true, false nor a number from 0 to 1")
        record["outcome"] = bool(outcome) if outcome in (0, 1) else outcome
    return record | row.record


def _plain(name: str, value: Any) -> Any:
    """Return a value as records hold it: objects and lists as JSON text, numbers and names as they are."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _same_question(
    row: _Row, record: dict[str, Any], questions: dict[tuple, _Row], imported: Imported
) -> None:
    """Bring options to the order that they have in the question's first row.

    Raises:
        ValueError: where the options or the target are others.
    """
    if row.options is None or row.target is None:
        return
    first = questions.setdefault((record.get("benchmark"), str(record["question_id"])), row)
    if first is row:
        return
    assert first.options is not None and first.target is not None
    here, there = row.options, first.options
    names, known = here.names, there.names
    if sorted(names) != sorted(known):
        raise ValueError(
            "the question has other options than in its first row (a benchmark, --set benchmark=NAME or a "
            "column, tells questions of one id apart)"
        )
    if names[row.target] != known[first.target]:
        raise ValueError("the question has another target than in its first row")
    if names != known:
        imported.notes["rows whose options stand in another order, told apart by their texts"] += 1
        label = {here.labels[i]: there.labels[known.index(name)] for i, name in enumerate(names)}
        record["options"], record["target"] = list(there.labels), label[record["target"]]
        if there.texts is not None:
            record["option_texts"] = list(there.texts)
        if record.get("answer"):
            record["answer"] = label[record["answer"]]
        if "probs" in record:
            record["probs"] = {label[name]: p for name, p in record["probs"].items()}


def _right(record: Mapping[str, Any]) -> float:
    """Return whether a record is right; of probabilities, by the share that the target has of the highest."""
    if "probs" in record:
        most = max(record["probs"].values())
        best = [label for label, p in record["probs"].items() if p == most]
        return (record["target"] in best) / len(best)
    if "target" in record:
        return float(record["answer"] == record["target"])
    return float(record["outcome"])


def _reconcile(rows: Sequence[_Row], given: TableMap, imported: Imported) -> None:
    """Hold the accuracy of what was read against that by the table's own score."""
    groups: dict[tuple[str, str, str], list[_Row]] = {}
    for row in rows:
        if row.added:
            record = row.record
            key = (str(row.table.path), record.get("benchmark") or "", record["model"])
            groups.setdefault(key, []).append(row)
    for (file, benchmark, model), of in groups.items():
        scored = [row for row in of if row.score is not None]
        if not scored:
            # One map may be of files with and without.
            if (
                said := f"{file} (--score names a column that has them)"
            ) not in imported.without_figures:
                imported.without_figures.append(said)
            continue
        log = dict(enumerate(row.score or 0.0 for row in scored))
        read = {i: _right(row.record) for i, row in enumerate(scored)}
        parted = dict.fromkeys(
            str(row.record["question_id"])
            for i, row in enumerate(scored)
            if abs(log[i] - read[i]) > 1e-9
        )
        whole = len(scored) if all(value in (0, 1) for value in log.values()) else None
        figure = f"accuracy by {given.score}".rstrip("|")
        imported.compare(file, benchmark, model, figure, mean(log), mean(read), tuple(parted), whole)
