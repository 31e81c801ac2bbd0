"""How many questions and samples it takes: python -m experiments.plan_samples PILOT.jsonl.

From a pilot's records: the half-width that 95 % intervals would have, and the smallest difference between two
conditions that a paired comparison would find with 80 % power, for numbers of questions and samples, with what
they cost; and whether more questions or more samples narrow an interval more for the same tokens.
"""

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import jax
import polars as pl
import tyro
from rich.console import Console

from hotmess_jax.llm.measures.comparing import value_named
from hotmess_jax.llm.measures.samples import Unparsed
from hotmess_jax.llm.measures.series import check_fields, series_of
from hotmess_jax.llm.measures.successes import with_successes
from hotmess_jax.llm.pilots import pilot_of
from hotmess_jax.llm.plan_tables import print_plan
from hotmess_jax.llm.planning import Plan, plan
from hotmess_jax.llm.records import RecordErrors, read_records
from hotmess_jax.llm.repeat_figures import plans
from hotmess_jax.machine.files import write_json
from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.command_line import fail, fail_lines, parse


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


def main() -> None:
    """Parse the command line, read, plan, print."""
    config = parse(PlanConfig)
    questions, samples = (numbers(name, getattr(config, name)) for name in ("questions", "samples"))
    if not config.pilot:
        fail("no file of records was given")
    try:
        apart = [*config.by, *filter(None, [config.compare])]
        with jax.enable_x64(True):
            records = read_records(config.pilot, apart)
            records = with_successes(records)[0].filter(pl.col("options").is_not_null())
            if not records.height:
                raise ValueError(
                    "no record has a choice among options, or an outcome of right or wrong"
                )
            found = plans_of(records, config, questions, samples)
    except RecordErrors as error:
        fail_lines(str(error).splitlines())
    except ValueError as error:
        fail(str(error))
    document = {"plans": [of.to_json() for of in found]}
    if config.json == "-":
        json.dump(document, sys.stdout, indent=1, allow_nan=False)
        print()
    else:
        for of in found:
            print_plan(of, Console())
        if config.json is not None:
            write_json(Path(config.json), document)
    if config.figure is not None:
        plotting.save(plans(found), config.figure)


def numbers(name: str, text: str) -> list[int]:
    """Return the numbers of a list with commas, each 2 or more."""
    found = []
    for part in text.split(","):
        if not part.strip().isdecimal() or not 2 <= int(part) <= 10**7:
            fail(f"{name} must be numbers from 2 on with commas, such as 100,500, got {text!r}")
        found.append(int(part))
    return sorted(set(found))


def plans_of(
    records: pl.DataFrame, config: PlanConfig, questions: list[int], samples: list[int]
) -> list[Plan]:
    """Plan for each model and setting, or each condition against the baseline."""
    if config.cluster is not None:
        check_fields(records, [config.cluster], " to cluster by")
    pilot = partial(pilot_of, unparsed=config.unparsed, cluster=config.cluster)
    if config.compare is None:
        return [
            plan(of.label, pilot(of.records), questions, samples, seed=config.seed)
            for of in series_of(records, config.by)
        ]
    field = config.compare
    known = records[field].unique().to_list() if field in records.columns else []
    if config.baseline is None and len(known) > 2:
        raise ValueError(f"{field} has {len(known)} values: --baseline says which to compare with")
    named = config.baseline
    if named is None:
        named = min("none" if value is None else str(value) for value in known) if known else ""
    chosen = value_named(records, field, named)
    found = []
    others = [] if field == "model" else [field]
    series = series_of(records, [*config.by, *others])
    base = [of for of in series if ({"model": of.model} | of.settings).get(field) == chosen]
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


if __name__ == "__main__":
    main()
