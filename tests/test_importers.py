"""The command that imports other harnesses' logs, and what it writes."""

import functools
import json

import commands
import pytest
from made_logs import generated, report, write_run, write_samples

from experiments import llm_import
from hotmess_jax.llm.importers import import_lm_eval, import_swe_bench
from hotmess_jax.llm.records import RecordErrors, read_records

run = functools.partial(commands.outcome, llm_import)


def test_files_and_runs_that_are_named_twice_are_read_once(tmp_path):
    path = write_samples(tmp_path, [generated(0, ["A", "B"])])
    assert len(import_lm_eval([path, tmp_path, path]).records) == 2
    run_ = write_run(tmp_path / "run", {"t__1": report()})
    with pytest.raises(ValueError, match="run is given twice"):
        import_swe_bench([run_, tmp_path / "." / "run"])


# The command.


def test_the_command_writes_records_and_says_what_it_left_out(tmp_path, monkeypatch, capsys):
    write_samples(tmp_path / "logs", [generated(0, ["A", "B"]), '{"cut'])
    out = tmp_path / "out.jsonl"
    code, printed, _ = run(monkeypatch, capsys, "lm-eval", tmp_path / "logs", "--out", out)
    assert (
        code == 1
        and "not read" in printed
        and "is no sample: the line is no JSON (1, first at line 2)" in printed
    )
    assert read_records([out]).height == 2
    code, _, error = run(monkeypatch, capsys, "lm-eval", tmp_path / "logs", "--out", out)
    assert code == 2 and "out.jsonl exists; --overwrite replaces it" in error
    code, _, error = run(monkeypatch, capsys, "lm-eval", tmp_path / "nowhere", "--out", tmp_path / "x")
    assert code == 2 and "nowhere is neither a log nor a folder" in error
    code, _, error = run(monkeypatch, capsys, "swe-bench", tmp_path / "logs", "--out", tmp_path / "x")
    assert code == 2 and "is no folder with report.json files" in error
    write_run(tmp_path / "run", {"t__1": report()})
    code, printed, _ = run(
        monkeypatch, capsys, "swe-bench", tmp_path / "run", "--out", tmp_path / "swe.jsonl"
    )
    assert code == 0 and "my-model" in printed and read_records([tmp_path / "swe.jsonl"]).height == 1


def test_records_of_tests_are_checked(tmp_path):
    base = {"model": "m", "question_id": "t", "sample": 0, "tests": {"a": True}}
    bad = [
        base | {"target": "A", "options": ["A", "B"]},
        base | {"tests": {}},
        base | {"tests": {"a": "maybe"}},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text(
        "".join(json.dumps(row | {"question_id": str(i)}) + "\n" for i, row in enumerate(bad))
    )
    with pytest.raises(RecordErrors) as caught:
        read_records([path])
    assert len(caught.value.problems) == 3
    path.write_text(
        "".join(json.dumps(base | {"sample": i, "tests": {n: True}}) + "\n" for i, n in enumerate("ab"))
    )
    with pytest.raises(RecordErrors, match=r"has tests \['b'\].*and \['a'\]"):
        read_records([path])
