"""The record format: one JSON object a line, one record a sample.

Required: `model`, `question_id`, `sample` (a number that tells samples of one question apart), `target`
(the right option's label), `options` (all labels), and one of `answer` (a label, or "" where none could
be parsed) or `probs` (label to probability). Where the outcome is that of unit tests, `tests` (a test's
name to whether it passed) stands instead of `target`, `options`, `answer` and `probs`; so does `outcome`
alone (true, false, or a number between 0 and 1), which may also stand beside any of them. Optional:
`benchmark`, `context` (a number: which few-shot prompt), `temperature`, `reasoning_tokens`,
`output_tokens`, `actions`, `topic`, `difficulty`, `budget`, `format`, `prompt` (name@version), `text`,
`seed`, `finish_reason`, and the settings `num_fewshot`, `chat_template`, `system_instruction`,
`max_tokens`, `generation`, `model_args`, `solver`, `task_args`. Fields of other names are kept;
`experiments.llm_sample` adds `reasoning` (the text that was thought), for the open format `open_answer`,
and what the benchmark knows, such as `error_type`. Records that differ in `temperature`, `budget`, `format`
or `prompt`, or within a benchmark in one of the settings, are analysed apart.
"""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import polars as pl
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from hotmess_jax.llm.clashes import BETWEEN, clashes

MOST_REPORTED = 20
SUM_TOLERANCE = 0.01
# What a sample was drawn with: samples that differ in it are never pooled.
SETTINGS = ("temperature", "budget", "format", "prompt")
# Settings that each task of one run may have its own of: they tell samples of one benchmark apart.
TASK_SETTINGS = (
    "num_fewshot",
    "chat_template",
    "system_instruction",
    "max_tokens",
    "generation",
    "model_args",
    "solver",
    "task_args",
)
# Records with the same of all these are the same sample.
IDENTITY = ("benchmark", "model", "question_id", "context", *SETTINGS, *TASK_SETTINGS, "sample")


class Record(BaseModel):
    """One sample of one model's answer to one question."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, protected_namespaces=())

    model: str
    question_id: str
    sample: int
    target: str | None = None
    options: list[str] | None = None
    answer: str | None = None
    probs: dict[str, float] | None = None
    tests: dict[str, bool] | None = None
    benchmark: str | None = None
    context: int | None = None
    temperature: float | None = None
    reasoning_tokens: int | None = None
    output_tokens: int | None = None
    actions: int | None = None
    topic: str | None = None
    difficulty: str | None = None
    budget: str | None = None
    format: str | None = None
    prompt: str | None = None
    num_fewshot: int | None = None
    chat_template: str | None = None
    system_instruction: str | None = None
    max_tokens: int | None = None
    generation: str | None = None
    model_args: str | None = None
    solver: str | None = None
    task_args: str | None = None
    outcome: bool | float | None = None
    text: str | None = None
    seed: int | None = None
    finish_reason: str | None = None

    @field_validator("outcome")
    @classmethod
    def _a_share(cls, outcome: bool | float | None) -> bool | float | None:
        if outcome is not None and not 0 <= outcome <= 1:
            raise ValueError(f"outcome must be true, false or between 0 and 1, got {outcome}")
        return outcome

    @field_validator("options")
    @classmethod
    def _distinct(cls, options: list[str] | None) -> list[str] | None:
        if options is None:
            return None
        if not options or len(set(options)) < len(options):
            raise ValueError("options must be labels that differ")
        return options

    @field_validator("probs")
    @classmethod
    def _a_distribution(cls, probs: dict[str, float] | None) -> dict[str, float] | None:
        if probs is None:
            return None
        if bad := {label: p for label, p in probs.items() if not 0 <= p < float("inf")}:
            raise ValueError(f"probabilities must be numbers from 0 on, got {bad}")
        total = sum(probs.values())
        if abs(total - 1) > SUM_TOLERANCE:
            raise ValueError(f"probabilities must sum to 1 within 1 %, got {total:g}")
        return {label: p / total for label, p in probs.items()}

    @model_validator(mode="after")
    def _labels_are_options(self) -> "Record":
        if self.tests is not None:
            if not self.tests or self.options or self.target or self.answer or self.probs:
                raise ValueError(
                    "tests, at least one, stand instead of options, target, answer and probs"
                )
            return self
        bare = (self.options, self.target, self.answer, self.probs)
        if self.outcome is not None and all(field is None for field in bare):
            return self
        if self.target is None or self.options is None:
            raise ValueError(f"{'target' if self.target is None else 'options'}: Field required")
        if self.target not in self.options:
            raise ValueError(f"target {self.target!r} is not among the options {self.options}")
        if self.answer is None and self.probs is None:
            raise ValueError("one of answer and probs is needed")
        if self.answer and self.answer not in self.options:
            raise ValueError(f"answer {self.answer!r} is not among the options {self.options}")
        if self.probs is not None and not set(self.probs) <= set(self.options):
            raise ValueError(f"probs {self.probs} names what is not among {self.options}")
        return self


_EMPTY: dict[str, Any] = {
    "context": pl.Int64,
    "temperature": pl.Float64,
    "reasoning_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "actions": pl.Int64,
    "seed": pl.Int64,
    "num_fewshot": pl.Int64,
    "max_tokens": pl.Int64,
    "outcome": pl.Float64,
    "options": pl.List(pl.String),
}


class RecordErrors(ValueError):
    """What is wrong with files of records, a line each."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the first problems, and count the others."""
        more = len(problems) - MOST_REPORTED
        shown = problems[:MOST_REPORTED] + ([f"and {more} more"] if more > 0 else [])
        super().__init__("\n".join(shown))
        self.problems = problems


