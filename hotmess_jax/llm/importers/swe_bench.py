"""Reports and summaries of SWE-bench's harness: the outcome of every test, run by run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.imported import Imported, Record, read_bytes

FAIL_TO_PASS, PASS_TO_PASS = "FAIL_TO_PASS", "PASS_TO_PASS"
# A run's report of a task: of each kind, the tests that passed and those that failed.
Status = Mapping[str, Mapping[str, list[str]]]
# Folders between a run and its tasks that are no model.
_NO_MODEL = (
    "logs",
    "log",
    "reports",
    "report",
    "results",
    "eval_outputs",
    "evaluation",
    "run_evaluation",
)
# Lists of a summary whose tasks were submitted, and what kind of failure those without a report are.
_KINDS = {
    "resolved": None, "unresolved": None, "completed": None, "generated": None, "submitted": None,
    "failed": None, "applied": None, "with_logs": None,
    "empty_patch": "empty_patch", "no_generation": "empty_patch",
    "no_apply": "not_applied", "error": "error", "no_logs": "error", "install_fail": "error",
    "reset_failed": "error", "test_errored": "error", "test_timeout": "error",
}  # fmt: skip


@dataclass(frozen=True)
class _Summary:
    """What a run says of itself."""

    path: Path
    resolved: frozenset[str]
    # Each submitted task, and what kind of failure it is where there is no report.
    submitted: Mapping[str, str | None]
    # Its own counts.
    counts: Mapping[str, int]


@dataclass
class _Run:
    """One run of one model."""

    name: str
    folder: Path
    model: str | None
    paths: list[Path] = field(default_factory=list)
    # Of each task the tests' status, None where the patch does not apply, and whether it is resolved.
    reports: dict[str, tuple[Status | None, bool | None]] = field(default_factory=dict)
    summary: _Summary | None = None


def import_swe_bench(
    runs: Sequence[Path], model: str | None = None, benchmark: str = "swe-bench"
) -> Imported:
    """Read `report.json` files and the runs' summaries: each run is a sample of what it submitted.

    Reports lie in RUN/MODEL/TASK, as the harness lays them out, or in RUN/TASK or RUN/logs/TASK; folders
    of several runs and models may be given. A run's summary (`MODEL.RUN.json`, `results/results.json`)
    tells what was submitted: a task without a report, an empty patch or an error, is a failure, and so is
    one whose patch does not apply; its field `report` says which kind. It counts as unchanged, as the
    paper counts runs that time out (PASS_TO_PASS tests pass, FAIL_TO_PASS tests fail), where any run's
    report names the task's tests, and has an `outcome` alone where none does. What a run did not submit
    is no record. A test that one run's report of a task has and another's lacks did not run there and
    counts as failed.

    Args:
        runs: folders of runs, or summaries, in the order of their samples.
        model: its name; None is the folder between a run and its tasks, or the summary's.
        benchmark: the records' benchmark.

    Raises:
        ValueError: where a path has neither reports nor summaries or is given twice, or a model is not
            known.

    Source: Hägele et al. 2026, Appendix B.3.
    """
    imported = Imported()
    if twice := [run for i, run in enumerate(runs) if run.resolve() in {r.resolve() for r in runs[:i]}]:
        raise ValueError(f"{twice[0]} is given twice: a run is one sample")
    found: dict[tuple[Path, str | None], _Run] = {}
    for given in runs:
        for run in _runs_in(given, model, imported):
            if run.model is None:
                raise ValueError(f"{run.folder} does not tell the model's name: give --model")
            known = found.setdefault((run.folder.resolve(), run.model), run)
            if known is not run:
                raise ValueError(f"{run.folder} is given twice: a run is one sample")
    for run in found.values():
        _read_reports(run, imported)
    tests: dict[str, dict[str, set[str]]] = {}
    for run in found.values():
        for task, (status, _) in run.reports.items():
            known_tests = tests.setdefault(task, {FAIL_TO_PASS: set(), PASS_TO_PASS: set()})
            for kind in known_tests:
                for names in (status or {}).get(kind, {}).values():
                    known_tests[kind] |= set(names)
    for run in found.values():
        _import(run, tests, benchmark, imported)
    return imported


def _runs_in(given: Path, model: str | None, imported: Imported) -> list[_Run]:
    """Return the runs below a path, each with its reports' paths and its summary."""
    if given.is_file():
        summary = _summary(given)
        if summary is None:
            raise ValueError(f"{given} is no summary of a run of SWE-bench")
        name, of = _names(given)
        return [_Run(name, given, model or of, summary=summary)]
    reports = sorted(given.rglob("report.json")) if given.is_dir() else []
    summaries = {path: one for path in _json_files(given) if (one := _summary(path))}
    runs: dict[tuple[Path, str | None], _Run] = {}
    containers = {path.parent.parent for path in reports}
    for path in reports:
        container = path.parent.parent
        if container.name in _NO_MODEL:
            folder, of = container.parent, None
        elif container == given:
            folder, of = container, None
        elif model is not None and len(containers) > 1:
            folder, of = container, None  # runs side by side, of the model that was named
        else:
            folder, of = container.parent, container.name
        named = model or of
        called = (
            folder.parent
            if folder == container and folder.parent not in (given, given.parent)
            else folder
        )
        runs.setdefault((folder, named), _Run(called.name, folder, named)).paths.append(path)
    if model is None and len(containers) > 1 and {one.parent for one in containers} == {given}:
        imported.notes[
            f"{given}: read as one run of {len(containers)} models; if they are runs, --model names the model"
        ] += 1
    used = set()
    for run in runs.values():
        run.summary = _summary_of(run, summaries, given)
        if run.summary is not None:
            used.add(run.summary.path.resolve())
    alone = []
    for path, one in summaries.items():
        if path.resolve() not in used:
            name, of = _names(path)
            alone.append(_Run(name, path, model or of, summary=one))
    if not runs and not alone:
        raise ValueError(f"{given} is no folder with report.json files or a run's summary")
    if runs and alone:
        # Of a run whose reports are elsewhere: the folder's own name tells what belongs together.
        for run in alone:
            imported.notes[f"{run.folder}: a summary without reports below {given}, read alone"] += 1
    return [*runs.values(), *alone]


