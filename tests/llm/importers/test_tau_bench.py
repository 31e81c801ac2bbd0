"""Results of tau-bench and tau2-bench, as records."""

import functools
import gzip
import json

import commands
import pytest
from places import REAL, needs_real

from experiments import llm_import
from hotmess_jax.llm.importers import import_tau_bench
from hotmess_jax.llm.records import read_records

run = functools.partial(commands.outcome, llm_import)


def call(name="look_up", requestor="assistant"):
    return {"id": "c", "name": name, "arguments": {}, "requestor": requestor}


def trial(task, number, reward=1.0, calls=1, instruction=None, info=None):
    messages = [{"role": "system", "content": "# Train agent policy\n\nBe kind."}]
    messages += [{"role": "user", "content": "hello"}]
    messages += [{"role": "assistant", "content": None, "tool_calls": [call()]}] * calls
    messages += [{"role": "tool", "content": "done"}, {"role": "assistant", "content": "bye"}]
    of = {"instruction": instruction or f"do {task}", "actions": [{"name": "look_up", "kwargs": {}}]}
    told = {"task": of, "reward_info": {"reward": reward}, "user_cost": 0.5}
    return {"task_id": task, "trial": number, "reward": reward, "info": told if info is None else info,
            "traj": messages}  # fmt: skip


def simulation(task, number, reward=1.0, reason="user_stop", tokens=(5, 7), **more):
    messages = [{"role": "assistant", "content": "How can I help?", "usage": None}]
    messages += [{"role": "user", "content": "so", "tool_calls": [call(requestor="user")]}]
    for count in tokens:
        usage = None if count is None else {"completion_tokens": count, "prompt_tokens": 90}
        calls = [call(), call()]
        messages += [{"role": "assistant", "content": None, "tool_calls": calls, "usage": usage}]
    return {"id": f"{task}-{number}", "task_id": task, "trial": number, "seed": 40 + number,
            "termination_reason": reason, "agent_cost": 0.25, "messages": messages,
            "reward_info": None if reward is None else {"reward": reward}} | more  # fmt: skip


def results(simulations, tasks=("a", "b"), trials=2):
    agent = {"implementation": "llm_agent", "llm": "gpt-x", "llm_args": {"temperature": 0.25}}
    calls = {"actions": [{"name": "look_up"}, {"name": "tap", "requestor": "user"}]}
    return {
        "timestamp": "now",
        "info": {"num_trials": trials, "max_steps": 9, "agent_info": agent,
                 "environment_info": {"domain_name": "telecom"}},
        "tasks": [{"id": task, "user_scenario": {"say": task}, "evaluation_criteria": calls} for task in tasks],
        "simulations": simulations,
    }  # fmt: skip


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_tau_bench(tmp_path):
    rows = [
        trial(0, 0),
        trial(0, 1, 0.0, calls=3),
        trial(1, 0, 0.0, info={"error": "late", "traceback": "…"}),
    ]
    cut = trial(1, 1, 0.0)
    cut["info"]["reward_info"] = None
    failed = {**trial(1, 2, 2.0)}
    path = write(
        tmp_path / "tool-calling-gpt-x-0.5_range_0--1_user-gpt-y-llm_0101.json", [*rows, cut, failed]
    )
    imported = import_tau_bench([path])
    records = imported.records
    assert {(r["benchmark"], r["model"], r["temperature"]) for r in records} == {
        ("tau-bench-train", "gpt-x", 0.5)
    }
    assert [(r["question_id"], r["sample"], r["outcome"], r["actions"], r["turns"]) for r in records] == [
        ("0", 0, True, 1, 2), ("0", 1, False, 3, 4), ("1", 0, False, 1, 2), ("1", 1, False, 1, 2)
    ]  # fmt: skip
    assert [r["finish_reason"] for r in records] == ["stop", "stop", "error", "limit: steps"]
    assert records[0]["expected_actions"] == 1 and "expected_actions" not in records[2]
    assert imported.unread == {(str(path), "is no trial: the reward is not between 0 and 1"): 1}
    for reason in ("error", "limit: steps"):
        assert (
            imported.notes[f"trials that ended by {reason}, counted as the benchmark rewards them"] == 1
        )
    assert {(c.figure, c.log, c.read) for c in imported.compared} == {
        ("trials", 5, 4), ("mean reward", 0.25, 0.25), ("mean reward_info.reward", 0.5, 0.5)
    }  # fmt: skip