def read_records(paths: str | Path | Iterable[str | Path], apart: Iterable[str] = ()) -> pl.DataFrame:
    """Read and check files of records.

    Args:
        paths: JSONL files, or one; records may come in any order, and identical ones twice.
        apart: further fields that tell samples apart: conditions that number their samples alike.

    Returns:
        A table with a row a record and a column a field; fields that only some records have are null
        in the others.

    Raises:
        RecordErrors: naming file, line and value of everything that is wrong.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    problems: list[tuple[int, str]] = []
    rows: list[dict] = []
    # Of each row: which of all lines, and how messages call it.
    places: list[tuple[int, str]] = []
    line_of_all = 0
    for path in paths:
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            problems.append((line_of_all, f"{path}: cannot be read: {error}"))
            continue
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where, line_of_all = f"{path}:{number}", line_of_all + 1
            try:
                rows.append(Record.model_validate_json(line).model_dump())
            except ValidationError as error:
                problems += [(line_of_all, f"{where}: {text}") for text in _reasons(error)]
            else:
                places.append((line_of_all, where))
    if not problems and not rows:
        raise RecordErrors([f"no records in {', '.join(map(str, paths))}"])
    table = _table(rows)
    first = np.ones(0, bool)
    if rows:
        first, found = clashes(table, identity_of(table, apart))
        for row, earlier, why, more in found:
            line_of_all, where = places[row]
            problems.append((line_of_all, f"{where}: {why}{places[earlier][1]}{more}"))
    if problems:
        raise RecordErrors([text for _, text in sorted(problems, key=lambda problem: problem[0])])
    return table.filter(first)


# Columns that every table of records has; where neither `tests` nor `outcome` is there, also those of a
# choice among options.
ALWAYS = ("model", "question_id", "sample")
OF_CHOICES = ("target", "options", "answer", "probs")
_TEXTS = [
    name for name, of in Record.model_fields.items() if str in (of.annotation, *get_args(of.annotation))
]


class Checked(NamedTuple):
    """A table of records that is as `read_records` gives it, and where its rows stood."""

    table: pl.DataFrame
    row: Int[np.ndarray, " rows"]


def checked(records: pl.DataFrame, apart: Iterable[str] = ()) -> Checked:
    """Check a table of records by the rules that files are read by, and bring it into one form and order.

    Ids and other names become texts, columns of choices that are missing are added without values, rows
    that are there twice are there once, and rows are sorted by `IDENTITY`.

    Args:
        records: a row a record; `probs` and `tests` are JSON texts or structs.
        apart: as in `read_records`.

    Raises:
        TypeError: for what is no polars DataFrame.
        RecordErrors: naming all columns that are missing, or else row, question and value of everything
            that is wrong.
    """
    table = _typed(frame(records))
    problems: list[tuple[int, str]] = []

    def name(row: int) -> str:
        return f"row {row} (question {table['question_id'][row]!r})"

    for row, why in _unsound(table):
        problems.append((row, f"{name(row)}: {why}"))
    table = table.with_columns(_normalised(table["probs"]))
    if not problems:
        identity = identity_of(table, apart)
        first, found = clashes(table, identity)
        problems += [(row, f"{name(row)}: {why}{name(first)}{more}") for row, first, why, more in found]
    if problems:
        raise RecordErrors([text for _, text in sorted(problems)])
    ordered = table.with_row_index(_ROW).filter(first).sort(identity, maintain_order=True)
    return Checked(ordered.drop(_ROW), ordered[_ROW].to_numpy().astype(np.int64))


_ROW = "_row_as_given"


def identity_of(table: pl.DataFrame, apart: Iterable[str] = ()) -> list[str]:
    """Return the columns whose values are those of one sample alone."""
    return [name for name in dict.fromkeys([*IDENTITY, *apart]) if name in table.columns]


def frame(records: Any) -> pl.DataFrame:
    """Return a polars DataFrame as it is.

    Raises:
        TypeError: for anything else, saying what makes one of it.
    """
    if isinstance(records, pl.DataFrame):
        return records
    kind = type(records)
    how = {"LazyFrame": "records.collect()", "list": "polars.DataFrame(records)"}.get(kind.__name__, "")
    if kind.__module__.startswith("pandas"):
        how = "polars.from_pandas(records)"
    if isinstance(records, str | Path):
        how = "read_records(records)"
    hint = f": {how} makes one of it" if how else ""
    raise TypeError(
        f"records must be a polars DataFrame, got {kind.__module__}.{kind.__qualname__}{hint}"
    )


def _typed(records: pl.DataFrame) -> pl.DataFrame:
    """Return the table with the columns and types that `read_records` gives.

    Raises:
        RecordErrors: naming all columns that are missing, or one of another type.
    """
    have = set(records.columns)
    missing = [name for name in ALWAYS if name not in have]
    if not {"tests", "outcome"} & have:
        missing += [name for name in ("target", "options") if name not in have]
        missing += [] if {"answer", "probs"} & have else ["answer or probs"]
    if missing:
        optional = [name for name in Record.model_fields if name not in (*ALWAYS, *OF_CHOICES)]
        raise RecordErrors(
            [f"records lack the columns {', '.join(missing)} (optional are {', '.join(optional)})"]
        )
    if not records.height:
        raise RecordErrors(["there are no records"])
    added = [name for name in ("benchmark", "context", *OF_CHOICES) if name not in have]
    table = records.with_columns(pl.lit(None).alias(name) for name in added)
    columns = []
    for name, dtype in table.schema.items():
        series = table[name]
        if name in ("probs", "tests"):
            series = _as_json(series)
        elif name == "options" and isinstance(dtype, pl.List | pl.Array | pl.Null):
            series = series.cast(pl.List(pl.String))
        elif name == "options":
            raise RecordErrors([f"options must be lists of labels, got a column of {dtype}"])
        elif name in ("sample", "context"):
            series = _whole(series)
        elif name in _TEXTS and dtype != pl.String:
            series = series.cast(pl.String)
        elif name == "temperature" or dtype == pl.Null:
            series = series.cast(_EMPTY.get(name, pl.String))
        if name in ALWAYS and series.null_count():
            row = int(series.is_null().arg_max() or 0)
            raise RecordErrors([f"row {row} has no {name}"])
        columns.append(series)
    return pl.DataFrame(columns)


def _whole(series: pl.Series) -> pl.Series:
    try:
        whole = series.cast(pl.Int64)
    except pl.exceptions.PolarsError:
        whole = None
    if whole is None or (series.dtype.is_float() and (whole.cast(pl.Float64) != series).any()):
        raise RecordErrors([f"{series.name} must be whole numbers, got a column of {series.dtype}"])
    return whole


def _as_json(series: pl.Series) -> pl.Series:
    """Return structs as JSON texts, of the fields that each has."""
    if series.dtype == pl.Struct:
        values = (
            value and json.dumps({name: of for name, of in value.items() if of is not None})
            for value in series
        )
        return pl.Series(series.name, [value or None for value in values], dtype=pl.String)
    if series.dtype in (pl.String, pl.Null):
        return series.cast(pl.String)
    raise RecordErrors([f"{series.name} must be JSON texts, got a column of {series.dtype}"])


def _unsound(table: pl.DataFrame) -> Iterable[tuple[int, str]]:
    """Yield each row that `Record` refuses, and why; rows of the same answer are checked once."""
    names = [name for name in (*OF_CHOICES, "tests", "outcome") if name in table.columns]
    of = table.select(pl.col(names).exclude("options"), options=pl.col("options").list.join(BETWEEN))
    kinds = of.unique(maintain_order=True)
    why = [
        _why_not(tuple(sorted(row.items(), key=lambda item: item[0])))
        for row in kinds.iter_rows(named=True)
    ]
    if any(why):
        kinds = kinds.with_columns(_why=pl.Series(why, dtype=pl.List(pl.String)))
        rows = of.join(kinds, on=of.columns, how="left", nulls_equal=True, maintain_order="left")
        for row, reasons in enumerate(rows["_why"].to_list()):
            yield from ((row, reason) for reason in reasons)


@functools.lru_cache(maxsize=1 << 16)
def _why_not(fields: Sequence[tuple[str, Any]]) -> list[str]:
    values = dict(fields)
    if values["options"] is not None:
        values["options"] = values["options"].split(BETWEEN)
    for name in ("probs", "tests"):
        if values.get(name) is not None:
            try:
                values[name] = json.loads(values[name])
            except ValueError:
                return [f"{name} must be JSON, got {values[name][:200]!r}"]
    try:
        Record.model_validate({"model": "", "question_id": "", "sample": 0} | values)
    except ValidationError as error:
        return list(_reasons(error))
    return []


def _normalised(probs: pl.Series) -> pl.Series:
    """Return distributions that sum to 1, as `Record` makes them."""
    if probs.null_count() == len(probs):
        return probs
    return pl.Series("probs", [text and _to_one(text) for text in probs], dtype=pl.String)


@functools.lru_cache(maxsize=1 << 16)
def _to_one(text: str) -> str:
    try:
        probs = json.loads(text)
        total = sum(probs.values())
    except (ValueError, AttributeError, TypeError):
        return text  # refused, with its row
    # Such as are already brought to 1 stay as they are.
    if not 1e-12 < abs(total - 1) <= SUM_TOLERANCE:
        return text
    return json.dumps({label: p / total for label, p in probs.items()})


def _reasons(error: ValidationError) -> Iterable[str]:
    """Return each thing that is wrong with a line, with its value, on one line."""
    for detail in error.errors(include_url=False):
        field = ".".join(map(str, detail["loc"]))
        message = detail["msg"].removeprefix("Value error, ")
        value = "" if detail["type"] in ("missing", "value_error") else f", got {detail['input']!r}"
        yield " ".join(f"{field}: {message}{value[:200]}".removeprefix(": ").split())


def _table(rows: list[dict]) -> pl.DataFrame:
    """Return the rows as columns; what is no plain value becomes JSON text, but for the options."""

    def plain(name: str, value: object) -> object:
        return json.dumps(value) if isinstance(value, dict | list) and name != "options" else value

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [plain(name, row.get(name)) for row in rows]
        if name == "outcome":
            values = [None if row.get(name) is None else float(row[name]) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1 and not kinds <= {int, float}:
            values = [None if value is None else str(value) for value in values]
        # A field that no record has keeps its type.
        dtype = _EMPTY.get(name, pl.String) if not kinds else None
        columns[name] = pl.Series(name, values, dtype=dtype, strict=False)
    return pl.DataFrame(columns)
