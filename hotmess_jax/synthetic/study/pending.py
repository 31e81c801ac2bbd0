"""What of a sweep is still to be done: which groups of models, and which of their results are there."""

import json
from typing import Any, NamedTuple

import jax

from hotmess_jax.machine.processes import from_first
from hotmess_jax.synthetic.results import ModelResult
from hotmess_jax.synthetic.study.folder import Group, Run, again, groups_of, read_paths, read_result
from hotmess_jax.synthetic.study.settings import SweepConfig


class Pending(NamedTuple):
    """A group that is to be trained, or gone on with, and which of its runs have a result already."""

    group: Group
    finished: list[bool]


def pending(config: SweepConfig, circumstances: dict[str, Any]) -> list[Pending]:
    """Return what is still to be done, in its order.

    Raises:
        DamagedFileError: where a result cannot be read.
    """
    groups = groups_of(config)
    # Files appear while others still look, so the first process looks for all.
    attempts = from_first(
        lambda: [[_attempts(config, run, circumstances) for run in group.runs] for group in groups]
    )
    to_do = []
    for group, of_runs in zip(groups, attempts, strict=True):
        if None in of_runs:
            to_do.append(Pending(group, [attempt is not None for attempt in of_runs]))
        failed = [run for run, n in zip(group.runs, of_runs, strict=True) if n]
        if failed:
            once_more = again(group, failed, 1 + max(filter(None, of_runs)))
            to_do.append(Pending(once_more, [False] * len(failed)))
    return to_do


def circumstances(config: SweepConfig, provenance: dict[str, Any]) -> dict[str, Any]:
    """Return what changes rounding: the machine, the versions, and settings that are not of the results."""
    machine = config.machine
    found: dict[str, Any] = json.loads(json.dumps({
        "micro_batch": machine.micro_batch,
        "attention": machine.attention,
        "steps_per_dispatch": machine.steps_per_dispatch,
        "processes": jax.process_count(),
        "device": provenance["device"],
        "versions": provenance["versions"],
    }))  # fmt: skip
    return found


def _attempts(config: SweepConfig, run: Run, circumstances: dict[str, Any]) -> int | None:
    """Return None for a run without result, 0 for one that is done with, else how often it has failed.

    A failure stands as long as nothing changed that a loss's being finite may hang on.
    """
    if not run.result.exists():
        return None
    result = read_result(config, run)
    if isinstance(result, ModelResult):
        read_paths(config, run)
        return 0
    if result.failed.circumstances == circumstances and not config.output.retry_failed:
        return 0
    return result.failed.attempt
