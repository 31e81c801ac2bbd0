"""Inspect's logs, whole and broken, as records."""

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from made_logs import inspect_log, sample, score, write_log
from places import REAL, needs_real

from hotmess_jax.llm.importers import import_inspect
from hotmess_jax.llm.records import read_records


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
    texts = dict(zip(first["options"], first["option_texts"], strict=True))
    assert [texts[label] for label in (first["answer"], second["answer"], first["target"])] == [
        "x",
        "y",
        "x",
    ]
    assert (first["sample"], second["sample"]) == (0, 1) and first["options"] == ["A", "B", "C"]
    assert (first["output_tokens"], first["reasoning_tokens"], first.get("actions")) == (7, 3, None)
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
    answered = {
        r["question_id"]: r["answer"] and r["option_texts"][r["options"].index(r["answer"])]
        for r in imported.records
    }
    assert answered == {"3": "", "5": "x", "7": "", "8": "x"}
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
        assert not imported.unread  # the retry has what ended in an error
        assert imported.notes["samples that another log holds too (a copy, or a retry), read once"] == 1
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
    # The logs' own accuracy.
    figures = [(c.figure, round(c.read, 4)) for c in imported.compared]
    assert figures == [("samples", 285), ("accuracy", 0.7825), ("samples", 4), ("accuracy", 0.75)]
    assert not imported.parted and not imported.without_figures
    with zipfile.ZipFile(REAL / "inspect_logs" / "two_epochs.eval") as archive:
        names = [n for n in archive.namelist() if n.startswith("samples/")]
    assert len(names) == 4


def by_text(record, field):
    """The text of the option that a record's field names."""
    return record[field] and record["option_texts"][record["options"].index(record[field])]


def test_shuffled_choices_are_joined_by_their_texts(tmp_path, inspect_ai):
    """A model that always gives the same text always gives the same answer, wherever its letter moves."""
    logs = []
    for i, choices in enumerate([["w", "x", "y"], ["y", "w", "x"], ["x", "y", "w"]]):
        letters = {text: "ABC"[k] for k, text in enumerate(choices)}
        one = sample(
            "a", i + 1, {"choice": score("I", letters["y"])}, choices=choices, target=letters["x"]
        )
        logs.append(write_log(tmp_path / f"{i}.json", [one]))
    records = import_inspect(logs).records
    assert len(records) == 3 and len({(r["answer"], r["target"], *r["options"]) for r in records}) == 1
    assert [r["sample"] for r in records] == [0, 1, 2] and [r["epoch"] for r in records] == [1, 2, 3]
    out = tmp_path / "records.jsonl"
    out.write_text("".join(json.dumps(r) + "\n" for r in records))
    assert read_records([out]).height == 3


def test_choices_that_stand_twice_are_numbers_or_of_which_several_are_right(tmp_path, inspect_ai):
    samples = [
        sample(1, choices=["7", "7", "8"], target="B", scores={"choice": score("I", "A")}),
        sample(2, choices=["3", "2", "1"], target="2", scores={"choice": score("C", "B")}),
        sample(3, target=["A", "C"], scores={"choice": score("C", "A, C")}),
        sample(4, target="A,B", scores={"choice": score("I", "A")}),
    ]
    path = write_log(tmp_path / "log.json", samples)
    imported = import_inspect([path])
    found = [(by_text(r, "target"), by_text(r, "answer")) for r in imported.records]
    assert found == [("7", "7 [2]"), ("2", "2")]
    ((_, reason),) = imported.unread
    assert "several choices are right" in reason
    with_outcomes = import_inspect([path], correctness=True)
    assert not with_outcomes.unread and not with_outcomes.parted
    assert [r["outcome"] for r in with_outcomes.records] == [False, True, True, False]


def results(completed, name="choice", value=1.0, metric="accuracy"):
    figure = {"name": name, "scorer": name, "metrics": {metric: {"name": metric, "value": value}}}
    return {"total_samples": completed, "completed_samples": completed, "scores": [figure]}


def write_results(path, samples, own, status="success", **more):
    path.write_text(json.dumps(inspect_log(samples, status) | {"results": own} | more))
    return path


def test_inspect_logs_are_held_against_their_own_figures(tmp_path, inspect_ai):
    samples = [sample(i, e) for i in "ab" for e in (1, 2)]
    samples[1]["scores"] = {"choice": score("I", "C")}
    for name, own, parted in (("right", 0.75, {}), ("wrong", 0.5, {"accuracy": ()})):
        imported = import_inspect(
            [write_results(tmp_path / f"{name}.json", samples, results(4, value=own))]
        )
        assert {c.figure: c.questions for c in imported.parted} == parted
        assert [(c.log, c.read) for c in imported.compared] == [(4, 4), (own, 0.75)]
    samples[0]["scores"] = {"choice": score("I", "B")}  # the answer is right
    imported = import_inspect([write_results(tmp_path / "lost.json", samples, results(4, value=0.5))])
    assert {c.figure: (c.log, c.read) for c in imported.parted}["samples"] == (4, 3)
    (bare,) = import_inspect([write_log(tmp_path / "bare.json", [sample(1)])]).compared
    assert (bare.figure, bare.log, bare.read) == ("scores", 1, 1)  # those of its samples


def test_a_copy_of_a_log_counts_once(tmp_path, inspect_ai):
    samples = [sample(i, e) for i in "ab" for e in (1, 2)]
    (tmp_path / "copy").mkdir()
    for folder in (tmp_path, tmp_path / "copy"):
        write_results(folder / "log.json", samples, results(4))
    imported = import_inspect([tmp_path])
    assert len(imported.records) == 4 and not imported.parted and len(imported.compared) == 4
    assert imported.notes == {"samples that another log holds too (a copy, or a retry), read once": 4}


