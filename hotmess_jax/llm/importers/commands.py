"""The importers as a command line has them: each one's settings, and the importer that they are of."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hotmess_jax.llm.importers.imported import Imported
from hotmess_jax.llm.importers.inspect_logs import import_inspect
from hotmess_jax.llm.importers.lm_eval import import_lm_eval
from hotmess_jax.llm.importers.swe_bench import import_swe_bench
from hotmess_jax.llm.importers.table import import_table
from hotmess_jax.llm.importers.table_maps import MAPS, RowReading, TableMap
from hotmess_jax.llm.importers.tau_bench import import_tau_bench
from hotmess_jax.presentation.command_line import named_values


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
class TableFiles(Writing):
    """Which tables, where their records go, and which column is what."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Tables whose rows are samples; also as gzip."""

    out: Path | None = None
    """The file of records, JSON lines; beside it FILE.reconciled.json is written."""

    columns: tuple[str, ...] = ()
    """FIELD=COLUMN …, such as question_id=doc_id answer=pred target=gold sample=seed. Dots reach into
    objects (output_tokens=usage.output_tokens); a|b is the first that the file has."""

    set: tuple[str, ...] = ()
    """FIELD=VALUE …, of all rows, such as model=gpt-4o-mini."""


@dataclass(frozen=True, kw_only=True)
class Table(RowReading, TableFiles):
    """Tables of any columns, CSV, TSV, JSON, JSONL or Parquet; without --columns: what the columns are."""

    map: (
        Literal[
            "lighteval", "lighteval-generated", "evalscope", "opencompass", "simple-evals", "promptfoo"
        ]
        | None
    ) = None
    """The columns of a harness' own tables; what is given beside it counts before it."""


Command = Inspect | LmEval | SweBench | TauBench | Table


def read(config: Command) -> Imported:
    """Call the importer that was asked for.

    Raises:
        ValueError: where nothing can be read, or what was said of a table is not so.
    """
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
        **{of.name: getattr(config, of.name) for of in fields(RowReading)},
    )
    return import_table(config.files, given.over(MAPS[config.map]) if config.map else given)
