"""Inspect's logs, whole and broken, as records."""

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from made_logs import REAL, sample, score, write_log

from hotmess_jax.llm.importers import import_inspect

needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real logs are not here")


@pytest.fixture
def inspect_ai():
    return pytest.importorskip("inspect_ai")


def test_inspect_epochs_are_samples(tmp_path, inspect_ai):
    samples = [
        sample(i, e, {"choice": score("I", "C") if e == 2 else score()}) for i in "ab" for e in (1, 2)
    ]
    imported = import_inspect([write_log(tmp_path / "log.json", samples)])
    assert not imported.unread
    first, second = imported.records[:2]
    assert (first["benchmark"], first["model"], first["question_id"]) == ("quiz", "openai/gpt-x", "a")
    assert (first["answer"], second["answer"], first["target"]) == ("B", "C", "B")
    assert (first["sample"], second["sample"]) == (0, 1) and first["options"] == ["A", "B", "C"]
    assert (first["output_tokens"], first["reasoning_tokens"], first["actions"]) == (7, 3, 1)
    assert (first["topic"], first["temperature"], first["budget"]) == ("law", 0.5, "low")
    assert first["text"] == "B" and first["finish_reason"] == "stop"


def test_inspect_samples_that_are_not_whole(tmp_path, inspect_ai):
    error = {"message": "boom", "traceback": "", "traceback_ansi": ""}
    samples = [
        sample(1, error=error),
        sample(2, scores={}),
        sample(3, scores={}, limit={"type": "token", "limit": 5.0}),
        sample(4, target="E"),
        sample(5, target="x"),
        sample(6, scores={"choice": score("I", "B")}),
        sample(7, scores={"choice": score("I", "maybe")}),
        sample(8, scores={"other": score("I", None), "choice": score()}),
        sample(9, choices=None, target="yes", scores={"match": score("C", "yes")}),
    ]
    path = write_log(tmp_path / "log.json", samples, "error")
    imported = import_inspect([path])
    assert {r["question_id"]: r["answer"] for r in imported.records} == {
        "3": "",
        "5": "B",
        "7": "",
        "8": "B",
    }
    reasons = Counter(reason for (_, reason), count in imported.unread.items() for _ in range(count))
    assert reasons == {
        "the sample ended in an error": 1,
        "the sample has no score": 1,
        "the target 'E' is none of the choices": 1,
        "the score and the answer contradict each other": 1,
        "the sample has no choices (--correctness takes right or wrong as its outcome)": 1,
    }
    assert imported.notes["samples that hit a limit, kept"] == 1
    assert any("status is error" in note for note in imported.notes)
    by_outcome = import_inspect([path], scorer="match", correctness=True).records
    assert [(r["answer"], r["target"]) for r in by_outcome if r["question_id"] == "9"] == [
        ("correct", "correct")
    ]


@pytest.mark.parametrize("passed", ["PASSED", True])
def test_inspect_swe_bench_scores_hold_every_test(tmp_path, inspect_ai, passed):
    failed = "FAILED" if passed == "PASSED" else False
    kept, fixed = {"t1": failed, "t[{a}]": passed}, {"t3": passed}
    parts = [json.dumps(group, indent=2) for group in (kept, fixed)]
    text = "PASS_TO_PASS:\n\n{}\n\nFAIL_TO_PASS:\n\n{}\n\n".format(*parts)
    scores = [{"swe": score(0.0, None, text)}, {"swe": score(0.0, None, "PASS_TO_PASS: garbled")}]
    samples = [sample(i, scores=s, choices=None, target="") for i, s in enumerate(scores)]
    imported = import_inspect([write_log(tmp_path / "log.json", samples)])
    (record,) = imported.records
    assert record["tests"] == {"t1": False, "t[{a}]": True, "t3": True}
    ((_, reason),) = imported.unread
    assert "does not hold the tests' outcomes" in reason


def swe(i, epoch, kept, fixed, **more):
    """A run of SWE-bench whose score holds these outcomes; None is no score at all."""
    parts = [json.dumps(group, indent=2) for group in (kept, fixed)] if kept is not None else []
    text = "PASS_TO_PASS:\n\n{}\n\nFAIL_TO_PASS:\n\n{}\n\n".format(*parts) if parts else None
    scores = {"swe": score(0.0, None, text)} if parts else {}
    return sample(i, epoch, scores, choices=None, target="", **more)


