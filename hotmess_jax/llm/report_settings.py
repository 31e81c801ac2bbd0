"""The settings of a report, which of the records it is of, and what they are to the study."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import tyro

from hotmess_jax.llm.measures.decomposing import Metric
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.measures.samples import Unparsed
from hotmess_jax.llm.records import read_records
from hotmess_jax.llm.sampling.embeddings import with_vectors
from hotmess_jax.llm.study import StudySettings
from hotmess_jax.presentation.command_line import named_values
from hotmess_jax.presentation.limits import Limits, check_limits
from kernels.names import nearest


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Analyse samples of language models, and write a report."""

    records: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of records, JSON lines; FILE.embeddings.npy, FILE.reconciled.json (what an importer compared) and
    FILE.settings.json (what a run says of itself) beside one are read too."""

    out: Path
    """The folder of the report; what an earlier one left there is replaced."""

    where: tuple[str, ...] = ()
    """Only records with these values, as FIELD=VALUE, such as temperature=1."""

    by: tuple[str, ...] = ()
    """Further fields whose values are analysed apart, as those of temperature, budget, format and prompt
    always are."""

    compare: str | None = None
    """The field whose values are compared with a baseline, on the questions that both have, such as hint, or
    model; without it all pairs are that differ in one thing."""

    baseline: str = "none"
    """Its value; none is also that of records without the field."""

    cluster: str | None = None
    """The field whose values are clusters of questions, such as a passage or a repository that they share:
    every interval is then over whole clusters."""

    metric: tuple[Metric, ...] = ("brier", "kl")
    """Which decompositions: brier (0 to 2), whose corrected values are exact; kl (nats), the paper's."""

    unparsed: Unparsed = "uniform"
    """What an answer that could not be parsed is: uniform over the options, no sample (drop), or a
    class of its own that is always wrong."""

    smoothing: Annotated[float, Limits(0, 1, above=True, below=True)] = 1e-12
    """Added to every probability before its logarithm is taken."""

    length: str | None = None
    """The field that lengths are read from; None is the first of reasoning_tokens, actions,
    output_tokens and words that a model's records have (of unit tests, actions where there are any)."""

    groups: tuple[Annotated[int, Limits(2)], ...] = (10, 5, 20)
    """Numbers of groups of questions by length; the first is drawn, all have slopes."""

    difficulties: Annotated[int, Limits(2)] = 3
    """Groups of difficulty."""

    reference: str | None = None
    """The model whose lengths decide difficulty; None is the largest."""

    parameters: tuple[str, ...] = ()
    """Numbers of parameters, as MODEL=NUMBER, for scaling with size."""

    ensembles: Annotated[int, Limits(2)] = 10
    """Ensembles of each size, where the samples suffice."""

    permutations: Annotated[int, Limits(10)] = 1_000
    """Permutations of the tests."""

    resamples: Annotated[int, Limits(10)] = 1_000
    """Data sets, drawn from the answers, on which KL's corrected value is judged, at most."""

    seed: int = 0
    """Of splits, permutations and drawn data sets."""


def settings_of(config: ReportConfig) -> StudySettings:
    """Check the settings and bring them to the study's form.

    Raises:
        ValueError: naming the value.
    """
    check_limits(config)
    if not config.groups:
        raise ValueError("groups: at least one number is needed")
    if "zero_one" in config.metric:
        raise ValueError("zero_one has no incoherence: metric must be kl or brier")
    if config.out.exists() and not config.out.is_dir():
        raise ValueError(f"{config.out} is no folder")
    if not config.records:
        raise ValueError("no file of records was given")
    parameters = {}
    for model, number in named_values("parameters", config.parameters, last=True).items():
        with contextlib.suppress(ValueError):
            parameters[model] = float(number)
        if not 0 < parameters.get(model, 0) < float("inf"):
            raise ValueError(f"parameters must be MODEL=NUMBER, got {model}={number}")
    analysis = AnalysisSettings(
        "kl", config.unparsed, config.smoothing, config.resamples, config.seed, cluster=config.cluster
    )
    return StudySettings(
        config.metric,
        analysis,
        config.length,
        config.groups,
        config.difficulties,
        config.reference,
        parameters,
        config.permutations,
        config.ensembles,
        config.by,
        config.compare,
        config.baseline,
    )


def read(config: ReportConfig) -> tuple[pl.DataFrame, np.ndarray | None]:
    """Read the records, those that are wanted, and the vectors beside their files.

    Raises:
        RecordErrors: where lines are no records.
        ValueError: where none is wanted, or a field or value is none of theirs.
    """
    records = read_records(config.records, [*config.by, *filter(None, [config.compare])])
    for name, value in named_values("where", config.where).items():
        if name not in records.columns:
            raise ValueError(f"no record has a field {name!r}{nearest(name, records.columns)}")
        try:
            wanted = pl.Series([value]).cast(records[name].dtype)
        except pl.exceptions.PolarsError:
            raise ValueError(f"{name} is never {value!r}: it holds {records[name].dtype}") from None
        records = records.filter(pl.col(name) == wanted[0])
    if not records.height:
        raise ValueError(f"no record has {' and '.join(config.where)}")
    return with_vectors(records, config.records)
