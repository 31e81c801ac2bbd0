"""Intervals over clusters of questions, in a simulation of known truth, and the command that is told them."""

import json

import commands
import jax
import numpy as np
import polars as pl
import pytest
from made_records import two_answers
from scipy import stats

from experiments import incoherence
from hotmess_jax.llm.measures.clusters import among, clusters_of
from hotmess_jax.statistics.intervals import mean_interval, paired_difference, ratio_interval

SIZE, ICC = 5, 0.5


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def clustered(random, clusters, runs, a, b):
    """Return chances `[questions, runs]` that are beta(a, b), correlated by ICC within clusters of five."""
    shared = random.normal(size=(clusters, 1, runs))
    own = random.normal(size=(clusters, SIZE, runs))
    normal = np.sqrt(ICC) * shared + np.sqrt(1 - ICC) * own
    return stats.beta.ppf(stats.norm.cdf(normal.reshape(-1, runs)), a, b)


def holds(share):
    """Tell whether a share of 1,000 runs is 93 to 97 %, to two Monte-Carlo errors."""
    return abs(share - 0.95) <= 0.02 + 2 * np.sqrt(0.05 * 0.95 / 1_000)


def covers(ends, truth):
    return float(((ends[0] <= truth) & (truth <= ends[1])).mean())


@pytest.mark.parametrize("number", [30, 100])
def test_clustered_intervals_cover_and_plain_ones_do_not(number):
    random = np.random.default_rng(number)
    a, b, samples, runs = 1.6, 1.0, 10, 1_000
    labels = np.repeat(np.arange(number), SIZE)
    chance = clustered(random, number, runs, a, b)
    share = random.binomial(samples, chance) / samples
    variance, error = 2 * share * (1 - share) * samples / (samples - 1), 2 * (1 - share)
    mean, of_product = a / (a + b), a * b / ((a + b) * (a + b + 1))
    truth = {"accuracy": mean, "variance": 2 * of_product, "incoherence": of_product / (1 - mean)}
    intervals = {
        "accuracy": lambda of: mean_interval(share, 1.0, of),
        "variance": lambda of: mean_interval(variance, 2.0, of),
        "incoherence": lambda of: ratio_interval(variance, error, 2.0, of),
    }
    for name, interval in intervals.items():
        assert holds(covers(interval(labels), truth[name])), name
    assert covers(intervals["accuracy"](None), mean) < 0.87
    # A difference: the better condition is better by what the cluster decides.
    other = clustered(random, number, runs, 2.0, 1.0)
    second = random.binomial(samples, other) / samples
    both = (second, share)
    assert holds(covers(paired_difference(both, None, 1.0, labels).ci95, 2 / 3 - mean))
    assert covers(paired_difference(both, None, 1.0).ci95, 2 / 3 - mean) < 0.87


def test_singletons_change_nothing_and_copies_of_questions_tell_no_more():
    random = np.random.default_rng(0)
    error = random.random(12)
    part = error * random.random(12)
    alone = np.arange(12)
    for one, other in (
        (mean_interval(part, 2.0, alone), mean_interval(part, 2.0)),
        (ratio_interval(part, error, 2.0, alone), ratio_interval(part, error, 2.0)),
        (paired_difference((part, error), None, 2.0, alone).ci95,
         paired_difference((part, error), None, 2.0).ci95),
    ):  # fmt: skip
        np.testing.assert_allclose(one, other, rtol=1e-12)
    # Each question five times over tells hardly more than once, if that is known.
    five, labels = np.repeat(part, SIZE), np.repeat(alone, SIZE)
    once, plain, known = (
        float(np.ptp(of))
        for of in (mean_interval(part, 2.0), mean_interval(five, 2.0), mean_interval(five, 2.0, labels))
    )
    assert plain < 0.7 * known and 0.5 * once < known <= once
    assert np.isnan(mean_interval(part, 2.0, np.zeros(12, int))).all()
    assert among(alone, part > 0.1) is None


def test_clusters_are_read_from_a_field_and_must_be_one_a_question():
    random = np.random.default_rng(1)
    records = two_answers(random.random(6), np.ones(6), 2, random)
    place = pl.col("question_id").str.tail(1).cast(pl.Int64)
    records = records.with_columns(passage=pl.when(place < 4).then(place // 2).otherwise(None))
    questions = records.select("benchmark", "question_id").unique(maintain_order=True)
    assert clusters_of(records, questions, "passage").tolist() == [0, 0, 1, 1, 2, 3]
    assert clusters_of(records, questions, None) is None
    with pytest.raises(ValueError, match="no record has a field 'page'"):
        clusters_of(records, questions, "page")
    with pytest.raises(ValueError, match="question 'q0000' has several values of sample"):
        clusters_of(records.filter(pl.col("question_id") == "q0000"), questions, "sample")


def test_the_command_says_how_many_there_are_and_warns_of_few(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(2)
    right = np.repeat(random.random(4), 5)
    records = two_answers(right, np.ones(20), 3, random).drop("output_tokens")
    place = pl.col("question_id").str.tail(2).cast(pl.Int64)
    path, out = tmp_path / "r.jsonl", tmp_path / "out.json"
    records = records.with_columns(passage=(place // 5).cast(pl.String), alone=pl.col("question_id"))
    rows = ({name: v for name, v in row.items() if v is not None} for row in records.to_dicts())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = {}
    for field in (None, "alone", "passage"):
        arguments = [path, "--metric", "brier", "--json", out, *(["--cluster", field] if field else [])]
        code, printed, _ = commands.outcome(incoherence, monkeypatch, capsys, *arguments)
        assert code == 0
        (found[field],) = json.loads(out.read_text())["groups"]
    assert "over 4 clusters" in " ".join(printed.split()) and "fewer than 10" in printed
    assert found["passage"]["clusters"] == {"field": "passage", "number": 4}
    for key in ("repeats", "metrics"):
        assert found["alone"][key] == found[None][key]
    widths = [np.ptp(found[f]["metrics"]["brier"]["ci95"]["error"]) for f in (None, "passage")]
    assert widths[1] > 1.2 * widths[0]
    assert found["passage"]["metrics"]["brier"]["error"] == found[None]["metrics"]["brier"]["error"]
