"""Incoherence of repeated samples: python -m experiments.incoherence SAMPLES.jsonl [MORE …].

Reads records (see hotmess_jax/llm/records.py) and prints, for each model, bias², variance and
incoherence with 95 % intervals over questions, plug-in and corrected for the number of samples
(Hägele et al. 2026, arXiv 2601.23045, Section 2 and Appendix A).
"""

import functools
import json
import sys
from pathlib import Path

from rich.console import Console

from hotmess_jax.llm.records import RecordErrors
from hotmess_jax.llm.summary_figures import summary_figures
from hotmess_jax.llm.summary_settings import IncoherenceConfig, summarised
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
from hotmess_jax.presentation.limits import check_limits


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
        summary = summarised(config, functools.partial(print, file=sys.stderr))
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


if __name__ == "__main__":
    main()
