"""Reports of SWE-bench's harness, as records."""

import json
from collections import Counter

import pytest
from made_logs import UNAPPLIED, report, write_run
from places import REAL, needs_real

from hotmess_jax.llm.importers import import_swe_bench
from hotmess_jax.llm.records import read_records


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
    assert {key: r.get("tests") for key, r in records.items()} == {
        ("t__1", 0): {"f1": True, "p1": True, "p2": False},
        ("t__1", 1): {"f1": False, "p1": True, "p2": True},  # did not apply: unchanged
        ("t__1", 2): {"f1": True, "p1": True, "p2": False},  # did not run there
        ("t__2", 0): {"f1": True, "p1": True, "p2": True},
        ("t__2", 1): {"f1": False, "p1": True, "p2": True},  # the second run's report is broken
        ("t__3", 0): None,  # did not apply, and no report names its tests
    }
    assert {r["model"] for r in imported.records} == {"my-model"} and records["t__1", 0]["actions"] == 2
    ((_, reason),) = imported.unread
    assert "is no report" in reason
    assert imported.notes == {
        "a run without a summary: its reports alone, what else it submitted is not known": 3,
        "tasks without test results (not applied), counted as failed": 3,
        "tests that another run's report has, counted as failed": 1,
    }
    assert not imported.parted and [r["outcome"] for r in imported.records].count(True) == 2


@needs_real
def test_real_swe_bench_reports():
    imported = import_swe_bench([REAL / "swe_reports"], "mini")
    assert len(imported.records) == 42 and not imported.unread and not imported.parted
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


def write_summary(path, submitted, resolved, empty=(), error=(), **more):
    counts = {"total_instances": 500, "submitted_instances": len(submitted)}
    lists = {
        "submitted_ids": submitted,
        "resolved_ids": resolved,
        "empty_patch_ids": empty,
        "error_ids": error,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    lists = {name: list(tasks) for name, tasks in lists.items()}
    path.write_text(json.dumps(counts | {"resolved_instances": len(resolved)} | lists | more))
    return path


def test_only_what_a_run_submitted_is_counted(tmp_path):
    """17 submitted, of which 8 have reports and 4 are resolved: 4 of 17, and no run's tasks are another's."""
    tasks = [f"t__{i}" for i in range(17)]
    logs = tmp_path / "logs" / "run_evaluation"
    first = write_run(
        logs / "r1", {t: report(failed=() if i < 4 else ("f1",)) for i, t in enumerate(tasks[:8])}
    )
    write_run(logs / "r2", {"t__0": report(), "t__8": report()})
    write_summary(tmp_path / "my-model.r1.json", tasks, tasks[:4], empty=tasks[8:13], error=tasks[13:])
    for given in ([first, logs / "r2"], [tmp_path]):
        imported = import_swe_bench(given)
        of = {name: [r for r in imported.records if r["run"] == name] for name in ("r1", "r2")}
        assert len(of["r1"]) == 17 and sum(r["outcome"] for r in of["r1"]) == 4 and len(of["r2"]) == 2
        kinds = Counter(r.get("report") for r in of["r1"])
        assert kinds == {None: 8, "empty_patch": 5, "error": 4}
        assert of["r1"][-1].get("report") and {r["model"] for r in imported.records} == {"my-model"}
        # Only the task whose tests another run names has them; it counts as unchanged.
        bare = {r["question_id"]: r.get("tests") for r in of["r1"] if r.get("report")}
        assert bare.pop("t__8") == {"f1": False, "p1": True, "p2": True} and not any(bare.values())
        assert not imported.parted and not imported.unread
        figures = {c.figure: (c.log, c.read) for c in imported.compared if "instances" in c.figure}
        assert figures == {"submitted_instances": (17, 17), "resolved_instances": (4, 4)}


def test_a_summary_that_parts_from_its_reports_names_the_tasks(tmp_path):
    run = write_run(tmp_path / "r", {"t__1": report(), "t__2": report(failed=("p1",))})
    lying = report(failed=("p1",)) | {"resolved": True}
    write_run(run, {"t__3": lying})
    write_summary(tmp_path / "my-model.r.json", ["t__1", "t__2", "t__3"], ["t__1", "t__2"])
    imported = import_swe_bench([run])
    assert {c.figure: c.questions for c in imported.parted} == {
        "resolved of reports": ("t__3",),
        "resolved_instances": ("t__2",),
    }


def test_runs_and_models_are_told_by_the_harness_layout(tmp_path):
    for run in ("r1", "r2"):
        for model in ("m1", "m2"):
            for task in ("t__1", "t__2"):
                folder = tmp_path / "logs" / run / model / task
                folder.mkdir(parents=True)
                (folder / "report.json").write_text(json.dumps(report()))
    for given in (
        [tmp_path],
        [tmp_path / "logs"],
        [tmp_path / "logs" / "r1", tmp_path / "logs" / "r2"],
    ):
        imported = import_swe_bench(given)
        found = Counter((r["run"], r["model"]) for r in imported.records)
        assert found == {(run, model): 2 for run in ("r1", "r2") for model in ("m1", "m2")}
        assert Counter(r["sample"] for r in imported.records) == {0: 4, 1: 4}
    # Runs side by side of a model that is named.
    imported = import_swe_bench([tmp_path / "logs" / "r1"], "m")
    assert Counter(r["sample"] for r in imported.records) == {0: 2, 1: 2}
    submission = tmp_path / "20260101_agent" / "logs"
    submission.mkdir(parents=True)
    (tmp_path / "logs" / "r1" / "m1").rename(submission)
    with pytest.raises(ValueError, match="give --model"):
        import_swe_bench([submission.parent])
    (submission.parent / "results").mkdir()
    lists = {"resolved": ["t__1", "t__2"], "no_generation": ["t__9"], "no_logs": []}
    (submission.parent / "results" / "results.json").write_text(json.dumps(lists))
    imported = import_swe_bench([submission.parent], "agent")
    assert [r["outcome"] for r in imported.records] == [True, True, False] and not imported.parted


def test_summaries_alone_are_outcomes(tmp_path):
    path = write_summary(tmp_path / "gpt-4.1.run.json", ["a", "b", "c"], ["b"], empty=["c"])
    for given in (path, tmp_path):
        imported = import_swe_bench([given])
        assert [(r["model"], r["run"], r["question_id"], r["outcome"], r["report"]) for r in
                imported.records] == [("gpt-4.1", "run", "a", False, "missing"),
                ("gpt-4.1", "run", "b", True, "summary"), ("gpt-4.1", "run", "c", False, "empty_patch")]  # fmt: skip
    out = tmp_path / "records.jsonl"
    out.write_text("".join(json.dumps(r) + "\n" for r in imported.records))
    assert read_records([out])["outcome"].to_list() == [0, 1, 0]
