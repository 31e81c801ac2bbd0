"""Incoherence of repeated samples: python -m experiments.incoherence SAMPLES.jsonl [MORE …].

Reads records (see hotmess_jax/llm/records.py) and prints, for each model, bias², variance and
incoherence with 95 % intervals over questions, plug-in and corrected for the number of samples
(Hägele et al. 2026, arXiv 2601.23045, Section 2 and Appendix A).
"""

import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hotmess_jax.llm.measures.decomposing import METRICS, Metric
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.llm.measures.samples import Unparsed
from hotmess_jax.llm.measures.summary import Summary, summary_of
from hotmess_jax.llm.records import RecordErrors, read_records
from hotmess_jax.llm.summary_figures import summary_figures
from hotmess_jax.llm.summary_tables import print_summary
from hotmess_jax.machine.files import write_json
from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.command_line import (
    ending_in_one_line,
    fail,
    fail_lines,
    failing_on,
    parse,
    try_outputs,
)
from hotmess_jax.presentation.limits import Limits, check_limits


@dataclass(frozen=True)
class IncoherenceConfig:
    """Split the errors of repeated samples into bias² and variance."""

    samples: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of records, JSON lines."""

    metric: tuple[Metric, ...] = METRICS
    """Which decompositions: brier (0 to 2), whose corrected values are exact; kl (nats), the paper's;
    zero_one (0 to 1), plug-in only, which falls with the number of samples."""

    unparsed: Unparsed = "uniform"
    """What an answer that could not be parsed is: uniform over the options, no sample (drop), or a
    class of its own that is always wrong."""

    smoothing: Annotated[float, Limits(0, 1, above=True, below=True)] = 1e-12
    """Added to every probability before its logarithm is taken; on answers without probabilities the
    result of kl depends on it. Stated probabilities do not go below half of the step they were stated in."""

    by: tuple[str, ...] = ()
    """Fields to group by, besides the model, such as topic; temperature, budget, format and prompt are
    grouped by wherever they differ."""

    cluster: str | None = None
    """The field whose values are clusters of questions, such as a passage or a repository that they share:
    intervals and tests are then over whole clusters."""

    compare: str | None = None
    """Compare the values of this field, such as hint, or model, with the baseline, on the questions that both
    have, within each model and group."""

    baseline: str = "none"
    """The value to compare with; none is also that of records without the field."""

    json: str | None = None
    """Also write everything as one JSON document to this file; "-" prints it instead of the tables."""

    figures: Path | None = None
    """Also draw each metric's groups into this folder, as PNG and PDF."""

    resamples: Annotated[int, Limits(10, 1e6)] = 1_000
    """Data sets, drawn from the answers, on which KL's corrected value is judged, at most."""

    seed: int = 0
    """Of these."""


@ending_in_one_line()
def main() -> None:
    """Parse the command line, read, analyse, print."""
    config = parse(IncoherenceConfig)
    with failing_on(ValueError):
        check_limits(config)
    if not config.samples:
        fail("no file of records was given")
    json_file = None if config.json in (None, "-") else Path(config.json)
    try_outputs([json_file], [config.figures])
    try:
        summary = summarised(config)
    except RecordErrors as error:
        fail_lines(str(error).splitlines())
    except ValueError as error:
        fail(str(error))
    if config.json == "-":
        json.dump(summary.to_json(), sys.stdout, indent=1, allow_nan=False)
        print()
    else:
        print_summary(summary, Console())
        if json_file is not None:
            write_json(json_file, summary.to_json())
    if config.figures is not None:
        for name, figure in summary_figures(summary):
            plotting.save(figure, config.figures / name)


def summarised(config: IncoherenceConfig) -> Summary:
    """Read the records and return what is found in them.

    Raises:
        RecordErrors: for what is wrong with the records, by file and line.
        ValueError: as in `summary_of`.
    """
    by = [*config.by]
    if config.compare is not None and config.compare not in ("model", *by):
        by.append(config.compare)
    settings = AnalysisSettings(
        unparsed=config.unparsed, smoothing=config.smoothing, resamples=config.resamples, seed=config.seed,
        cluster=config.cluster,
    )  # fmt: skip
    say = functools.partial(print, file=sys.stderr)
    records = read_records(config.samples, by)
    return summary_of(records, by, config.metric, settings, config.compare, config.baseline, say)


if __name__ == "__main__":
    main()
