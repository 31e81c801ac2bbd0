"""Intervals of means, quotients and differences, KL's corrected value, and what is counted on the way."""

import json

import jax
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import any_answers, table, two_answers
from scipy import stats

from hotmess_jax.llm.coverage import simulations
from hotmess_jax.llm.coverage.decompositions import SIMULATIONS
from hotmess_jax.llm.measures.decomposing import drawn_down
from hotmess_jax.llm.measures.kl_correction import judge, plugin_and_corrected, units_of
from hotmess_jax.llm.measures.left_out import LeftOut, left_out_by_difficulty
from hotmess_jax.llm.measures.means import means_of
from hotmess_jax.llm.measures.questions import AnalysisSettings, questions_of
from hotmess_jax.llm.measures.samples import stated_step, to_samples
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.statistics.intervals import (
    effective_questions,
    mean_interval,
    paired_difference,
    ratio_interval,
)
from kernels.decompositions import kl
from kernels.estimators import jackknife_kl

KL = AnalysisSettings("kl", resamples=100)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@given(st.integers(2, 200), st.data())
@settings(max_examples=100, deadline=None)
def test_of_all_or_nothing_the_interval_is_that_of_clopper_and_pearson(count, data):
    hits = data.draw(st.integers(0, count))
    values = np.repeat([1.0, 0.0], [hits, count - hits])
    exact = stats.binomtest(hits, count).proportion_ci(method="exact")
    found = mean_interval(3 * values, 3.0)
    np.testing.assert_allclose(found, [3 * exact.low, 3 * exact.high], atol=1e-9)
    # Errors of one size, each all bias or all variance, are the same thing.
    np.testing.assert_allclose(
        ratio_interval(2 * values, np.full(count, 2.0), 2.0), found / 3, atol=1e-9
    )


def test_of_many_questions_the_interval_is_the_normal_one():
    random = np.random.default_rng(0)
    error = random.uniform(0.5, 1.5, 40_000)
    part = error * random.beta(2, 3, 40_000)
    ratio = part.sum() / error.sum()
    spread = np.sqrt(((part - ratio * error) ** 2).sum()) / error.sum()
    for found, middle, half in (
        (mean_interval(error, 2.0), error.mean(), error.std() / 200),
        (ratio_interval(part, error, 2.0), ratio, spread),
    ):
        np.testing.assert_allclose(found, [middle - 1.96 * half, middle + 1.96 * half], atol=0.1 * half)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_intervals_lie_in_their_bounds_and_hold_the_estimate(count, seed):
    random = np.random.default_rng(seed)
    error = 2 * random.beta(0.3, 0.3, count) * (random.random(count) < random.random())
    part = error * random.random(count)
    for values in (error, part):
        low, high = mean_interval(values, 2.0)
        assert 0 <= low <= values.mean() + 1e-12 and values.mean() - 1e-12 <= high <= 2
    low, high = ratio_interval(part, error, 2.0)
    if error.sum() == 0:
        assert np.isnan(low) and np.isnan(high)
    else:
        assert 0 <= low <= part.sum() / error.sum() + 1e-9 <= high + 2e-9 <= 1 + 2e-9
    assert 0 <= effective_questions(error) <= count + 1e-9


def test_one_question_that_holds_all_the_error_tells_next_to_nothing():
    error, part = np.zeros((2, 20))
    error[3], part[3] = 0.5, 0.2
    low, high = ratio_interval(part, error, 2.0)
    assert low < 0.01 and high > 0.95 and effective_questions(error) == 1
    assert np.isnan(ratio_interval(part[:1], error[:1], 2.0)).all()


def test_a_difference_of_the_same_model_is_0_and_of_one_without_error_none():
    random = np.random.default_rng(1)
    error = random.random(50)
    part = error * random.random(50)
    value, (low, high), p = paired_difference((part, part), (error, error), 1.0)
    # Two questions more have a width, though none differs.
    assert value == 0 and -0.1 < low < 0 < high < 0.1 and p == 1
    # One that shares nothing has a wider one.
    other = random.permutation(50)
    _, (below, above), _ = paired_difference((part, part[other]), (error, error[other]), 1.0)
    assert above - below > high - low
    value, ends, p = paired_difference((part, 0 * part), (error, 0 * error), 1.0)
    assert np.isnan(value) and np.isnan(ends).all() and np.isnan(p)


