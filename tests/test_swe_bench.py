"""Reports of SWE-bench's harness, as records."""

import json
from pathlib import Path

import pytest
from made_logs import REAL, UNAPPLIED, report, write_run

from hotmess_jax.llm.importers import import_swe_bench

needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real logs are not here")


def test_swe_bench_reports_in_all_forms(tmp_path):
    first = write_run(tmp_path / "run1", {"t__1": {"t__1": report(failed=("p2",))}, "t__2": report()})
    second = write_run(tmp_path / "run2", {"t__1": {"t__1": UNAPPLIED}, "t__2": '{"cut'})
    third = write_run(
        tmp_path / "run3", {"t__2": UNAPPLIED, "t__3": UNAPPLIED, "t__1": report(kept=("p1",))}
    )
    trajectory = {
        "messages": [{"role": r} for r in ("system", "user", "assistant", "user", "assistant")]
    }
    (first / "my-model" / "t__1" / "t__1.traj.json").write_text(json.dumps(trajectory))
    imported = import_swe_bench([first, second, third])
    records = {(r["question_id"], r["sample"]): r for r in imported.records}
    assert {key: r["tests"] for key, r in records.items()} == {
        ("t__1", 0): {"f1": True, "p1": True, "p2": False},
        ("t__1", 1): {"f1": False, "p1": True, "p2": True},  # did not apply: unchanged
        ("t__1", 2): {"f1": True, "p1": True, "p2": False},  # did not run there
        ("t__2", 0): {"f1": True, "p1": True, "p2": True},
        ("t__2", 1): {"f1": False, "p1": True, "p2": True},  # its report is broken
        ("t__2", 2): {"f1": False, "p1": True, "p2": True},
    }
    assert {r["model"] for r in imported.records} == {"my-model"} and records["t__1", 0]["actions"] == 2
    reasons = {Path(file).name: reason for file, reason in imported.unread}
    assert (
        reasons["t__3"] == "no run's report names the task's tests"
        and "is no report" in reasons["report.json"]
    )
    assert imported.notes == {
        "a task's report has no test results: the patch did not apply; counted as unchanged": 2,
        "a task's report is missing; counted as unchanged": 1,
        "tests that another run's report has, counted as failed": 1,
    }


@needs_real
def test_real_swe_bench_reports():
    imported = import_swe_bench([REAL / "swe_reports"], "mini")
    assert len(imported.records) == 42 and not imported.unread and not imported.notes
    reports = [json.loads(p.read_text()) for p in (REAL / "swe_reports").glob("*/report.json")]
    assert (
        sum(all(r["tests"].values()) for r in imported.records)
        == sum(r["resolved"] for r in reports)
        == 35
    )
    assert sum(len(r["tests"]) for r in imported.records) == sum(
        len(set(status["success"] + status["failure"]))
        for r in reports
        for kind, status in r["tests_status"].items()
        if kind in ("FAIL_TO_PASS", "PASS_TO_PASS")
    )
