"""Outcomes that are right or wrong, or a share of right, and nothing else."""

import json

import commands
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import incoherence
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.successes import share_questions, with_successes
from hotmess_jax.llm.measures.summary import summarise_shares
from hotmess_jax.llm.records import read_records


def write(path, outcomes, **more):
    """Write records of outcomes, a list a question."""
    rows = [
        {"model": "m", "question_id": f"q{i}", "sample": j, "outcome": value, **more}
        for i, row in enumerate(outcomes)
        for j, value in enumerate(row)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def by_hand(outcomes):
    """Return mean error, bias² and variance to 1, plug-in and corrected for the number of samples."""
    found = []
    for row in np.asarray(outcomes, float):
        mean = row.mean()
        bias2, variance = (1 - mean) ** 2, ((row - mean) ** 2).mean()
        right = variance * len(row) / (len(row) - 1)
        found.append((bias2 + variance, bias2, variance, bias2 + variance - right, right))
    return np.mean(found, axis=0)


def test_right_and_wrong_are_two_options(tmp_path):
    outcomes = [[True, False, True, True], [False, False, False, False], [True, True, False, False]]
    records, shares = with_successes(read_records([write(tmp_path / "r.jsonl", outcomes)]))
    assert not shares.height and records["target"].unique().to_list() == ["success"]
    with jax.enable_x64(True):
        found = questions_of(records, AnalysisSettings())
    error, bias2, variance, bias2_right, right = 2 * by_hand(outcomes)
    assert [part.mean() for part in found.plugin] == pytest.approx([error, bias2, variance])
    assert [part.mean() for part in found.corrected] == pytest.approx([error, bias2_right, right])
    assert found.accuracy.tolist() == [0.75, 0, 0.5]


@settings(deadline=None, max_examples=10)
@given(
    st.lists(
        st.lists(st.sampled_from([0, 0.25, 0.5, 1]), min_size=3, max_size=3), min_size=1, max_size=4
    )
)
def test_shares_are_a_squared_error_to_1(tmp_path_factory, outcomes):
    path = tmp_path_factory.mktemp("r") / "r.jsonl"
    records, shares = with_successes(read_records([write(path, [*outcomes, [0.5, 0.5, 0]])]))
    assert not records.height
    with jax.enable_x64(True):
        found = share_questions(shares, AnalysisSettings())
    expected = by_hand([*outcomes, [0.5, 0.5, 0]])
    assert [part.mean() for part in found.plugin] == pytest.approx(expected[:3])
    assert found.corrected.bias2.mean() == pytest.approx(expected[3])
    assert found.corrected.variance.mean() == pytest.approx(expected[4])
    assert found.accuracy.mean() == pytest.approx(np.mean([*outcomes, [0.5, 0.5, 0]]))


def test_benchmarks_with_options_or_tests_stay_as_they_are(tmp_path):
    paths = [write(tmp_path / "a.jsonl", [[True, False]], benchmark="a")]
    paths.append(write(tmp_path / "b.jsonl", [[True, 0.5]], benchmark="b"))
    paths.append(write(tmp_path / "c.jsonl", [[True, False]], benchmark="c"))
    tested = {"model": "m", "benchmark": "c", "question_id": "t", "sample": 0, "tests": {"x": True}}
    paths[2].write_text(paths[2].read_text() + json.dumps(tested) + "\n")
    records, shares = with_successes(read_records(paths))
    assert shares["benchmark"].to_list() == ["b", "b"]
    kept = records.filter(records["options"].is_not_null())
    assert kept["benchmark"].to_list() == ["a", "a"] and kept["answer"].to_list() == [
        "success",
        "failure",
    ]
    assert records.height == 5


def test_the_command_decomposes_both_and_says_what_they_mean(tmp_path, monkeypatch, capsys):
    whole = [[True, False, True], [False, False, True]]
    path, out = write(tmp_path / "a.jsonl", whole, benchmark="a"), tmp_path / "out.json"
    code, printed, _ = commands.outcome(incoherence, monkeypatch, capsys, path, "--json", out)
    assert code == 0 and "two different wrong answers are one failure" in " ".join(printed.split())
    (group,) = json.loads(out.read_text())["groups"]
    assert group["metrics"]["brier"]["variance"] == pytest.approx(2 * by_hand(whole)[2])
    shares = [[0.5, 0.25, 1], [0, 0.75, 1]]
    other = write(tmp_path / "b.jsonl", shares, benchmark="b")
    code, printed, _ = commands.outcome(incoherence, monkeypatch, capsys, path, other, "--json", out)
    assert code == 0 and "squared distance to 1" in " ".join(printed.split())
    groups = json.loads(out.read_text())["groups"]
    assert [list(group["metrics"]) for group in groups] == [
        ["brier", "kl", "zero_one"],
        ["squared_error"],
    ]
    found = groups[1]["metrics"]["squared_error"]
    assert found["bias2"] == pytest.approx(by_hand(shares)[1])
    assert found["corrected"]["variance"] == pytest.approx(by_hand(shares)[4])
    assert groups[1]["accuracy"] == pytest.approx(np.mean(shares))


def test_shares_by_group_and_without_two_samples(tmp_path):
    first = write(tmp_path / "a.jsonl", [[0.5, 0.25]], temperature=0)
    second = write(tmp_path / "b.jsonl", [[0.5]], temperature=1)
    groups = summarise_shares(read_records([first, second]))
    assert [group.by for group in groups] == [{"temperature": 0.0}, {"temperature": 1.0}]
    assert groups[1].metrics["squared_error"] is None and groups[1].left_out == 1