def _json_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*.json")):
            if path.name != "report.json" and not path.name.endswith(".traj.json"):
                yield path


def _summary(path: Path) -> _Summary | None:
    """Return what a summary says; None where a file is none."""
    try:
        content = json.loads(read_bytes(path))
    except ValueError:
        return None
    if not isinstance(content, Mapping):
        return None
    lists = {
        name.removesuffix("_ids"): value
        for name, value in content.items()
        if name.removesuffix("_ids") in _KINDS and isinstance(value, list)
    }
    if "resolved" not in lists:
        return None
    kinds: dict[str, str | None] = {}
    for name, tasks in lists.items():
        for task in tasks:
            kinds[str(task)] = kinds.get(str(task)) or _KINDS[name]
    counts = {
        name: value
        for name, value in content.items()
        if name in ("submitted_instances", "resolved_instances") and isinstance(value, int)
    }
    return _Summary(path, frozenset(map(str, lists["resolved"])), kinds, counts)


def _names(summary: Path) -> tuple[str, str | None]:
    """Return the run and the model that a summary's name tells: MODEL.RUN.json."""
    if summary.name == "results.json":
        return summary.parent.parent.name, None
    of, dot, name = summary.name.removesuffix(".json").rpartition(".")
    return (name, of) if dot and of else (summary.name.removesuffix(".json"), None)


def _summary_of(run: _Run, summaries: Mapping[Path, _Summary], given: Path) -> _Summary | None:
    """Return a run's summary: by its name, here or above, or in the run's own folder."""
    between = {path.parent.parent.name for path in run.paths} - set(_NO_MODEL)
    names = {f"{of}.{run.name}.json" for of in {*between, run.model or ""} if of}
    for path, one in summaries.items():
        inside = run.folder in path.parents and len(path.relative_to(run.folder).parts) <= 2
        others = [p for p in summaries if run.folder in p.parents]
        if path.name in names or (inside and (path.name == "results.json" or len(others) == 1)):
            return one
    for folder in list(run.folder.resolve().parents)[:4]:
        for name in sorted(names):
            if (folder / name).is_file() and (above := _summary(folder / name)):
                return above
    return None


def _read_reports(run: _Run, imported: Imported) -> None:
    for path in run.paths:
        try:
            task, status, resolved = _report(path)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            imported.leave_out(path, f"is no report: {error}"[:200])
            continue
        if task in run.reports:
            imported.leave_out(path, f"{task} has another report in this run, which was read")
            continue
        run.reports[task] = (status, resolved)