def test_of_many_questions_a_paired_difference_is_the_t_test_s():
    random = np.random.default_rng(2)
    first = random.random(2_000)
    second = np.clip(first + random.normal(0.01, 0.3, 2_000), 0, 1)
    found = paired_difference((second, first), None, 1.0)
    test = stats.ttest_rel(second, first)
    np.testing.assert_allclose(found.value, (second - first).mean())
    np.testing.assert_allclose(found.p, test.pvalue, rtol=0.02)
    np.testing.assert_allclose(found.ci95, test.confidence_interval(), atol=1e-4)


@pytest.mark.parametrize("labels", [None, np.arange(500)])
def test_where_few_questions_make_the_difference_it_is_tested_as_one_of_few(labels):
    """Of n equal additions among N, the variance is known as one of 2n / (1 − n/N) degrees of freedom."""
    first, second = np.zeros(500), np.zeros(500)
    first[:9], second[9:15] = 1, 1
    # Without the two questions more, of which the additions are not equal.
    found = paired_difference((first, second), None, 0.0, labels)
    assert found.value == pytest.approx(3 / 500)
    # Each addition is less the mean, which changes degrees of freedom little.
    error = np.std(first - second, ddof=1) / np.sqrt(500)
    half = (found.ci95[1] - found.ci95[0]) / 2
    np.testing.assert_allclose(half, stats.t.ppf(0.975, 30 / (1 - 15 / 500)) * error, rtol=2e-3)
    assert half > 1.03 * stats.t.ppf(0.975, 499) * error
    with_more = paired_difference((first, second), None, 1.0, labels)
    assert with_more.ci95[0] < found.ci95[0] and with_more.ci95[1] > found.ci95[1]


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_p_is_below_5_percent_exactly_where_the_interval_leaves_0_out(count, seed):
    random = np.random.default_rng(seed)
    parts = random.random((2, count)) * random.random(2)[:, None]
    found = paired_difference((parts[0], parts[1]), None, 1.0)
    low, high = found.ci95
    assert (found.p < 0.05) == (low > 0 or high < 0)
    turned = paired_difference((parts[1], parts[0]), None, 1.0)
    np.testing.assert_allclose([turned.value, *turned.ci95], [-found.value, -high, -low])


def test_a_small_part_of_the_simulations_covers():
    """The whole is `experiments.coverage`; here 93 % and more, to three Monte-Carlo errors."""
    by_name = {simulation.name: simulation for simulation in SIMULATIONS}
    for name in ("unparsed", "differences"):
        for seen in by_name[name].run(0, 60):
            if seen.kind == "coverage":
                noise = 3 * np.sqrt(0.93 * 0.07 / max(seen.runs, 1))
                assert seen.share >= 0.93 - noise, seen
            elif seen.kind == "size":
                assert seen.share <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / seen.runs), seen
            assert seen.runs + seen.without == 60
    assert set(simulations()) >= set(by_name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["means", "unparsed", "differences"])
def test_every_interval_covers(name):
    (simulation,) = (s for s in SIMULATIONS if s.name == name)
    for seen in simulation.run(1, 1_000):
        if seen.kind != "coverage":
            continue
        noise = 3 * np.sqrt(0.94 * 0.06 / max(seen.runs, 1))
        assert not seen.runs or seen.share >= 0.94 - noise, seen


@pytest.mark.slow
def test_kl_s_corrected_value_is_printed_only_where_it_is_right():
    (simulation,) = (s for s in SIMULATIONS if s.name == "kl")
    for seen in simulation.run(2, 60):
        few = any(f" {count} samples" in seen.case for count in (3, 5))
        if seen.kind == "coverage":
            assert seen.runs <= 3 if few else seen.runs >= 50
            assert few or seen.share >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / seen.runs), seen
        elif not seen.printed.startswith("(") and seen.runs > 10:
            assert abs(seen.share) < 0.04 + 3 * seen.standard_error, seen


