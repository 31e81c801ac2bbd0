"""What stands beside files of records, and what a report tells of it."""

import json

import commands
import pytest
from made_logs import TIME, generated, write_samples

from experiments import llm_import, llm_report
from hotmess_jax.llm.origins import origins_of
from hotmess_jax.llm.origins_report import origins_section
from hotmess_jax.llm.sampling.tally import tally_of


def imported(tmp_path, monkeypatch, capsys, log=0.5):
    """Records of two questions with four repeats, of which the harness' own score says `log`."""
    rows = [generated(i, ["B", "A", "B", "B"], exact_match=float(not i)) for i in range(2)]
    path = write_samples(tmp_path / "logs", rows, results={"tiny": {"exact_match,none": log}},
                         **{"n-samples": {"tiny": {"effective": 2}}})  # fmt: skip
    assert path.name.endswith(f"{TIME}.jsonl")
    out = tmp_path / "r.jsonl"
    code, *_ = commands.outcome(llm_import, monkeypatch, capsys, "lm-eval", path, "--out", out)
    return out, code


def test_a_report_holds_the_comparison_that_the_importer_made(tmp_path, monkeypatch, capsys):
    out, code = imported(tmp_path, monkeypatch, capsys)
    assert code == 1  # the log's own score of the second question is another
    arguments = (out, "--out", tmp_path / "out", "--metric", "brier", "--resamples", 20,
                 "--permutations", 20)  # fmt: skip
    assert commands.outcome(llm_report, monkeypatch, capsys, *arguments)[0] == 0
    (origin,) = json.loads((tmp_path / "out" / "report.json").read_text())["records"]["origins"]
    figures = {one["figure"]: (one["log"], one["read"], one["agrees"]) for one in origin["compared"]}
    assert figures == {"questions": (2, 2, True), "exact_match,none": (0.5, 1, False)}
    text = (tmp_path / "out" / "report.md").read_text()
    assert "1 of 2 figures agree with the logs' own, **1 part**" in text
    assert "| tiny | gpt-x | exact_match,none | 0.5 | 1 | 1 |" in text
    out.write_text(out.read_text() + "\n")
    code, _, error = commands.outcome(llm_report, monkeypatch, capsys, *arguments)
    assert code == 2 and "r.jsonl.reconciled.json is of other records" in error


def test_an_earlier_comparison_is_not_overwritten(tmp_path, monkeypatch, capsys):
    out, _ = imported(tmp_path, monkeypatch, capsys)
    out.unlink()
    log = next((tmp_path / "logs").glob("samples*"))
    code, _, error = commands.outcome(llm_import, monkeypatch, capsys, "lm-eval", log, "--out", out)
    assert code == 2 and "r.jsonl.reconciled.json exists; --overwrite replaces it" in error


def sampled(path, **settings):
    """A file as llm_sample leaves it, with a budget that the endpoint did not heed."""
    rows = [
        {"model": "m", "question_id": str(i // 4), "sample": i % 4, "options": ["A", "B"], "target": "A",
         "answer": "AB"[i % 3 == 0], "budget": 100, "reasoning_tokens": 700 if i % 2 else 50, "text": "A",
         "reasoning": "hm", "output_tokens": 710}
        for i in range(16)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = vars(tally_of(rows, None)) | {"unknown_marks": []}
    beside = path.with_name(f"{path.name}.settings.json")
    beside.write_text(json.dumps({"thinking_budget": 100, "summary": summary} | settings))


def test_a_report_holds_a_runs_own_shares_and_what_became_of_its_budget(tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.jsonl"
    sampled(path)
    arguments = (path, "--out", tmp_path / "out", "--metric", "brier", "--resamples", 20,
                 "--permutations", 20)  # fmt: skip
    assert commands.outcome(llm_report, monkeypatch, capsys, *arguments)[0] == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "of 16 samples: 0 % empty, 0 % cut" in text and "50 % over the budget" in text
    assert "A budget of 100 was asked for and not kept: 50 % of its samples reasoned for longer" in text
    (origin,) = json.loads((tmp_path / "out" / "report.json").read_text())["records"]["origins"]
    assert origin["sampled"]["over_budget"] == 0.5 and origin["budget"] == "100"


def test_what_has_nothing_beside_it_is_said_to_have_nothing(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("{}\n")
    (origin,) = origins_of([path])
    assert "neither an importer's comparison" in origins_section([origin])
    sampled(path, summary=None)  # stopped before its end
    (origin,) = origins_of([path])
    assert origin.sampled is None and "nor a finished run's own" in origins_section([origin])
    path.with_name("r.jsonl.reconciled.json").write_text("[]")
    with pytest.raises(ValueError, match="is no JSON object but a list"):
        origins_of([path])


def test_a_budget_that_was_kept_needs_no_note():
    kept = tally_of([{"question_id": "a", "budget": 100, "reasoning_tokens": 50, "text": "A"}], None)
    assert kept.budget_note("100") is None
    ignored = tally_of([{"question_id": "a", "budget": "low", "text": "A"}], None)
    assert "100 % of its samples show no reasoning" in ignored.budget_note("low")
    assert ignored.budget_note(None) is None
