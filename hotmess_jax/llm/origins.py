"""Where records come from, as their files' companions say: an importer's comparison, a run's own shares.

`FILE.reconciled.json` is what an importer compared with the log's own figures, and
`FILE.settings.json` what `llm_sample` asked for and found.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.reconcile import Compared
from hotmess_jax.llm.sampling.record_file import beside
from hotmess_jax.llm.sampling.tally import Tally
from hotmess_jax.machine.files import read_object, write_json

REMEDY = "delete it, or import or sample again"
RECONCILED, SETTINGS = "reconciled.json", "settings.json"


@dataclass(frozen=True)
class Origin:
    """What is known of one file of records."""

    file: str
    # The log's own figures beside what was read; None where no importer compared them.
    compared: tuple[Compared, ...] | None = None
    without_figures: tuple[str, ...] = ()
    # How many samples, lines or files of the logs could not be read.
    unread: int = 0
    # Of a run of `llm_sample`; None where it is none.
    sampled: Tally | None = None
    # What was asked for, where it was.
    budget: str | None = None


def write_reconciled(records: Path, document: dict[str, Any]) -> None:
    """Write what an importer compared beside the records, with a digest of these."""
    write_json(beside(records, RECONCILED), document | {"records_sha256": _digest(records)})


def origins_of(paths: Sequence[Path]) -> list[Origin]:
    """Return what stands beside files of records.

    Raises:
        ValueError: where a companion cannot be read, or is of other records.
    """
    return [_origin(path) for path in paths]


def _origin(path: Path) -> Origin:
    reconciled, settings = beside(path, RECONCILED), beside(path, SETTINGS)
    if reconciled.exists():
        found = read_object(reconciled, REMEDY)
        if found.get("records_sha256") != _digest(path):
            raise ValueError(f"{reconciled} is of other records than {path.name} holds; {REMEDY}")
        try:
            compared = tuple(map(Compared.of_json, found["compared"]))
            unread = sum(one["count"] for one in found["unread"])
            return Origin(path.name, compared, tuple(found["without_figures"]), unread)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{reconciled} is no comparison ({error!r}); {REMEDY}") from None
    if settings.exists():
        found = read_object(settings, REMEDY)
        budget = found.get("reasoning_effort") or found.get("thinking_budget")
        summary = found.get("summary")
        names = {field.name for field in fields(Tally)}
        sampled = None
        if isinstance(summary, dict) and names <= summary.keys() | {"unknown_marks"}:
            known = {name: summary[name] for name in names if name in summary}
            sampled = Tally(**known | {"unknown_marks": tuple(known.get("unknown_marks", ()))})
        return Origin(path.name, sampled=sampled, budget=None if budget is None else str(budget))
    return Origin(path.name)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
