"""Conditions against a baseline: which are compared, the differences, their tests, and how they are told."""

import json

import commands
import jax
import numpy as np
import polars as pl
import pytest
from made_records import two_answers

from experiments import incoherence
from hotmess_jax.llm.measures.comparing import SamplesOfBoth, compare
from hotmess_jax.llm.measures.questions import AnalysisSettings
from hotmess_jax.statistics.estimate import holm
from hotmess_jax.statistics.intervals import paired_difference

BRIER = AnalysisSettings("brier", resamples=20)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def condition(random, hint, right, samples=4, **columns):
    """Return records of one condition, whose questions are right with the chances given."""
    records = two_answers(right, np.ones(len(right)), samples, random).drop("output_tokens")
    return records.with_columns(
        hint=pl.lit(hint, pl.String), **{k: pl.lit(v) for k, v in columns.items()}
    )


def three(random=None):
    """Return a baseline without the field, and two hints, one on other questions too."""
    random = random or np.random.default_rng(0)
    right = random.beta(2, 2, 14)
    return pl.concat(
        [condition(random, None, right[:12]), condition(random, "good", np.sqrt(right), 6),
         condition(random, "bad", right[2:8] ** 2)]
    )  # fmt: skip


def shares(records, hint):
    """Return each question's share of right answers and number of samples."""
    found = {}
    for row in records.filter(pl.col("hint").eq_missing(hint)).to_dicts():
        found.setdefault(row["question_id"], []).append(row["answer"] == "A")
    return {name: (np.mean(of), len(of)) for name, of in found.items()}


def test_differences_are_those_of_shared_questions_computed_by_hand():
    records = three()
    compared = compare(records, "hint", "none", metrics=["brier"], settings=BRIER)
    assert [of.value for of in compared.made] == ["bad", "good"] and compared.not_made == ()
    base = shares(records, None)
    for of in compared.made:
        mine = shares(records, of.value)
        both = sorted(set(base) & set(mine))
        assert of.questions == len(both)
        numbers = (sum(x[q][1] for q in both) for x in (mine, base))
        assert of.samples == SamplesOfBoth(*numbers)
        assert of.samples.unequal == (of.value == "good")
        values = []
        for x in (mine, base):
            g, n = np.asarray([x[q] for q in both]).T
            plugin = 2 * g * (1 - g)
            for variance in (plugin, plugin * n / (n - 1)):
                error = 2 * (1 - g)
                values.append([g.mean(), error.mean(), (error - variance).mean(), variance.mean(),
                               variance.sum() / error.sum()])  # fmt: skip
        for form, row in (("plugin", 0), ("corrected", 1)):
            found = getattr(of.metrics["brier"], form)
            assert list(found) == ["accuracy", "error", "bias2", "variance", "incoherence"]
            for name, one, other in zip(found, values[row], values[row + 2], strict=True):
                assert found[name].value == pytest.approx(one - other, abs=1e-9)
                low, high = found[name].ci95
                assert low <= found[name].value <= high
                assert found[name].p <= found[name].p_holm
    for name in ("accuracy", "variance"):
        p = [of.metrics["brier"].corrected[name] for of in compared.made]
        np.testing.assert_allclose([x.p_holm for x in p], holm(np.asarray([x.p for x in p])))


def test_parts_are_compared_within_and_what_cannot_be_is_said():
    random = np.random.default_rng(1)
    right = random.beta(2, 2, 6)
    records = pl.concat(
        [condition(random, hint, right, topic=topic) for topic in ("art", "law")
         for hint in ("a", "b")] + [condition(random, "b", right, topic="war")]
    )  # fmt: skip
    compared = compare(records, "hint", "a", ["topic"], ["brier", "zero_one"], BRIER)
    assert [of.part["topic"] for of in compared.made] == ["art", "law"]
    (said,) = compared.not_made
    assert "topic war" in said and "no hint a" in said
    assert "incoherence" not in compared.made[0].metrics["zero_one"].plugin
    assert compared.made[0].metrics["zero_one"].corrected is None
    json.dumps(compared.to_json(), allow_nan=False)
    # A setting that goes with the condition is said; one that varies apart from it makes parts.
    warm = records.with_columns(temperature=pl.when(pl.col("hint") == "a").then(0.0).otherwise(1.0))
    (art, _) = compare(warm, "hint", "a", ["topic"], ["brier"], BRIER).made
    assert art.also_differs == {"temperature": (1.0, 0.0)}
    models = pl.concat([records.with_columns(model=pl.lit(m)) for m in ("m", "n")])
    found = compare(models, "model", "m", ["topic", "hint"], ["brier"], BRIER).made
    assert [of.label for of in found][:2] == ["topic art\nhint a\nn − m", "topic art\nhint b\nn − m"]
    for wrong, text in ((("hint", "z"), "there are a, b"), (("tip", "a"), "no record has a field 'tip'"),
                        (("model", "m"), "no record has another value")):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            by = ["topic"] if wrong[0] == "hint" else ["topic", "hint"]
            compare(records, *wrong, by, metrics=["brier"], settings=BRIER)


