"""The command that imports other harnesses' logs, and what it writes."""

import functools
import json

import commands
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_logs import generated, report, write_run, write_samples

from experiments import incoherence, llm_import
from hotmess_jax.llm.importers import import_lm_eval, import_swe_bench
from hotmess_jax.llm.importers.reconcile import same
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


def test_incoherence_says_what_analyses_unit_tests(tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.jsonl"
    rows = [{"model": "m", "question_id": "t", "sample": i, "tests": {"a": True}} for i in range(2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, error = commands.outcome(incoherence, monkeypatch, capsys, path)
    assert code == 2 and "all 2 records are unit tests" in error and "experiments.llm_report" in error


def test_the_comparison_is_printed_and_written(tmp_path, monkeypatch, capsys):
    """Every importer holds what it read against the log; what parts ends with status 1."""
    rows = [generated(0, ["B"], exact_match=1.0), generated(1, ["A"], exact_match=1.0)]
    write_samples(tmp_path / "logs", rows, results={"tiny": {"exact_match,none": 1.0}})
    out, found = tmp_path / "out.jsonl", tmp_path / "out.json"
    told = ("lm-eval", tmp_path / "logs", "--out", out, "--json")
    code, printed, _ = run(monkeypatch, capsys, *told, found)
    assert code == 1 and "0 of 1 figures agree, 1 part" in printed
    assert "exact_match,none of tiny is 1 in the log, 0.5 as read: 1" in printed
    (compared,) = json.loads(found.read_text())["compared"]
    assert compared == {"file": str(next((tmp_path / "logs").glob("samples*"))), "benchmark": "tiny",
                        "model": "gpt-x", "figure": "exact_match,none", "log": 1.0, "read": 0.5,
                        "questions": ["1"], "over": 2, "agrees": False}  # fmt: skip
    code, printed, _ = run(monkeypatch, capsys, *told, "-", "--overwrite")
    assert json.loads(printed)["compared"] == [compared]
    write_samples(tmp_path / "logs", rows[:1], results={"tiny": {"exact_match,none": 1.0}})
    code, printed, _ = run(monkeypatch, capsys, *told, found, "--overwrite")
    assert code == 0 and "1 of 1 figures agree" in printed


@given(st.integers(0, 400), st.integers(1, 400), st.integers(2, 6))
def test_a_figure_agrees_with_its_own_rounding_alone(right, of, decimals):
    value = min(right, of) / of
    assert same(value, value, of) and not same(value, value + 1 / of, of)
    rounded = round(value, decimals)
    # What a mean of so many can be is taken as one.
    assert same(rounded, value, of) or abs(rounded * of - round(rounded * of)) < 1e-9
