"""How many questions and samples it takes: python -m experiments.plan_samples PILOT.jsonl.

From a pilot's records: the half-width that 95 % intervals would have, and the smallest difference between two
conditions that a paired comparison would find with 80 % power, for numbers of questions and samples, with what
they cost; and whether more questions or more samples narrow an interval more for the same tokens.
"""

import json
import sys
from pathlib import Path

import jax
from rich.console import Console

from hotmess_jax.llm.pilot_plans import PlanConfig, plans_of, read
from hotmess_jax.llm.plan_tables import print_plan
from hotmess_jax.llm.records import RecordErrors
from hotmess_jax.llm.repeat_figures import plans
from hotmess_jax.machine.files import write_json
from hotmess_jax.presentation import plotting
from hotmess_jax.presentation.command_line import fail, fail_lines, parse


def main() -> None:
    """Parse the command line, read, plan, print."""
    config = parse(PlanConfig)
    questions, samples = (numbers(name, getattr(config, name)) for name in ("questions", "samples"))
    if not config.pilot:
        fail("no file of records was given")
    try:
        with jax.enable_x64(True):
            found = plans_of(read(config), config, questions, samples)
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


if __name__ == "__main__":
    main()