def test_a_reward_that_stands_twice_and_differs_is_named(tmp_path):
    rows = [trial(0, 0), trial(0, 1)]
    rows[1]["info"]["reward_info"]["reward"] = 0.0
    imported = import_tau_bench([write(tmp_path / "m-retail.json", rows)])
    (parted,) = imported.parted
    assert parted.questions == ("0 (trial 1)",) and (parted.log, parted.read) == (0.5, 1.0)
    assert {r["model"] for r in imported.records} == {"m"}


def test_tau2_bench(tmp_path):
    rows = [
        simulation("a", 0),
        simulation("a", 1, 0.0, "max_steps", tokens=(5, None)),
        simulation("b", 0, 0.5, "agent_error"),
        simulation("b", 1, 0.0, "infrastructure_error"),
    ]
    path = write(tmp_path / "run.json", results(rows))
    imported = import_tau_bench([path])
    records = imported.records
    assert {(r["benchmark"], r["model"], r["temperature"]) for r in records} == {
        ("tau2-bench-telecom", "gpt-x", 0.25)
    }
    assert [(r["question_id"], r["sample"], r["outcome"], r["seed"]) for r in records] == [
        ("a", 0, True, 40), ("a", 1, False, 41), ("b", 0, 0.5, 40)
    ]  # fmt: skip
    # The greeting was not generated, and the user's own calls are none of the agent's.
    assert [(r["actions"], r.get("output_tokens"), r["cost"]) for r in records] == [
        (4, 12, 0.25), (4, None, 0.25), (4, 12, 0.25)
    ]  # fmt: skip
    assert records[0]["expected_actions"] == 1
    assert [r["finish_reason"] for r in records] == ["stop", "limit: max_steps", "error: agent_error"]
    ((_, reason),) = imported.unread
    assert "infrastructure_error, which the benchmark does not evaluate" in reason
    assert ("tasks × trials", 4, 3) in {(c.figure, c.log, c.read) for c in imported.compared}


def test_trials_in_files_of_their_own(tmp_path):
    for of in (whole := [simulation("a", 0), simulation("a", 1, 0.0)]):
        write(tmp_path / "run" / "simulations" / f"{of['id']}.json", of)
    write(tmp_path / "run" / "results.json", results([], tasks=("a",)))
    imported = import_tau_bench([tmp_path / "run"])
    other = import_tau_bench([write(tmp_path / "run.json", results(whole, tasks=("a",)))])
    assert imported.records == other.records and not imported.unread and not imported.parted


def test_copies_further_runs_and_other_domains(tmp_path):
    first = write(tmp_path / "m-one.json", [trial(0, 0), trial(0, 1, 0.0)])
    copy = write(tmp_path / "m-copy.json", [trial(0, 0), trial(0, 1, 0.0)])
    more = write(tmp_path / "m-two.json", [trial(0, 0, calls=5)])
    imported = import_tau_bench([first, copy, more], "m")
    assert [(r["sample"], r["trial"]) for r in imported.records] == [(0, 0), (1, 1), (2, 0)]
    assert any("is a copy of" in note for note in imported.notes)
    other = write(tmp_path / "m-three.json", [trial(0, 0, instruction="something else")])
    with pytest.raises(ValueError, match=r"task 0 of .*m-three.json is another than that of .*m-one"):
        import_tau_bench([first, other], "m")


def test_the_command(tmp_path, monkeypatch, capsys):
    path = tmp_path / "m-train.json.gz"
    path.write_bytes(gzip.compress(json.dumps([trial(0, 0), trial(0, 1, 0.0)]).encode()))
    out = tmp_path / "r.jsonl"
    code, printed, _ = run(monkeypatch, capsys, "tau-bench", path, "--out", out, "--model", "gpt-x")
    assert code == 0 and "3 of 3 figures agree" in printed
    assert read_records([out])["outcome"].to_list() == [1.0, 0.0]
    (tmp_path / "other.json").write_text('{"a": 1}')
    code, printed, _ = run(monkeypatch, capsys, "tau-bench", tmp_path, "--out", out, "--overwrite")
    assert code == 1 and "is neither tau-bench's list of trials" in printed


@needs_real
def test_real_tau_bench_results():
    imported = import_tau_bench([REAL / "tau_bench"])
    assert not imported.unread and not imported.parted
    records = imported.records
    assert len(records) == 200 and sum(r["outcome"] for r in records) == 84
    assert {r["sample"] for r in records} == {0, 1, 2, 3} and len(
        {r["question_id"] for r in records}
    ) == 50
    assert sum(r["actions"] for r in records) == 1164
    assert (
        imported.notes["trials that ended by limit: steps, counted as the benchmark rewards them"] == 5
    )