def _import(
    run: _Run, tests: Mapping[str, Mapping[str, set[str]]], benchmark: str, imported: Imported
) -> None:
    """Add the records of one run, and hold them against its summary and its reports."""
    submitted: dict[str, str | None] = {}
    if run.summary is None:
        imported.notes[
            "a run without a summary: its reports alone, what else it submitted is not known"
        ] += 1
    else:
        submitted |= run.summary.submitted
    read: dict[str, bool] = {}
    parted = []
    ends = ".traj.json"
    below = sorted(run.folder.rglob(f"*{ends}"), reverse=True) if run.folder.is_dir() else []
    trajectories = {path.name.removesuffix(ends): path for path in below}
    for task in sorted({*submitted, *run.reports}):
        status, resolved = run.reports.get(task, (None, None))
        known = tests.get(task, {})
        record: Record = {
            "benchmark": benchmark,
            "model": run.model,
            "question_id": task,
            "run": run.name,
        }
        if status is not None:
            outcomes = _outcomes(known, status)
            absent = sum(len(known[k]) for k in known) - _count(status)
            if absent:
                imported.notes["tests that another run's report has, counted as failed"] += absent
            record |= {"tests": outcomes}
            # Its own tests: those that only another run's report has are none of its own figures.
            solved = not any(of["failure"] for of in status.values())
            if resolved is not None and resolved != solved:
                parted.append(task)
        else:
            kind = submitted.get(task) or ("not_applied" if task in run.reports else "missing")
            solved = bool(run.summary and task in run.summary.resolved)
            if solved:
                kind = "summary"
                imported.notes["tasks that the summary alone says were resolved"] += 1
            else:
                why = kind.replace("_", " ")
                imported.notes[f"tasks without test results ({why}), counted as failed"] += 1
                if any(known.values()):
                    record |= {"tests": _outcomes(known, None)}
            record |= {"report": kind}
        record |= {"outcome": solved}
        read[task] = solved
        imported.add(record | _trajectory(trajectories, task, imported))
    _reconcile(run, benchmark, read, tuple(parted), imported)


def _reconcile(
    run: _Run, benchmark: str, read: Mapping[str, bool], parted: tuple[str, ...], imported: Imported
) -> None:
    of = run.model or ""

    def compare(file: Path, figure: str, log: int, found: int, parted: tuple[str, ...]) -> None:
        imported.compare(file, benchmark, of, figure, log, found, parted)

    own = {task: resolved for task, (_, resolved) in run.reports.items() if resolved is not None}
    if own:
        compare(run.folder, "resolved of reports", sum(own.values()), sum(read[t] for t in own), parted)
    if run.summary is None:
        if not own:
            imported.without_figures.append(str(run.folder))
        return
    said = run.summary
    count = said.counts.get("submitted_instances", len(said.submitted))
    others = tuple(sorted(set(read) ^ set(said.submitted)))
    lists_all = "submitted_instances" in said.counts or said.path.name != "results.json"
    if lists_all:
        compare(said.path, "submitted_instances", count, len(read), others)
    resolved = said.counts.get("resolved_instances", len(said.resolved))
    solved = {task for task, right in read.items() if right}
    compare(
        said.path, "resolved_instances", resolved, len(solved), tuple(sorted(solved ^ said.resolved))
    )


def _report(path: Path) -> tuple[str, Status | None, bool | None]:
    """Return a report's task, its tests' status, None where the patch does not apply, and its verdict."""
    report: Any = json.loads(read_bytes(path))
    task = path.parent.name
    if (
        len(report) == 1
        and isinstance(next(iter(report.values())), Mapping)
        and "resolved" not in report
    ):
        task, report = next(iter(report.items()))
    if "resolved" not in report and "tests_status" not in report:
        raise ValueError("it has neither resolved nor tests_status")
    resolved = report.get("resolved")
    resolved = resolved if isinstance(resolved, bool) else None
    status = report.get("tests_status")
    if status is None:
        return task, None, resolved
    return (
        task,
        {
            kind: {result: list(status[kind][result]) for result in ("success", "failure")}
            for kind in (FAIL_TO_PASS, PASS_TO_PASS)
        },
        resolved,
    )


def _outcomes(known: Mapping[str, set[str]], status: Status | None) -> dict[str, bool]:
    if status is None:
        return {name: kind == PASS_TO_PASS for kind in known for name in sorted(known[kind])}
    return {name: name in status[kind]["success"] for kind in known for name in sorted(known[kind])}


def _count(status: Status) -> int:
    return sum(len(set(names)) for kind in status.values() for names in kind.values())


def _trajectory(trajectories: Mapping[str, Path], task: str, imported: Imported) -> dict[str, int]:
    """Return the actions of mini-swe-agent's trajectory beside the reports, if there is one."""
    path = trajectories.get(task)
    if path is None:
        return {}
    try:
        messages = json.loads(read_bytes(path))["messages"]
        return {"actions": sum(message["role"] == "assistant" for message in messages)}
    except (ValueError, KeyError, TypeError) as error:
        imported.leave_out(path, f"is no trajectory: {error!r}"[:200])
        return {}