LIMIT = {"limit": {"type": "message", "limit": 250.0}}


def test_runs_that_hit_a_limit_count_as_unchanged_tests(tmp_path, inspect_ai):
    """Appendix B.3: PASS_TO_PASS tests pass and FAIL_TO_PASS tests fail, whatever the score says."""
    listed = {"PASS_TO_PASS": '["p1", "p2"]', "FAIL_TO_PASS": ["f1"]}
    first = [
        swe(
            "a", 1, {"p1": "FAILED", "p2": "PASSED"}, {"f1": "PASSED"}, **LIMIT
        ),  # its own are not taken
        swe("a", 2, None, None, **LIMIT),  # the other epoch's score tells its tests
        swe("b", 1, None, None, metadata=listed, **LIMIT),  # its metadata do
        swe("c", 1, None, None, metadata={"FAIL_TO_PASS": "[]"}, **LIMIT),  # nothing does
    ]
    second = [swe("a", 3, {"p1": "PASSED", "p2": "FAILED"}, {"f1": "PASSED"})]
    logs = [write_log(tmp_path / f"{i}.json", of) for i, of in enumerate((first, second))]
    imported = import_inspect(logs)
    unchanged = {"p1": True, "p2": True, "f1": False}
    assert [(r["question_id"], r["sample"], r["tests"]) for r in imported.records] == [
        ("a", 0, unchanged),
        ("a", 1, unchanged),
        ("b", 0, unchanged),
        ("a", 2, {"p1": True, "p2": False, "f1": True}),
    ]
    assert all(r["finish_reason"] == "limit: message" for r in imported.records[:3])
    assert imported.notes["runs that hit a limit, counted as unchanged tests"] == 3
    ((_, reason),) = imported.unread
    assert "hit a limit" in reason and "tells the task's tests" in reason


def test_a_retried_log_and_its_first_try_hold_each_sample_once(tmp_path, inspect_ai):
    error = {"message": "boom", "traceback": "", "traceback_ansi": ""}
    first = [sample("a", uuid="u1"), sample("b", uuid="u2", error=error)]
    retry = [sample("a", uuid="u1"), sample("b", uuid="u3")]
    logs = [write_log(tmp_path / "1.json", first, "error"), write_log(tmp_path / "2.json", retry)]
    for given in (logs, logs[::-1], [tmp_path, *logs]):
        imported = import_inspect(given)
        found = sorted((r["question_id"], r["sample"]) for r in imported.records)
        assert found == [("a", 0), ("b", 0)]
        assert imported.notes["samples that another log holds too (a retry), read once"] == 1
    # Older logs have no uuid: a retry keeps the task's id, another run of the task has its own.
    old = [write_log(tmp_path / f"old{i}.json", [sample("a"), sample("b")]) for i in range(2)]
    assert len(import_inspect(old).records) == 2
    content = json.loads(old[1].read_text())
    content["eval"] |= {"task_id": "another", "run_id": "another"}
    old[1].write_text(json.dumps(content))
    assert [r["sample"] for r in import_inspect(old).records] == [0, 0, 1, 1]


def test_inspect_logs_that_are_cut_or_no_logs(tmp_path, inspect_ai):
    whole = write_log(tmp_path / "whole.json", [sample(1)])
    (tmp_path / "cut.json").write_bytes(whole.read_bytes()[:300])
    (tmp_path / "no.eval").write_bytes(b"PK\x03\x04 no zip")
    with zipfile.ZipFile(tmp_path / "empty.eval", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    imported = import_inspect([tmp_path])
    assert len(imported.records) == 1
    assert {Path(file).name for file, _ in imported.unread} == {"cut.json", "no.eval", "empty.eval"}
    assert all("cannot be read" in reason for _, reason in imported.unread)


@needs_real
def test_real_inspect_logs(inspect_ai):
    imported = import_inspect([REAL / "inspect_logs"], correctness=True)
    assert Counter(r["benchmark"] for r in imported.records) == {"mmlu": 285, "popularity": 4}
    assert not imported.unread
    # Counted without the reader: the log's own accuracy.
    with zipfile.ZipFile(REAL / "inspect_logs" / "two_epochs.eval") as archive:
        names = [n for n in archive.namelist() if n.startswith("samples/")]
    assert len(names) == 4
