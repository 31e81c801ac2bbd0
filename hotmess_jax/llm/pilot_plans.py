"""Plans of a pilot's records: one of each model and setting, or of each condition against the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import polars as pl
import tyro

from hotmess_jax.llm.measures.comparing import value_named
from hotmess_jax.llm.measures.samples import Unparsed
from hotmess_jax.llm.measures.series import check_fields, series_of
from hotmess_jax.llm.measures.successes import with_successes
from hotmess_jax.llm.pilots import pilot_of
from hotmess_jax.llm.planning import Plan, plan
from hotmess_jax.llm.records import read_records


@dataclass(frozen=True)
class PlanConfig:
    """Say what a pilot promises of more questions and more samples."""

    pilot: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of records, JSON lines; of questions with four samples or more."""

    questions: str = "100,200,500,1000"
    """Numbers of questions, with commas."""

    samples: str = "3,5,10,30"
    """Numbers of samples a question, with commas."""

    compare: str | None = None
    """The field whose values are the conditions to compare, on the same questions; without it, two conditions
    are taken for like the pilot, and to differ by the same on every question: the best case."""

    baseline: str | None = None
    """The value to compare with; needed where the field has more than two."""

    by: tuple[str, ...] = ()
    """Fields to plan by, besides the model and the settings that differ."""

    cluster: str | None = None
    """The field whose values are clusters of questions, as in experiments.incoherence; further questions are
    taken to come in clusters like the pilot's."""

    unparsed: Unparsed = "uniform"
    """What an answer that could not be parsed is, as in experiments.incoherence."""

    json: str | None = None
    """Also write everything as one JSON document to this file; "-" prints it instead of the tables."""

    figure: Path | None = None
    """Also draw the plans, as PNG and PDF, at this path without its ending."""

    seed: int = 0
    """Of the resampled pilots."""


def read(config: PlanConfig) -> pl.DataFrame:
    """Read the records that a plan is made from.

    Raises:
        RecordErrors: where lines are no records.
        ValueError: where none has a choice, or an outcome.
    """
    records = read_records(config.pilot, [*config.by, *filter(None, [config.compare])])
    records = with_successes(records)[0].filter(pl.col("options").is_not_null())
    if not records.height:
        raise ValueError("no record has a choice among options, or an outcome of right or wrong")
    return records


def plans_of(
    records: pl.DataFrame, config: PlanConfig, questions: Sequence[int], samples: Sequence[int]
) -> list[Plan]:
    """Plan for each model and setting, or each condition against the baseline.

    Raises:
        ValueError: where a field is missing, or says nothing to compare.
    """
    if config.cluster is not None:
        check_fields(records, [config.cluster], " to cluster by")
    pilot = partial(pilot_of, unparsed=config.unparsed, cluster=config.cluster)
    if config.compare is None:
        return [
            plan(of.label, pilot(of.records), questions, samples, seed=config.seed)
            for of in series_of(records, config.by)
        ]
    field, named = config.compare, _baseline(records, config.compare, config.baseline)
    chosen = value_named(records, field, named)
    series = series_of(records, [*config.by, *([] if field == "model" else [field])])
    base = [of for of in series if ({"model": of.model} | of.settings).get(field) == chosen]
    found = []
    for one in series:
        mine = {"model": one.model} | one.settings
        for other in base:
            theirs = {"model": other.model} | other.settings
            if [name for name in mine if mine[name] != theirs[name]] == [field]:
                pair = [pilot(of.records) for of in (one, other)]
                compared = f"{one.label} − {other.label}"
                found.append(
                    plan(one.label, pair[0], questions, samples, pair[1], compared, seed=config.seed)
                )
    if not found:
        raise ValueError(f"nothing differs from {field} {named} in that alone")
    return found


def _baseline(records: pl.DataFrame, field: str, named: str | None) -> str:
    """Return the name of the value to compare with: the given one, else the first of two at most."""
    if named is not None:
        return named
    known = records[field].unique().to_list() if field in records.columns else []
    if len(known) > 2:
        raise ValueError(f"{field} has {len(known)} values: --baseline says which to compare with")
    return min("none" if value is None else str(value) for value in known) if known else ""