def simulated(random, runs, questions, samples, effect):
    """Return paired differences of accuracy, variance and incoherence, and what they are in truth.

    Two options: the variance is 2 g (1 − g), the error 2 (1 − g).
    """
    truths = []
    parts = []
    chance = random.beta(1.6, 1.0, (questions, runs))
    many = random.beta(1.6, 1.0, 400_000)
    for power in (effect, 1.0):
        g = many**power
        truths.append((g.mean(), (2 * g * (1 - g)).mean(), (g * (1 - g)).sum() / (1 - g).sum()))
        share = random.binomial(samples, chance**power) / samples
        variance = 2 * share * (1 - share) * samples / (samples - 1)
        parts.append((share, variance, 2 * (1 - share)))
    (right, variance, error), (base, base_variance, base_error) = parts
    found = (
        paired_difference((right, base), None, 1.0),
        paired_difference((variance, base_variance), None, 1.0),
        paired_difference((variance, base_variance), (error, base_error), 1.0),
    )
    return found, [one - other for one, other in zip(*truths, strict=True)]


@pytest.mark.parametrize("questions, samples", [(100, 5), (300, 10)])
def test_no_effect_is_rejected_at_its_level_and_a_planted_one_found_and_covered(questions, samples):
    """A thousand data sets each."""
    random = np.random.default_rng(questions)
    for result in simulated(random, 1_000, questions, samples, 1.0)[0]:
        assert 0.03 <= (result.p < 0.05).mean() <= 0.07
    found, truths = simulated(random, 1_000, questions, samples, 0.5)
    for result, truth in zip(found, truths, strict=True):
        low, high = result.ci95
        assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.97
    # The variance hardly moves: 100 questions of 5 samples find the accuracy's change, not always the others'.
    found_share = [(result.p < 0.05).mean() for result in found]
    assert found_share[0] > 0.95 and (questions < 300 or min(found_share) > 0.9)


@pytest.mark.slow
def test_the_whole_comparison_keeps_its_level_and_covers():
    """The same through records: 1,000 seeds without and with an effect."""
    rejected, covered, found = [], [], []
    truth = np.mean(np.random.default_rng(0).beta(2, 2, 10**6) ** 0.5) - 0.5
    for seed in range(1_000):
        random = np.random.default_rng(seed)
        right = random.beta(2, 2, 80)
        records = pl.concat(
            [condition(random, "a", right), condition(random, "b", right),
             condition(random, "c", right**0.5)]
        )  # fmt: skip
        null, planted = compare(records, "hint", "a", metrics=["brier"], settings=BRIER).made
        rejected.append([of.p < 0.05 for of in null.metrics["brier"].corrected.values()])
        of = planted.metrics["brier"].corrected["accuracy"]
        low, high = of.ci95
        covered.append(low <= truth <= high)
        found.append(of.p < 0.05)
    assert ((np.mean(rejected, axis=0) >= 0.03) & (np.mean(rejected, axis=0) <= 0.07)).all()
    assert 0.93 <= np.mean(covered) <= 0.97 and np.mean(found) > 0.95


def test_the_command_prints_compares_and_draws(tmp_path, monkeypatch, capsys):
    path, out = tmp_path / "r.jsonl", tmp_path / "out.json"
    rows = ({name: v for name, v in row.items() if v is not None} for row in three().to_dicts())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [path, "--metric", "brier", "--compare", "hint", "--resamples", 20]
    code, printed, said = commands.outcome(
        incoherence, monkeypatch, capsys, *arguments, "--json", out, "--figures", tmp_path / "f"
    )
    printed = " ".join(printed.split())
    assert code == 0 and said == "" and "Holm" in printed and "compare corrected ones" in printed
    document = json.loads(out.read_text())
    assert [group["by"] for group in document["groups"]] == [
        {"hint": "bad"}, {"hint": "good"}, {"hint": None}]  # fmt: skip
    assert [of["value"] for of in document["comparisons"]] == ["bad", "good"]
    assert (tmp_path / "f" / "comparisons_brier.png").exists()
    line = commands.refused(incoherence, monkeypatch, capsys, *arguments, "--baseline", "ugly")
    assert "no record has hint 'ugly': there are bad, good, none" in line