# KL


def test_what_is_judged_is_what_the_kernels_compute():
    random = np.random.default_rng(2)
    samples = to_samples(any_answers(random.dirichlet(np.ones(5), 9), 7, random), "uniform")
    (units,) = units_of(samples.blocks, 1e-12)
    error, plugin, corrected = plugin_and_corrected(units)
    block = samples.blocks[0]
    whole, fixed = (f(block.probs, block.target) for f in (kl, jackknife_kl))
    np.testing.assert_allclose(error, whole.error, rtol=1e-9)
    np.testing.assert_allclose(plugin, whole.variance, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(corrected, fixed.variance, rtol=1e-9, atol=1e-9)


def test_kl_of_few_one_hot_answers_has_no_corrected_value_and_says_why():
    random = np.random.default_rng(3)
    probs = random.dirichlet(np.ones(4), 60)
    shown = {}
    for count in (3, 12):
        found = means_of(questions_of(any_answers(probs, count, random), KL))
        assert found.plugin.incoherence.value is not None
        shown[count] = found.corrected.incoherence.value, found.no_corrected
    assert shown[3][0] is None and "60 of 60 questions have fewer than 8" in shown[3][1]
    truth = (1 - probs.max(axis=1)).sum() / (1 - probs[:, 0]).sum()
    assert shown[12][1] is None and shown[12][0] == pytest.approx(truth, abs=0.12)
    # What the number alone does not forbid is judged by simulation: five samples fall short of the truth.
    samples = to_samples(any_answers(random.dirichlet(np.ones(4), 400), 3, random), "uniform")
    judged = judge(units_of(samples.blocks, 1e-12), 100)
    assert judged.bias < -0.15 and judged.coverage < 0.2
    assert "data sets drawn from these very answers" in judged.why_not


def test_kl_plugin_values_are_of_equal_numbers_of_samples():
    random = np.random.default_rng(4)
    probs = random.dirichlet(np.ones(4), 100)
    few, many = (any_answers(probs, count, random) for count in (4, 20))
    of_few = means_of(questions_of(few, KL)).plugin.incoherence
    settings_of = AnalysisSettings("kl", resamples=100, kl_samples=4)
    of_many = means_of(questions_of(many, settings_of))
    assert of_many.kl_samples == 4
    width = np.ptp([*of_few.ci95])
    assert of_many.plugin.incoherence.value == pytest.approx(of_few.value, abs=width / 2)
    all_of_them = means_of(questions_of(many, KL)).plugin.incoherence.value
    assert all_of_them > of_many.plugin.incoherence.value + width / 2
    # Of two of three samples: the mean over the three pairs.
    block = to_samples(any_answers(probs[:2], 3, random), "uniform").blocks[0]
    whole = jax.tree.map(np.asarray, kl(block.probs, block.target))
    found = [drawn_down(whole, block, 2, 1e-12, seed).variance for seed in range(20)]
    pairs = [kl(block.probs[:, list(p)], block.target).variance for p in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(np.mean(found, axis=0), np.mean(pairs, axis=0), rtol=0.15, atol=1e-9)
    groups = summarise(
        pl.concat([few, many.with_columns(model=pl.lit("n"))]), metrics=["kl"], resamples=100
    )
    assert [g.metrics["kl"].kl_samples for g in groups] == [4, 4]


# Stated probabilities


def stated(random, questions, samples, step):
    """Distributions rounded to a step, as records; and what was rounded."""
    exact = random.dirichlet(np.full(4, 0.5), (questions, samples))
    units = np.floor(exact / step)
    short = np.round(1 / step - units.sum(axis=-1)).astype(int)
    order = np.argsort(np.argsort(-(exact / step - units), axis=-1), axis=-1)
    rounded = (units + (order < short[..., None])) * step
    return rounded, table(
        question_id=np.repeat([f"q{i:04}" for i in range(questions)], samples),
        sample=np.tile(np.arange(samples), questions),
        probs=[json.dumps(dict(zip("ABCD", row.tolist(), strict=True))) for row in rounded.reshape(-1, 4)],
    )  # fmt: skip


@pytest.mark.parametrize("step", [0.1, 0.05, 0.01])
def test_the_step_of_stated_probabilities_is_found_and_its_zeros_are_half_of_it(step):
    random = np.random.default_rng(5)
    rounded, records = stated(random, 40, 4, step)
    samples = to_samples(records, "uniform")
    assert samples.step == step
    (block,) = samples.blocks
    floored = block.floored()
    np.testing.assert_allclose(floored.sum(axis=-1), 1)
    expected = np.maximum(rounded, step / 2)
    np.testing.assert_allclose(floored, expected / expected.sum(axis=-1, keepdims=True))
    # What zeros mean is no longer decided by the smoothing.
    values = [
        means_of(questions_of(records, s)).plugin.incoherence.value
        for s in (AnalysisSettings("kl", smoothing=d, resamples=100) for d in (1e-15, 1e-6))
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-3)
    assert means_of(questions_of(records, KL)).stated_step == step


def test_answers_and_exact_probabilities_have_no_step():
    random = np.random.default_rng(6)
    assert stated_step(random.dirichlet(np.ones(4), 50).ravel().tolist()) is None
    assert stated_step([0.0, 1.0, 0.0]) is None and stated_step([]) is None
    assert stated_step([0.35, 0.65, 0.0, 1.0]) == 0.05
    samples = to_samples(two_answers([0.5] * 4, [1.0] * 4, 3, random), "uniform")
    assert samples.step is None and samples.blocks[0].floored() is samples.blocks[0].probs


# Questions left out


def test_accuracy_and_errors_are_of_one_set_where_answers_are_dropped():
    """Hard questions have no readable answers: they are left out of both."""
    easy = table(
        question_id=["a"] * 4 + ["b"] * 4, sample=[0, 1, 2, 3] * 2, answer=[*"AAA", "", *"AABB"]
    )
    hard = table(question_id=["c"] * 4, sample=[0, 1, 2, 3], answer=["", "B", "", ""])
    records = pl.concat([easy, hard]).with_columns(
        difficulty=pl.when(pl.col("question_id") == "c").then(pl.lit("hard")).otherwise(pl.lit("easy"))
    )
    (group,) = summarise(records, unparsed="drop", metrics=["brier", "zero_one"], resamples=50)
    assert group.accuracy == pytest.approx((1 + 0.5) / 2)
    assert group.accuracy == pytest.approx(1 - group.metrics["zero_one"].plugin.error.value)
    assert group.metrics["brier"].plugin.error.value == pytest.approx(2 * (1 - group.accuracy))
    assert group.left_out == 1
    assert group.left_out_by == (LeftOut("easy", 2, 0, None), LeftOut("hard", 1, 1, 0.0))
    (group,) = summarise(records, unparsed="wrong", metrics=["brier"], resamples=50)
    assert group.accuracy == pytest.approx((3 / 4 + 1 / 2) / 3) and group.left_out_by == ()


def test_without_difficulties_questions_left_out_are_counted_by_their_length():
    random = np.random.default_rng(7)
    records = two_answers(np.full(9, 0.5), np.arange(9.0) + 1, 3, random)
    alone = records.filter((pl.col("question_id") < "q0007") | (pl.col("sample") == 0))
    rows = left_out_by_difficulty(alone, to_samples(alone, "drop"))
    assert [(row.group.split()[1], row.questions, row.left_out) for row in rows] == [
        ("shortest", 3, 0), ("middle", 3, 0), ("longest", 3, 2)]  # fmt: skip
    bare = alone.drop("output_tokens")
    (row,) = left_out_by_difficulty(bare, to_samples(bare, "drop"))
    assert (row.group, row.questions, row.left_out) == ("all", 9, 2)


def test_a_tie_of_probabilities_is_right_by_the_target_s_share():
    text = json.dumps({"A": 0.4, "B": 0.4, "C": 0.1, "D": 0.1})
    for target, expected in (("A", 0.5), ("B", 0.5), ("C", 0.0)):
        records = table(question_id=["q"] * 2, sample=[0, 1], probs=[text] * 2, target=[target] * 2)
        assert to_samples(records, "uniform").accuracy == expected
