"""What k samples would do, agreement and a run's spread, against computations of their own."""

import json
from itertools import combinations
from math import comb

import commands
import jax
import numpy as np
import polars as pl
import pytest
from made_records import any_answers, table, two_answers

from experiments import incoherence
from hotmess_jax.llm.measures import repeats_figure
from hotmess_jax.llm.measures.repeats import Repeats, repeats
from hotmess_jax.statistics.coverage import seen_coverage
from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.statistics.intervals import mean_interval


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def by_hand(answers, k, how):
    """Return the mean over questions with k samples of the mean over subsets; A is right."""
    found = []
    for given in answers:
        subsets = list(combinations(given, k))
        if subsets:
            found.append(np.mean([how(subset) for subset in subsets]))
    return np.mean(found), len(found)


def majority(subset):
    counts = {label: subset.count(label) for label in subset if label}
    most = max(counts.values(), default=0)
    return (counts.get("A", 0) == most) / list(counts.values()).count(most) if most else 0


HOW = {
    "pass_at_k": lambda of: "A" in of,
    "pass_hat_k": lambda of: set(of) == {"A"},
    "majority": majority,
}


def test_all_of_it_is_what_enumeration_gives():
    random = np.random.default_rng(0)
    answers = [tuple(random.choice(["A", "A", "B", "C", ""], n)) for n in (5, 5, 3, 4, 2, 1, 5)]
    records = pl.concat(
        [table(question_id=[f"q{i}"] * len(of), sample=range(len(of)), answer=of)
         for i, of in enumerate(answers)]
    )  # fmt: skip
    found = repeats(records).to_json()
    for name, how in HOW.items():
        assert list(found[name]) == ["1", "2", "3", "4", "5"]
        for k in range(1, 6):
            value, count = by_hand(answers, k, how)
            of = found[name][str(k)]
            assert of["value"] == pytest.approx(value, abs=1e-12)
            assert (of["questions"], of["left_out"]) == (count, 7 - count)
            assert of["ci95"][0] <= value <= of["ci95"][1]
    assert found["accuracy"]["value"] == pytest.approx(found["pass_at_k"]["1"]["value"], abs=1e-15)
    same = by_hand(answers, 2, lambda of: bool(of[0]) and of[0] == of[1])[0]
    assert found["agreement"]["answers"]["value"] == pytest.approx(same, abs=1e-12)
    alike = by_hand(answers, 2, lambda of: (of[0] == "A") == (of[1] == "A"))[0]
    assert found["agreement"]["right"]["value"] == pytest.approx(alike, abs=1e-12)
    spread = [np.var([a == "A" for a in of], ddof=1) for of in answers if len(of) > 1]
    assert found["run_spread"]["value"] == pytest.approx(np.sqrt(np.mean(spread) / 6), abs=1e-12)
    # Dropped, an answer that could not be parsed is no sample.
    kept = [tuple(a for a in of if a) for of in answers]
    value, count = by_hand(kept, 2, HOW["pass_hat_k"])
    of = repeats(records, "drop").to_json()["pass_hat_k"]["2"]
    assert (of["value"], of["questions"]) == (pytest.approx(value, abs=1e-12), count)


def test_outcomes_alone_have_pass_at_k_but_no_votes():
    random = np.random.default_rng(1)
    outcome = random.integers(0, 2, (6, 4))
    records = pl.DataFrame(
        {"benchmark": [None] * 24, "question_id": np.repeat([f"t{i}" for i in range(6)], 4),
         "options": [None] * 24, "outcome": outcome.ravel() * 1.0}
    )  # fmt: skip
    found = repeats(records).to_json()
    for k in range(1, 5):
        every = np.mean([comb(c, k) / comb(4, k) for c in outcome.sum(axis=1)])
        some = np.mean([1 - comb(4 - c, k) / comb(4, k) for c in outcome.sum(axis=1)])
        assert found["pass_hat_k"][str(k)]["value"] == pytest.approx(every, abs=1e-12)
        assert found["pass_at_k"][str(k)]["value"] == pytest.approx(some, abs=1e-12)
    assert found["majority"] == {} and found["agreement"]["answers"] is None and found["no_majority"]
    shares = repeats(records.with_columns(outcome=pl.col("outcome") * 0.5)).to_json()
    assert shares["pass_at_k"] == {} and "fractions" in shares["no_pass"]
    assert shares["accuracy"]["value"] == pytest.approx(outcome.mean() / 2)


def test_probabilities_that_tie_name_no_option_and_are_right_by_their_share():
    tied, sure = (
        json.dumps(dict(zip("ABCD", p, strict=True))) for p in ((0.5, 0.5, 0, 0), (0.7, 0.3, 0, 0))
    )
    records = table(question_id=["q"] * 3, sample=range(3), probs=[tied, sure, sure])
    found = repeats(records).to_json()
    assert found["accuracy"]["value"] == pytest.approx(2.5 / 3)
    assert found["pass_hat_k"]["3"]["value"] == pytest.approx(0.5)
    assert found["majority"]["1"]["value"] == pytest.approx(2 / 3)
    assert found["majority"]["3"]["value"] == 1


def covered(right, samples, k, runs, random):
    """Return how often the interval of pass^k over questions holds its expectation over them."""
    truth = np.mean(right(random, 100_000) ** k)
    chance = right(random, (100, runs))
    hits = random.binomial(samples, chance)
    ways = np.asarray([comb(c, k) / comb(samples, k) for c in range(samples + 1)])
    low, high = mean_interval(ways[hits], 1.0)
    return seen_coverage("pass^k", "", low, high, float(truth)).share


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("a, b", [(2.0, 2.0), (0.3, 9.7), (9.7, 0.3)])
def test_intervals_of_pass_hat_k_cover_near_0_and_1_too(k, a, b):
    """pass@k is one less pass^k of being wrong: the same intervals, turned over."""
    share = covered(
        lambda random, shape: random.beta(a, b, shape), 5, k, 2_000, np.random.default_rng(k)
    )
    assert share >= 0.93


def test_the_command_prints_and_writes_them(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(2)
    records = pl.concat(
        [any_answers(np.full((12, 4), 0.25), 5, random),
         two_answers(random.beta(2, 2, 12), np.ones(12), 3, random, "n").drop("output_tokens")]
    )  # fmt: skip
    path = tmp_path / "r.jsonl"
    rows = ({name: v for name, v in row.items() if v is not None} for row in records.to_dicts())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.json"
    arguments = [path, "--metric", "brier", "--json", out, "--figures", tmp_path / "f"]
    code, printed, _ = commands.outcome(incoherence, monkeypatch, capsys, *arguments)
    assert code == 0 and "pass^k" in printed and "standard deviation" in " ".join(printed.split())
    groups = json.loads(out.read_text())["groups"]
    assert [len(group["repeats"]["pass_at_k"]) for group in groups] == [5, 3]
    assert (tmp_path / "f" / "repeats.png").exists()


@pytest.mark.parametrize(("groups", "panels"), [(3, 2), (4, 4)])
def test_many_groups_have_a_panel_each(groups, panels):
    curve = tuple(Estimate(k / 10, Interval(0.0, 1.0), "questions", 9) for k in range(1, 5))
    of = Repeats(9, curve[0], curve, curve, curve, None, None, None, None, None)
    drawn = repeats_figure.repeats({f"m\ntemperature {i}": of for i in range(groups)})
    drawn.draw_without_rendering()
    assert len(drawn.axes) == panels
    assert all(tick == round(tick) for axes in drawn.axes for tick in axes.get_xticks())
