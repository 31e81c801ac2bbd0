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

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

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


def read_records(paths: Iterable[Path], apart: Iterable[str] = ()) -> pl.DataFrame:
    """Read and check files of records.

    Args:
        paths: JSONL files; records may come in any order, and identical ones twice.
        apart: further fields that tell samples apart: conditions that number their samples alike.

    Returns:
        A table with a row a record and a column a field; fields that only some records have are null
        in the others.

    Raises:
        RecordErrors: naming file, line and value of everything that is wrong.
    """
    problems: list[str] = []
    rows: list[dict] = []
    seen: dict[tuple, tuple[str, dict]] = {}
    questions: dict[tuple, tuple[str, set[str], str | None]] = {}
    names = dict.fromkeys([*IDENTITY, *apart])
    for path in paths:
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: cannot be read: {error}")
            continue
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                record = Record.model_validate_json(line)
            except ValidationError as error:
                problems.extend(f"{where}: {text}" for text in _reasons(error))
                continue
            row = record.model_dump()
            identity = tuple(_hashable(row.get(name)) for name in names)
            if identity in seen:
                first, other = seen[identity]
                if row != other:
                    name = next(k for k in {**row, **other} if row.get(k) != other.get(k))
                    problems.append(
                        f"{where}: differs from {first}, which is the same sample of the same "
                        f"question: {name} {row.get(name)!r} and {other.get(name)!r}"
                    )
                continue
            seen[identity] = (where, row)
            question = (record.benchmark, record.question_id)
            own = set(record.options or record.tests or ())
            if not own:  # only right or wrong is known
                rows.append(row)
                continue
            first, options, target = questions.setdefault(question, (where, own, record.target))
            if own != options or record.target != target:
                what = "options" if record.tests is None else "tests"
                here, there = (str(sorted(names))[:200] for names in (own, options))
                problems.append(
                    f"{where}: question {record.question_id!r} has {what} {here} and "
                    f"target {record.target!r}, and {there} and {target!r} at {first}"
                )
                continue
            rows.append(row)
    if not problems and not rows:
        problems.append(f"no records in {', '.join(map(str, paths))}")
    if problems:
        raise RecordErrors(problems)
    return _table(rows)


def _hashable(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict | list) else value


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
