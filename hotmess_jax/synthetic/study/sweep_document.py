"""A sweep with its conclusions, as the document of sweep.json, and back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hotmess_jax.documents import SCHEMA, Document, from_json, to_json, upgraded
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.notes import Notes
from hotmess_jax.synthetic.results import SweepResults
from hotmess_jax.synthetic.verdicts import Claim

# 1 had one draw of the problem, at the top level.
VERSION = 2
# What the document says of the first problem once more.
OF_FIRST = ("A", "b", "eigenvalues")
TEACHERS = ("teacher", "codec_teacher")
_FOUND = tuple(field.name for field in fields(Found))
_LAST = ("bias2", "variance", "error", "incoherence")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcludedSweep(SweepResults):
    """What a sweep measured, and what is concluded of it."""

    found: Found
    claims: tuple[Claim, ...] = ()
    worse_than_chance: tuple[str, ...] = ()  # models that are in no finding
    bias_at_floor: tuple[str, ...] = ()  # models whose bias² is hardly told from 0
    notes: Notes | None = None  # which early versions formed in the report


def noted(sweep: ConcludedSweep) -> Notes:
    """Return what is said beside a concluded sweep's numbers.

    Raises:
        ValueError: for one that was read from an early document, and not concluded anew.
    """
    if sweep.notes is None:
        raise ValueError("the sweep has no notes: conclude it anew")
    return sweep.notes


def to_document(sweep: ConcludedSweep) -> Document:
    """Return a sweep as JSON values.

    Raises:
        ValueError: where a number is none.
    """
    written = to_json(ConcludedSweep, sweep)
    first = written["problems"][0]
    document: Document = {
        SCHEMA: VERSION,
        "config": written["config"],
        "provenance": written["provenance"],
    }
    document["problem"] = {name: first[name] for name in OF_FIRST}
    document |= {name: first[name] for name in TEACHERS}
    found = written.pop("found")
    own = {name: value for name, value in written.items() if name not in (SCHEMA, "digest")}
    return document | own | found


def from_document(document: Mapping[str, Any]) -> ConcludedSweep:
    """Return the sweep that a document is of, an older one's too.

    Raises:
        ValueError: for a document of a newer schema, and what is not as the schema has it.
    """
    first = () if "problems" in document else ("problem", *TEACHERS)
    for name in ("config", "provenance", "models", "failures", *first):
        if name not in document:
            raise ValueError(f"it has no {name!r}")
    newest = upgraded(document, VERSION, {1: _with_problems})
    given = {
        name: value for name, value in newest.items() if name not in ("problem", *TEACHERS, *_FOUND)
    }
    given |= {
        SCHEMA: document.get(SCHEMA, 1),
        "provenance": _with_report(newest["provenance"]),
        "found": {"rises": None} | {name: newest[name] for name in _FOUND if name in newest},
        "digest": _digest(document),
    }
    if "pooled_from" in newest:
        given["pooled_from"] = [
            {**run, "provenance": _with_report(run["provenance"])} for run in newest["pooled_from"]
        ]
    sweep: ConcludedSweep = from_json(ConcludedSweep, given)
    return sweep


def _digest(document: Mapping[str, Any]) -> str:
    """Return what tells a sweep's settings and results apart from any other's (SHA-256)."""
    parts = [document["config"], _problems(document), document["models"], document["failures"]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _with_report(provenance: Mapping[str, Any]) -> Document:
    """Return a provenance with the commit of the report, which early ones had not: that of the run."""
    return {"report": provenance["git_commit"], **provenance}


def _with_problems(document: Document) -> Document:
    """Bring schema 1 to 2: the problem of the top level is the first of several; last steps are whole."""
    problems = [
        {**problem, **{name: _with_last_step(problem[name]) for name in TEACHERS}}
        for problem in _problems(document)
    ]
    return {**document, "problems": problems, "models": list(map(_with_last_step, document["models"]))}


def _problems(document: Mapping[str, Any]) -> list[Document]:
    """Return a document's problems: of schema 1 the one of the top level."""
    if "problems" in document:
        return list(document["problems"])
    return [{**document["problem"], **{name: document[name] for name in TEACHERS}}]


def _with_last_step(curves: Document) -> Document:
    """Return curves with all that a last step may say, None where early versions did not measure it."""
    last: Document = {name: curves[name][-1] for name in _LAST}
    last["corrected"] = {name: values[-1] for name, values in curves["corrected"].items()}
    unknown = dict.fromkeys((*(f"{name}_ci95" for name in _LAST), "rise_ci95", "rise", "plateau"))
    return {**curves, "final": unknown | {"worst_percent_share": None} | last | curves.get("final", {})}