def model_event(text, tokens, span="s", role=None, model="openai/gpt-x", thought=None):
    content = [{"type": "text", "text": text}]
    if thought:
        content = [{"type": "reasoning", "reasoning": thought}, *content]
    message = {"role": "assistant", "content": content}
    usage = {
        "input_tokens": 1,
        "output_tokens": tokens,
        "total_tokens": tokens + 1,
        "reasoning_tokens": 2,
    }
    return {
        "event": "model", "timestamp": "2026-01-01T00:00:00+00:00", "span_id": span, "model": model,
        "role": role, "input": [], "tools": [], "tool_choice": "auto", "config": {},
        "output": {"model": model, "choices": [{"message": message, "stop_reason": "stop"}], "usage": usage},
    }  # fmt: skip


def span(name, kind, parent=None):
    return {"event": "span_begin", "timestamp": "2026-01-01T00:00:00+00:00", "id": name, "span_id": name,
            "parent_id": parent, "type": kind, "name": name}  # fmt: skip


@pytest.mark.parametrize("grader", ["openai/gpt-x", "openai/grader"])
def test_lengths_are_those_of_the_evaluated_models_generations(tmp_path, inspect_ai, grader):
    """Neither graders, though of the same name, nor simulated users."""
    events = [
        span("s", "solvers"), model_event("I look.", 10, thought="hm"), model_event("Hello?", 500, role="user"),
        model_event("B", 20, thought="so B"), span("g", "scorers"), span("h", "scorer", "g"),
        model_event("C", 5000, "h", "grader" if grader != "openai/gpt-x" else None, grader),
    ]  # fmt: skip
    usage = {"openai/gpt-x": {"input_tokens": 1, "output_tokens": 5530, "total_tokens": 5531}}
    path = write_log(tmp_path / "log.json", [sample(1, events=events, model_usage=usage), sample(2)])
    first, second = import_inspect([path]).records
    assert (first["output_tokens"], first["reasoning_tokens"], first["actions"]) == (30, 4, 2)
    assert first["reasoning"] == "hm\n\nso B" and first["text"] == "B"
    assert first["transcript"] == "<think>hm</think>\nI look.\n\n<think>so B</think>\nB"
    assert second["actions"] == 1  # others have more: a length


def test_scores_between_right_and_wrong_are_outcomes(tmp_path, inspect_ai):
    def log(name, values, **more):
        samples = [
            sample(i, scores={"match": score(v, "x")}, choices=None, target="x", **more)
            for i, v in enumerate(values)
        ]
        return import_inspect([write_log(tmp_path / f"{name}.json", samples)], correctness=True)

    whole = log("whole", ["C", "I", "N"])
    assert [r["answer"] for r in whole.records] == ["correct", "incorrect", ""]
    assert [r.get("outcome") for r in whole.records] == [True, False, None]
    between = log("between", ["C", "I", "P", 0.25])
    assert [r["outcome"] for r in between.records] == [1, 0, 0.5, 0.25]
    assert not any("answer" in r for r in between.records) and not between.parted
    # One log of the task has fractions, the other none: what is exactly 0 or 1 is no choice of its own.
    for name, values in (("one", ["C", "I", "N"]), ("other", ["C", 0.5])):
        content = inspect_log([sample(i, scores={"match": score(v, "x")}, choices=None, target="x")
                               for i, v in enumerate(values)])  # fmt: skip
        content["eval"] |= {"task_id": name, "run_id": name}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    both = import_inspect([tmp_path / "one.json", tmp_path / "other.json"], correctness=True)
    assert [r["outcome"] for r in both.records] == [1, 0, 0, 1, 0.5]
    assert not any("answer" in r for r in both.records) and both.records[2]["answered"] is False
    distance = log("distance", [0.0, 1.0, 17.0])
    ((_, reason),) = distance.unread
    assert not distance.records and "distance" in reason


def test_no_answer_among_choices_is_unparsed(tmp_path, inspect_ai):
    samples = [sample(1), sample(2, scores={"choice": score("N", "")})]
    own = results(2, value=0.5)
    imported = import_inspect([write_results(tmp_path / "log.json", samples, own)])
    assert [bool(r["answer"]) for r in imported.records] == [True, False] and not imported.parted


def test_notes_are_of_samples_that_were_read_and_listings_are_no_logs(tmp_path, inspect_ai):
    limit = {"limit": {"type": "token", "limit": 5.0}}
    samples = [sample(i, target="E", **limit) for i in range(4)]
    path = write_log(tmp_path / "log.json", samples)
    for name in ("logs.json", "listing.json"):
        (tmp_path / name).write_text(json.dumps({"log.json": {"status": "success"}}))
    imported = import_inspect([tmp_path])
    assert not imported.records and not imported.notes
    assert {Path(file) for file, _ in imported.unread} == {path}


def test_other_solvers_and_settings_are_other_samples(tmp_path, inspect_ai):
    for i in range(4):
        content = inspect_log([sample("a")])
        content["eval"] |= {"task_id": f"t{i}", "run_id": f"r{i}"}
        if i == 1:
            content["eval"]["task_args"] = {"few": 5}
        elif i == 2:
            content["plan"]["steps"] = [{"solver": "chain_of_thought"}]
        elif i == 3:
            content["eval"]["model_generate_config"]["top_p"] = 0.5
        (tmp_path / f"{i}.json").write_text(json.dumps(content))
    records = import_inspect([tmp_path]).records
    assert [r["sample"] for r in records] == [0] * 4
    assert [(r.get("task_args"), r.get("solver"), r.get("generation")) for r in records] == [
        (None, None, None), ("few=5", None, None), (None, "chain_of_thought", None), (None, None, "top_p=0.5"),
    ]  # fmt: skip
