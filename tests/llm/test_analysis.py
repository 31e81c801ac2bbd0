"""Each analysis of records, against populations whose truth is known."""

import dataclasses
import functools

import jax
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import any_answers, table, two_answers, unit_tests
from scipy import stats

from hotmess_jax.llm.analyses.by_budget import by_budget
from hotmess_jax.llm.analyses.efficiency import efficiency
from hotmess_jax.llm.analyses.ensembles import ensembling
from hotmess_jax.llm.analyses.format_failures import format_failures
from hotmess_jax.llm.analyses.length_correlation import length_correlation
from hotmess_jax.llm.analyses.one_question import one_question
from hotmess_jax.llm.analyses.scaling import scaling_by_difficulty, scaling_of
from hotmess_jax.llm.analyses.sensitivity import sensitivity
from hotmess_jax.llm.analyses.surface import surface_of
from hotmess_jax.llm.measures import kl_correction
from hotmess_jax.llm.measures.between_contexts import BetweenContexts
from hotmess_jax.llm.measures.changes import answer_changes, answer_changes_by_length, difficulty_labels
from hotmess_jax.llm.measures.cross_fitting import groups_along, measured_samples
from hotmess_jax.llm.measures.groups import Labelled, by_field, by_label, length_field, with_wait_ratio
from hotmess_jax.llm.measures.halves import _shuffled, natural_overthinking
from hotmess_jax.llm.measures.means import means_of
from hotmess_jax.llm.measures.other_outcomes import unit_test_questions
from hotmess_jax.llm.measures.questions import AnalysisSettings, Questions, estimate_parts, questions_of
from hotmess_jax.llm.measures.subsets import (
    Sampled,
    SampledBlock,
    decompose_subsets,
    sampled_choices,
    sampled_vectors,
)
from hotmess_jax.llm.measures.summary import summarise
from hotmess_jax.statistics.correlations import (
    lengthened,
    permutation_p,
    rank_correlation,
    reliability,
)
from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.statistics.power_laws import fit, jackknife_interval
from kernels.decompositions import Decomposition, brier, coverage, kl
from kernels.resampling import bootstrap, percentile_interval

BRIER = AnalysisSettings("brier", resamples=200)
KL = AnalysisSettings("kl", resamples=200)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# What has no value has an open interval.
NOT_KNOWN = Estimate(None, Interval(None, None))


def inside(value, ends):
    low, high = ends
    return low <= value <= high


def planted(bias2, variance, **fields):
    """Return questions whose parts are given."""
    count = len(bias2)
    parts = Decomposition(*map(np.asarray, (bias2 + variance, bias2, variance)))
    who = {
        "benchmark": pl.Series([None] * count, dtype=pl.String),
        "question_id": [f"q{i:04}" for i in range(count)],
        "count": [10] * count,
    }
    return Questions(parts, parts, np.exp(-parts.error), pl.DataFrame(who | fields))


# Against length


def by_length(seed, slope, questions=150, samples=20):
    random = np.random.default_rng(seed)
    length = np.exp(random.uniform(np.log(100), np.log(3000), questions))
    right = 0.2 * (length / 100) ** slope if slope else random.uniform(0.2, 0.8, questions)
    records = two_answers(right, length, samples, random)
    return by_field(records, "output_tokens", BRIER, groups=(10, 5))


def test_a_planted_slope_is_recovered_within_its_interval():
    found = [by_length(seed, 0.4).corrected.slopes for seed in range(4)]
    for groups in (10, 5):
        slopes = [of[groups].incoherence for of in found]
        # Within half as much again as an interval of 95 %: of four, hardly ever not.
        for slope in slopes:
            low, high = slope.ci95
            assert inside(0.4, (low - (high - low) / 4, high + (high - low) / 4))
        assert np.mean([slope.value for slope in slopes]) == pytest.approx(0.4, abs=0.06)
        assert min(slope.r2 for slope in slopes) > 0.7


def test_curves_and_halves_are_those_of_a_plain_loop():
    random = np.random.default_rng(0)
    length = random.lognormal(3, 1, (40, 6))
    records = two_answers(random.uniform(0.1, 0.9, 40), length, 6, random)
    found = by_field(records, "output_tokens", BRIER, groups=(4,))
    (block,) = sampled_choices(records, BRIER).blocks
    again = np.random.default_rng(BRIER.seed)
    measured = measured_samples(block, again)
    sides = measured.shape[1]
    right = records["answer"].to_numpy().reshape(40, 6) == "A"
    along, parts = np.zeros((sides, 40)), np.zeros((sides, 40, 4))
    for side in range(sides):
        for q in range(40):
            of = right[q][measured[q, side]].astype(float)
            assert len(of) == 3
            along[side, q] = length[q][~measured[q, side]].mean()
            share = of.mean()
            variance = 2 * share * (1 - share)
            parts[side, q] = share, variance, 2 * (1 - share), variance * 3 / 2
    for count, of in ((4, "curves"), (2, "halves")):
        where = [[np.argsort(along[side])[-(-40 * i // count) : -(-40 * (i + 1) // count)]
                  for i in range(count)] for side in range(sides)]  # fmt: skip
        values = np.asarray(
            [[parts[side, where[side][i]].mean(axis=0) for i in range(count)] for side in range(sides)]
        ).mean(axis=0)
        for form, variance in (("plugin", 1), ("corrected", 3)):
            incoherence = values[:, variance] / values[:, 2]
            for name, expected in (("accuracy", values[:, 0]), ("error", values[:, 2]),
                                   ("variance", values[:, variance]),
                                   ("incoherence", incoherence)):  # fmt: skip
                shown = getattr(getattr(getattr(found, form), of), name)
                if of == "curves":
                    np.testing.assert_allclose(shown.value, expected)
                else:
                    assert shown.value == pytest.approx(expected[1] - expected[0])
                    assert inside(shown.value, shown.ci95)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_either_side_of_a_split_is_half_and_whole_contexts_where_there_are_four(data):
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    samples = sum(sizes)
    if samples < 4:
        return
    records = any_answers(np.full((2, 4), 0.25), samples, random).with_columns(
        context=pl.Series(np.tile(np.repeat(np.arange(len(sizes)), sizes), 2))
    )
    (block,) = sampled_choices(records, BRIER).blocks
    measured = measured_samples(block, random)
    half = len(measured[0]) // 2
    for of_question, context in zip(measured, block.context, strict=True):
        for one, other in zip(of_question[:half], of_question[half:], strict=True):
            assert not (one & other).any()
            if len(sizes) >= 4:
                assert not set(context[one]) & set(context[~one])
                assert len(set(context[one])) == len(set(context[other])) == len(sizes) // 2
            else:
                assert one.sum() == other.sum() == samples // 2
                counts = [[(context[of] == c).sum() for c in range(len(sizes))] for of in (one, other)]
                if len(set(sizes)) == 1:
                    assert np.ptp(np.asarray(counts)) <= 1


def test_groups_are_of_equal_size_and_ties_are_broken_at_random():
    random = np.random.default_rng(0)
    along = np.asarray([[3.0, 1, 2, 5, 4, 6, 7], [0, 0, 0, 0, 0, 0, 0]])
    group = groups_along(np.repeat(along, 50, axis=0), 2, random)
    assert (group.sum(axis=1) == 3).all()
    assert (group[:50] == [0, 0, 0, 1, 0, 1, 1]).all()
    assert group[50:].mean(axis=0).min() > 0.2 and group[50:].mean(axis=0).max() < 0.7


def test_longer_wrong_samples_make_no_difference_between_questions():
    """Identical questions whose wrong samples are 1.5 times as long: sorted by all samples, −.1."""
    values = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        records = two_answers(np.full(60, 0.6), np.ones((60, 8)), 8, random)
        wrong = records["answer"].to_numpy().reshape(60, 8) == "B"
        length = random.lognormal(4, 0.3, (60, 8)) * np.where(wrong, 1.5, 1)
        found = by_field(records.with_columns(output_tokens=pl.Series(length.ravel())),
                         "output_tokens", BRIER, groups=(6,)).corrected  # fmt: skip
        values.append(found.halves.incoherence.value)
        assert inside(0, found.halves.incoherence.ci95)
    assert np.mean(values) == pytest.approx(0, abs=0.035)  # four standard errors


def test_questions_with_few_samples_or_without_the_field_are_counted():
    random = np.random.default_rng(0)
    records = two_answers(np.full(8, 0.5), np.arange(8.0) + 1, 4, random)
    records = records.with_columns(pl.when(pl.col("question_id") != "q0003").then("output_tokens"))
    found = by_field(records, "output_tokens", BRIER)
    assert (found.questions, found.without_field, found.groups) == (7, 1, 2)
    fewer = records.filter((pl.col("sample") < 3) | (pl.col("question_id") > "q0001"))
    assert by_field(fewer, "output_tokens", BRIER).too_few == 2
    with pytest.raises(ValueError, match="only 3 questions have 'output_tokens' in 4 samples"):
        by_field(records.filter(pl.col("question_id") < "q0004"), "output_tokens", BRIER)
    kl = by_field(records, "output_tokens", KL)
    assert kl.corrected is None and "no corrected value" in kl.no_corrected
    assert kl.plugin.halves.incoherence.value is not None


def test_plugin_values_are_of_equal_numbers_of_samples():
    random = np.random.default_rng(0)
    records = two_answers(np.full(400, 0.5), np.arange(400.0) + 1, 12, random)
    uneven = records.filter((pl.col("sample") < 4) | (pl.col("question_id") >= "q0200"))
    found = by_field(uneven, "output_tokens", BRIER)
    assert found.plugin_samples == 2
    for form, expected in (("plugin", 0.25), ("corrected", 0.5)):
        for value in getattr(found, form).curves.variance.value:
            assert value == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize("contexts", [None, 5])
def test_subsets_are_decomposed_as_by_a_plain_loop(contexts):
    random = np.random.default_rng(1)
    records = any_answers(random.dirichlet(np.ones(4), 3), 10, random)
    if contexts:
        records = records.with_columns(context=pl.col("sample") % contexts)
    sampled = sampled_choices(records, BRIER)
    (block,) = sampled.blocks
    chosen = (random.random((3, 7, 10)) < 0.6) | (np.arange(10) < 2)
    found = decompose_subsets("brier", block, chosen)
    for q in range(3):
        for i in range(7):
            points, of = block.points[q][chosen[q, i]], block.context[q][chosen[q, i]]
            error = (points**2).sum(axis=1).mean()
            bias2 = (points.mean(axis=0) ** 2).sum()
            apart = [(a, b) for a in range(len(of)) for b in range(len(of))
                     if (of[a] != of[b] if contexts else a != b)]  # fmt: skip
            fixed = np.mean([points[a] @ points[b] for a, b in apart])
            for form, value in ((found.plugin, bias2), (found.corrected, fixed)):
                assert form.error[q, i] == pytest.approx(error)
                assert form.bias2[q, i] == pytest.approx(value, abs=1e-12)
                assert form.variance[q, i] == pytest.approx(error - value)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_power_law_solves_its_equations(data):
    random = np.random.default_rng(data.draw(st.integers(0, 9999)))
    points, k = data.draw(st.integers(3, 8)), data.draw(st.integers(1, 2))
    if points < k + 2:
        return
    x, whole = random.normal(0, 3, (points, k)), random.uniform(0.1, 9, points)
    true = random.normal(0, 0.5, k + 1)
    exact = whole * np.exp(true[0] + x @ true[1:])
    found = fit(x, exact, whole)
    np.testing.assert_allclose(found.coefficients, true, atol=1e-6)
    assert found.r2 == pytest.approx(1)
    part = exact * random.uniform(0.5, 1.5, points)
    part[0] = -part[0] / 100
    found = fit(x, part, whole)
    if np.isfinite(found.coefficients).all():
        left = part - whole * np.exp(found.coefficients[0] + x @ found.coefficients[1:])
        design = np.concatenate([np.ones((points, 1)), x], axis=1)
        np.testing.assert_allclose(left @ design, 0, atol=1e-4 * np.abs(part[:, None] * design).sum())


def test_a_power_law_needs_an_error_and_two_points():
    x = np.log([[1.0], [10.0], [100.0]])
    nothing = fit(x, np.stack([np.zeros(3), [0, 0, 1], [0, 0, -1]]), np.ones(3))
    assert np.isnan(nothing.coefficients).all() and np.isnan(nothing.r2).all()
    # A model without error does not count, whatever its share of it is.
    with_perfect = fit(x, np.asarray([1.0, 2.0, 5.0]), np.asarray([2.0, 3.0, 0.0]))
    alone = fit(x[:2], np.asarray([1.0, 2.0]), np.asarray([2.0, 3.0]))
    np.testing.assert_allclose(with_perfect.coefficients, alone.coefficients)
    assert np.isnan(fit(x[:1], np.ones(1), np.ones(1)).coefficients).all()


def test_the_jackknife_of_a_mean_is_its_t_interval():
    values = np.random.default_rng(0).normal(size=12)
    left_out = (values.sum() - values) / 11
    ends = jackknife_interval(np.asarray(values.mean()), left_out, 12.0)
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    np.testing.assert_allclose(ends, expected)


# Intervals


def test_intervals_of_many_questions_are_those_of_the_kernels_bootstrap():
    random = np.random.default_rng(3)
    parts = Decomposition(*random.gamma(2, size=(3, 2000)))
    value, ends = estimate_parts(parts._asdict(), 10.0)
    drawn = bootstrap(
        jax.random.key(0),
        lambda p: p.variance.mean(axis=0) / (p.bias2 + p.variance).mean(axis=0),
        parts,
        replicates=2000,
    )
    width = np.ptp(ends["incoherence"])
    np.testing.assert_allclose(ends["incoherence"], percentile_interval(drawn), atol=0.15 * width)
    expected = parts.variance.sum() / (parts.bias2 + parts.variance).sum()
    assert value["incoherence"] == pytest.approx(expected)


def test_kl_of_answers_that_are_all_right_is_0_without_dust():
    records = two_answers(np.asarray([1.0, 1.0, 0.5]), np.ones(3), 20, np.random.default_rng(0))
    questions = questions_of(records, KL)
    assert questions.plugin.error[:2].tolist() == [0, 0] and questions.plugin.error[2] > 1
    right = means_of(questions_of(records.filter(pl.col("question_id") < "q0002"), KL))
    for form in ("plugin", "corrected"):
        # Of two questions that were right others of the kind need not be.
        low, high = getattr(right, form).error.ci95
        assert getattr(right, form).error.value == low == 0 and high > 10
        # 0/0 is not known, and neither is its interval.
        assert getattr(right, form).incoherence == NOT_KNOWN


# Longer against shorter samples


def exchangeable(seed, questions=30, samples=10):
    random = np.random.default_rng(seed)
    length = random.lognormal(5, 1, (questions, samples))
    return two_answers(random.uniform(0.1, 0.9, questions), length, samples, random)


def sizes_of_median_splits(metric, seeds):
    few = AnalysisSettings(metric, resamples=10)
    found = [
        natural_overthinking(
            exchangeable(seed), "output_tokens", dataclasses.replace(few, seed=seed), 99
        )
        for seed in range(seeds)
    ]
    return np.mean([of.test.incoherence.p <= 0.05 for of in found])


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["brier", "kl"])
def test_the_median_split_of_exchangeable_samples_rejects_at_its_level(metric):
    assert 0.03 <= sizes_of_median_splits(metric, 1000) <= 0.07


def test_the_median_split_of_few_exchangeable_samples_rejects_at_its_level():
    assert sizes_of_median_splits("brier", 60) <= stats.binom.ppf(1 - 1e-3, 60, 0.05) / 60


def test_a_planted_effect_of_length_within_questions_is_found():
    random = np.random.default_rng(0)
    length = random.lognormal(5, 1, (60, 10))
    longer = length > np.median(length, axis=1, keepdims=True)
    # Short samples are always wrong; long ones are right half of the time: incoherence 0 and 0.5.
    right = longer & (random.random((60, 10)) < 0.5)
    records = two_answers(np.zeros(60), length, 10, random).with_columns(
        pl.when(pl.Series(right.ravel())).then(pl.lit("A")).otherwise("answer").alias("answer")
    )
    found = natural_overthinking(records, "output_tokens", BRIER, 199)
    for form, expected in (("plugin", 0.4), ("corrected", 0.5)):  # 0.5 less 1/5 of it
        of = getattr(found, form)
        assert of.short.incoherence.value == 0
        assert of.long.incoherence.value == pytest.approx(expected, abs=0.06)
        assert of.difference.accuracy.value == pytest.approx(right.mean() * 2)
        assert inside(0.5, of.difference.accuracy.ci95)
    assert inside(0.5, found.corrected.difference.incoherence.ci95)
    assert found.test.incoherence.p == pytest.approx(1 / 200)


@pytest.mark.parametrize("metric", ["brier", "kl"])
@pytest.mark.parametrize("samples", [4, 7])
def test_halves_are_those_of_a_plain_loop(metric, samples):
    random = np.random.default_rng(samples)
    probs = random.dirichlet(np.ones(4), (5, samples))
    length = random.permutation(5 * samples).reshape(5, samples) * 1.0
    records = table(
        question_id=np.repeat([f"q{i}" for i in range(5)], samples),
        sample=np.tile(np.arange(samples), 5),
        probs=[str(dict(zip("ABCD", row, strict=True))).replace("'", '"').replace("np.float64(", "")
               .replace(")", "") for row in probs.reshape(-1, 4)],
        output_tokens=length.ravel(),
    )  # fmt: skip
    of = AnalysisSettings(metric, resamples=10)
    found = natural_overthinking(records, "output_tokens", of, 10)
    half = samples // 2
    order = np.argsort(length, axis=1)
    for name, rows in (("short", order[:, :half]), ("long", order[:, samples - half :])):
        chosen = np.take_along_axis(probs, rows[..., None], axis=1)
        split = (
            brier(chosen, np.zeros(5, int))
            if metric == "brier"
            else kl(chosen, np.zeros(5, int), 1e-12)
        )
        for part in ("error", "bias2", "variance"):
            value = getattr(getattr(found.plugin, name), part).value
            assert value == pytest.approx(float(getattr(split, part).mean()))
        if metric == "brier":
            value = getattr(found.corrected, name).variance.value
            assert value == pytest.approx(float(split.variance.mean()) * half / (half - 1))
        else:
            assert found.corrected is None and found.no_corrected
        of = getattr(found.plugin, name)
        assert of.accuracy.value == pytest.approx((chosen.argmax(-1) == 0).mean())
        assert of.along.value == pytest.approx(np.take_along_axis(length, rows, axis=1).mean())
    assert found.samples == 5 * 2 * half


def test_ties_are_split_at_random_and_few_samples_are_left_out():
    random = np.random.default_rng(1)
    right = np.tile([True, True, False, False], (200, 1))
    records = two_answers(np.zeros(200), np.ones(200), 4, random).with_columns(
        answer=pl.Series(np.where(right, "A", "B").ravel()),
        # All tied, but for one question: a length that never varies is refused.
        output_tokens=pl.when((pl.col("question_id") == "q0000") & (pl.col("sample") == 0))
        .then(2.0)
        .otherwise(pl.col("output_tokens")),
    )
    found = natural_overthinking(records, "output_tokens", BRIER, 99)
    # In the order of the samples one half would always be right.
    assert abs(found.plugin.difference.accuracy.value) < 0.2
    assert found.test.accuracy.p > 0.01
    few = records.filter(pl.col("sample") < 3)
    with pytest.raises(ValueError, match="two samples on either side"):
        natural_overthinking(few, "output_tokens", BRIER, 99)
    some = records.filter((pl.col("sample") < 3) | (pl.col("question_id") < "q0150"))
    assert natural_overthinking(some, "output_tokens", BRIER, 99).left_out == 50


def test_budgets_are_beside_their_natural_variation():
    random = np.random.default_rng(0)
    parts = [
        two_answers(np.full(40, right), random.lognormal(np.log(mean), 0.3, (40, 8)), 8, random)
        .with_columns(budget=pl.lit(budget), sample=pl.col("sample") + 8 * i)
        for i, (budget, mean, right) in enumerate([("low", 100, 0.3), ("high", 1000, 0.8)])
    ]  # fmt: skip
    rows = by_budget(pl.concat(parts), "output_tokens", BRIER)
    assert [row.budget for row in rows] == ["low", "high"]
    for row, right in zip(rows, (0.3, 0.8), strict=True):
        assert inside(right, row.corrected.incoherence.ci95)
        assert row.natural.questions == 40
    assert rows[0].more is None
    more = rows[1].more
    assert more.questions == 40 and inside(0.5, more.corrected.ci95)
    values = [row.corrected.incoherence.value for row in rows]
    assert more.corrected.value == pytest.approx(values[1] - values[0])
    with pytest.raises(ValueError, match="fewer than two budgets"):
        by_budget(parts[0], "output_tokens", BRIER)


def test_budgets_without_lengths_and_records_without_a_budget_are_rows():
    random = np.random.default_rng(0)
    budgets = ["low", None, "high", "max"]
    parts = [
        two_answers(np.full(6, 0.5), np.full(6, 10.0), 4, random).with_columns(
            budget=pl.lit(budget, pl.String),
            sample=pl.col("sample") + 4 * i,
            output_tokens=9.0 + pl.col("sample") % 2 * 2 if i < 2 else pl.lit(None, pl.Float64),
        )
        for i, budget in enumerate(budgets)
    ]
    rows = by_budget(pl.concat(parts), "output_tokens", BRIER)
    # By length, and by name where that is the same.
    assert [row.budget for row in rows] == [None, "low", "high", "max"]
    assert [row.mean_length for row in rows] == [10, 10, None, None]
    assert [row.natural is None for row in rows] == [False, False, True, True]
    assert all(row.questions == 6 and row.samples == 24 for row in rows)


def test_a_half_without_error_has_no_incoherence_and_no_test():
    random = np.random.default_rng(0)
    length = np.tile(np.arange(8.0), (20, 1))
    right = np.concatenate([np.ones((20, 4), bool), random.random((20, 4)) < 0.5], axis=1)
    records = two_answers(np.zeros(20), length, 8, random).with_columns(
        answer=pl.Series(np.where(right, "A", "B").ravel())
    )
    found = natural_overthinking(records, "output_tokens", BRIER, 50)
    assert found.plugin.short.error.value == 0
    for form in ("plugin", "corrected"):
        for of in (getattr(found, form).short, getattr(found, form).difference):
            assert of.incoherence == NOT_KNOWN
    assert found.test.incoherence.p is None
    assert found.test.accuracy.p < 0.1


def in_length_and_answer_contexts(seed, questions=30, contexts=5, samples=4):
    """Return answers and lengths that both hang on contexts, and not on one another."""
    random = np.random.default_rng(seed)
    right = np.where(random.random((questions, contexts)) < 0.5, 0.1, 0.9)
    mean = random.lognormal(4, 1, (questions, contexts))
    count = contexts * samples
    length = np.repeat(mean, samples, axis=1) * random.lognormal(0, 0.2, (questions, count))
    records = two_answers(np.zeros(questions), length, count, random)
    hits = random.random((questions, count)) < np.repeat(right, samples, axis=1)
    return records.with_columns(
        context=pl.col("sample") // samples, answer=pl.Series(np.where(hits, "A", "B").ravel())
    )


@pytest.mark.slow
def test_whole_contexts_are_permuted_where_samples_have_them():
    settings_ = AnalysisSettings("brier", resamples=10)
    p = [natural_overthinking(in_length_and_answer_contexts(seed), "output_tokens",
                              dataclasses.replace(settings_, seed=seed), 99).test
         for seed in range(600)]  # fmt: skip
    for name in ("incoherence", "accuracy"):
        assert 0.03 <= np.mean([getattr(of, name).p <= 0.05 for of in p]) <= 0.07


def test_permutations_keep_contexts_together():
    random = np.random.default_rng(0)
    records = in_length_and_answer_contexts(0, 3, 5, 4).filter(
        (pl.col("context") != 2) | (pl.col("sample") % 4 < 2)
    )
    (block,) = sampled_choices(records, BRIER).blocks
    place = np.argsort(np.argsort(random.random(block.present.shape)))
    drawn = _shuffled(block, place, 30, random)
    moved = 0
    for q in range(3):
        sets = {i: set(place[q][block.context[q] == i]) for i in range(5)}
        for split in drawn[q]:
            assert sorted(split) == sorted(place[q])
            for i in range(5):
                of = set(split[block.context[q] == i])
                assert of in sets.values() and (i != 2 or of == sets[2])
                moved += of != sets[i]
    assert moved > 100


# Contexts


def in_contexts(seed, questions, sizes, share=1.0, right=0.5):
    """Return answers A or B in contexts of these sizes, `share` of their variance between contexts.

    A question's contexts have A with probability `right` ± a deviation; sizes are one a context, or a
    function of the random numbers.
    """
    random = np.random.default_rng(seed)
    spread = np.sqrt(share * right * (1 - right))
    rows = []
    for i in range(questions):
        of = sizes(random) if callable(sizes) else sizes
        for context, size in enumerate(of):
            p = right + spread * (1 if random.random() < 0.5 else -1)
            rows += [(f"q{i:05}", context, j, "A" if random.random() < p else "B")
                     for j in range(size)]  # fmt: skip
    names = ("question_id", "context", "sample", "answer")
    return table(**dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def without_contexts(records):
    """Return the samples of all contexts as samples of none."""
    return records.with_columns(
        context=pl.lit(None, pl.Int64), sample=pl.int_range(pl.len(), dtype=pl.Int64)
    )


def unequal(random):
    return random.integers(1, 6, 6)


@pytest.mark.parametrize(
    ("share", "sizes"),
    [(1, [3] * 10), (0, [3] * 10), (0.4, [3] * 10), (1, unequal), (0.4, unequal)],
)
def test_the_variance_of_samples_in_contexts_is_unbiased(share, sizes):
    """Truth: bias² 2·0.5², variance 2·0.5·0.5, of which `share` is between contexts."""
    records = in_contexts(1, 500, sizes, share)
    found = means_of(questions_of(records, BRIER))
    for value, truth in (
        (found.corrected.bias2, 0.5),
        (found.corrected.variance, 0.5),
        (found.corrected.error, 1),
        (found.contexts.between, 0.5 * share),
        (found.contexts.within, 0.5 * (1 - share)),
    ):
        # Within four standard errors, as the interval over questions has them.
        assert value.value == pytest.approx(truth, abs=np.ptp([*value.ci95]) + 1e-9)
    assert found.contexts.questions == 500
    (group,) = summarise(records, metrics=["brier", "zero_one"], resamples=200)
    brier_, told = group.metrics["brier"], group.metrics["brier"].contexts
    assert brier_.corrected.variance == found.corrected.variance
    assert told == found.contexts and group.metrics["zero_one"].contexts is None


@pytest.mark.slow
@pytest.mark.parametrize("share", [1, 0.4])
def test_intervals_of_samples_in_contexts_cover_the_truth(share):
    seeds, covered = 200, dict.fromkeys(("bias2", "variance", "between", "within"), 0)
    for seed in range(seeds):
        found = means_of(questions_of(in_contexts(seed, 60, [3] * 10, share), BRIER))
        truth = {"bias2": 0.5, "variance": 0.5, "between": 0.5 * share, "within": 0.5 * (1 - share)}
        for name, value in truth.items():
            of = found.contexts if name in ("between", "within") else found.corrected
            low, high = getattr(of, name).ci95
            covered[name] += low - 1e-9 <= value <= high + 1e-9
    least = stats.binom.ppf(
        1e-3, seeds, 0.93
    )  # percentile intervals of 60 questions are a little short
    assert min(covered.values()) >= least, covered


def test_one_context_or_one_sample_in_each_falls_back_and_says_so():
    flat = in_contexts(0, 40, [6])
    one = means_of(questions_of(flat, BRIER))
    bare = means_of(questions_of(without_contexts(flat), BRIER))
    assert one.corrected == bare.corrected and bare.contexts is None
    assert one.contexts == BetweenContexts(0, 40, 0, None, None)
    each = flat.with_columns(context=pl.col("sample"), sample=pl.lit(0))
    single = means_of(questions_of(each, BRIER))
    assert single.contexts == BetweenContexts(0, 0, 40, None, None)
    for name in ("error", "bias2", "variance", "incoherence"):
        of_single, of_bare = (getattr(of.corrected, name) for of in (single, bare))
        assert of_single.value == pytest.approx(of_bare.value)
    both = pl.concat([flat.filter(pl.col("question_id") < "q00010"),
                      in_contexts(1, 40, [3, 3]).filter(pl.col("question_id") >= "q00010")])  # fmt: skip
    assert means_of(questions_of(both, BRIER)).contexts.questions == 30
    assert means_of(questions_of(both, BRIER)).contexts.one_context == 10
    # KL has no corrected value of so few, and so none between contexts and within them.
    kl_of = means_of(questions_of(both, KL))
    assert kl_of.contexts is None and "fewer than 8" in kl_of.no_corrected


def test_corrected_values_in_contexts_are_those_of_a_plain_loop():
    records = in_contexts(3, 15, unequal, 0.4).with_columns(unread=pl.lit(0))
    found = questions_of(records, BRIER)
    for row, (_, part) in enumerate(records.group_by("question_id", maintain_order=True)):
        points = [
            np.stack([[a == "A", a == "B"] for a in of["answer"]]) * 1.0 - [1, 0]
            for _, of in part.group_by("context", maintain_order=True)
        ]
        middle = [of.mean(axis=0) for of in points]
        pairs = [a @ b for i, a in enumerate(middle) for j, b in enumerate(middle) if i != j]
        error = np.mean([(of**2).sum(axis=1).mean() for of in points])
        within = [of.var(axis=0, ddof=1).sum() for of in points if len(of) > 1]
        assert found.corrected.bias2[row] == pytest.approx(np.mean(pairs))
        assert found.corrected.error[row] == pytest.approx(error)
        assert found.corrected.variance[row] == pytest.approx(error - np.mean(pairs))
        assert found.contexts.within[row] == pytest.approx(np.mean(within))
        assert found.contexts.between[row] == pytest.approx(error - np.mean(pairs) - np.mean(within))


def test_the_kl_variance_of_samples_in_contexts_loses_most_of_its_bias():
    """Log-probabilities are planted, so that the truth is known in closed form."""
    random = np.random.default_rng(0)
    logit = random.choice([-1.5, 1.5], (400, 8, 1)) + 0.3 * random.choice([-1, 1], (400, 8, 2))
    p = 1 / (1 + np.exp(-logit.reshape(-1)))
    records = table(
        question_id=np.repeat([f"q{i:03}" for i in range(400)], 16),
        context=np.tile(np.repeat(np.arange(8), 2), 400),
        sample=np.tile([0, 1], 3200),
        probs=[f'{{"A": {a}, "B": {1 - a}}}' for a in p],
        options=pl.Series([["A", "B"]] * 6400),
    )
    grid = np.asarray([m + d for m in (-1.5, 1.5) for d in (-0.3, 0.3)])
    truth = -np.log(sum(np.exp(-np.log1p(np.exp(s * grid)).mean()) for s in (1, -1)))
    found = means_of(questions_of(records, KL))
    flat = means_of(questions_of(without_contexts(records), KL))
    fixed, rough, plugin = (
        found.corrected.variance,
        flat.corrected.variance.value,
        flat.plugin.variance.value,
    )
    assert plugin < rough < truth and abs(fixed.value - truth) < 0.3 * abs(rough - truth)
    assert inside(truth, fixed.ci95)
    assert found.contexts.between.value > 10 * found.contexts.within.value


def test_unit_tests_and_embeddings_have_contexts_too():
    random = np.random.default_rng(0)
    passes = random.uniform(0, 1, (8, 5))
    records, outcomes = unit_tests(passes, 6, random, random.uniform(10, 50, (8, 6)))
    records = records.with_columns(context=pl.col("sample") // 3)
    found = unit_test_questions(records)
    first, second = outcomes[:, :3].mean(axis=1) - 1.0, outcomes[:, 3:].mean(axis=1) - 1.0
    np.testing.assert_allclose(found.corrected.bias2, (first * second).mean(axis=1))
    vectors = random.normal(size=(60, 3)) + np.repeat(random.normal(size=(20, 3)), 3, axis=0)
    answers = table(
        question_id=np.repeat([f"q{i}" for i in range(5)], 12),
        context=np.tile(np.repeat(np.arange(4), 3), 5),
        sample=np.tile(np.arange(3), 20),
        row=np.arange(60),
        answer=[""] * 60,
    )
    by = vectors.reshape(5, 4, 3, 3)
    middle = by.mean(axis=2)
    total = by.var(axis=2).sum(axis=2).mean(axis=1) + middle.var(axis=1, ddof=1).sum(axis=1)
    (block,) = sampled_vectors(answers, vectors).blocks
    every = decompose_subsets("dispersion", block, np.ones((5, 1, 12), bool))
    np.testing.assert_allclose(every.corrected.variance[:, 0], total)


def test_ensembles_over_contexts_follow_the_1_over_E_law():
    """8 contexts of 4 with all variance between them: single samples have 0.5, so 0.25 and 0.125."""
    records = in_contexts(2, 300, [4] * 8)
    found = ensembling(records, BRIER)
    assert found.ensembles[:4] == (10, 10, 10, 8)
    variance = found.corrected.variance
    single = found.expected.variance.value[0]
    assert single == pytest.approx(0.5, abs=0.03)
    for i, size in enumerate(found.sizes):
        assert variance.value[i] == pytest.approx(single / size, abs=2 * np.ptp([*variance.ci95[i]]))
        bias2 = found.corrected.bias2.value[i]
        assert bias2 == pytest.approx(found.expected.bias2.value[i], abs=0.02)
    # Without the contexts samples are what they are among these eight: 0.5·(1 − 3/31) of single ones.
    unknown = ensembling(without_contexts(records), BRIER).corrected
    for size in (2, 4):
        assert unknown.variance.value[size - 1] == pytest.approx(0.4516 / size, abs=0.02)


def test_fewer_samples_are_drawn_over_all_contexts():
    """All variance is between contexts: three samples of one context would have none."""
    records = in_contexts(0, 60, [4] * 8)
    rows = {row.value: row.means for row in sensitivity(records, BRIER) if row.what == "samples"}
    assert set(rows) == {"3 at random", "5 at random", "10 at random", "20 at random"}
    for value, row in rows.items():
        assert row.samples == 60 * int(value.split()[0])
        of = row.corrected.variance
        assert of.value == pytest.approx(0.5, abs=np.ptp([*of.ci95]))
    more = records.filter((pl.col("question_id") != "q00000") | (pl.col("context") < 2))
    found = efficiency(more, BRIER, replicates=10)
    # Of the questions with 32 samples, eight of all contexts, not of the first two.
    # Two samples of 32 share a context in 3 of 31 pairs.
    expected = 0.5 * 3 / 4 * 28 / 31
    assert found.samples[-1] == 4 and found.variance[-1] == pytest.approx(expected, abs=0.05)


# Difficulty and size


SIZES = {"s": 1e8, "m": 1e9, "l": 1e10, "xl": 1e11}


def squared(bias2, variance, random, samples=6):
    """Return questions whose squared errors have these parts: one coordinate each."""
    shape = len(bias2), samples
    sign = np.where(random.random(shape) < 0.5, 1, -1)
    points = np.stack([np.sqrt(bias2)[:, None] * np.ones(shape),
                       np.sqrt(variance)[:, None] * sign], axis=2)  # fmt: skip
    zero = np.zeros(shape, int)
    block = SampledBlock(
        points, zero[:, 0], zero * 1.0, zero == 0, zero, np.arange(zero.size).reshape(shape)
    )
    who = {
        "benchmark": pl.Series([None] * len(bias2), dtype=pl.String),
        "question_id": [f"q{i:04}" for i in range(len(bias2))],
    }
    return Sampled("brier", [block], pl.DataFrame(who), float((bias2 + variance).max()))


def test_planted_exponents_are_recovered_in_every_group():
    """Bias² falls as N^−0.5 and variance as N^−0.2; longer questions have more bias²."""
    random = np.random.default_rng(0)
    length = np.sort(random.uniform(1, 100, 300))
    noise = functools.partial(random.lognormal, 0, 0.3, 300)
    sampled = {
        name: squared(length * (n / 1e8) ** -0.5 * noise(), (n / 1e8) ** -0.2 * noise(), random)
        for name, n in SIZES.items()
    }
    along = [np.repeat(length[:, None], 6, axis=1)]
    found = scaling_of(sampled, along, SIZES, "xl", BRIER, 3)
    assert found.models == ("s", "m", "l", "xl") and len(found.groups) == 3
    for i, row in enumerate(found.groups):
        assert row.questions == 100
        expected = length[100 * i : 100 * (i + 1)].mean()
        assert row.corrected.bias2.value[0] == pytest.approx(expected, rel=0.1)
        for name, exponent in (("bias2", -0.5), ("variance", -0.2)):
            of = getattr(row.corrected.exponents, name)
            low, high = of.ci95
            assert of.value == pytest.approx(exponent, abs=0.75 * (high - low)) and of.r2 > 0.9
            assert of.value == pytest.approx(exponent, abs=0.06)
        assert len(row.effective_questions) == 4 and min(row.effective_questions) > 50


def test_models_are_compared_on_shared_questions_whatever_their_order():
    random = np.random.default_rng(1)
    right = random.uniform(0.2, 0.8, 40)
    length = random.lognormal(3, 1, 40)
    models = {name: two_answers(right, length, 6, random, name) for name in SIZES}
    models["m"] = models["m"].filter(pl.col("question_id") >= "q0004").reverse()
    found = scaling_by_difficulty(models, SIZES, "xl", "output_tokens", BRIER, 2)
    assert sum(row.questions for row in found.groups) == 36
    again = scaling_by_difficulty(
        dict(reversed(models.items())), SIZES, "xl", "output_tokens", BRIER, 2
    )
    assert again.models == found.models
    for row, other in zip(found.groups, again.groups, strict=True):
        a, b = (of.corrected.incoherence.value for of in (row, other))
        np.testing.assert_allclose(a, b, atol=0.1)  # other splits
    with pytest.raises(ValueError, match="at least two sizes"):
        scaling_by_difficulty(models, {"s": 1e8}, "s", "output_tokens", BRIER)
    with pytest.raises(ValueError, match="41 groups of difficulty"):
        scaling_by_difficulty(models, SIZES, "xl", "output_tokens", BRIER, 41)
    kl = scaling_by_difficulty(models, SIZES, "xl", "output_tokens", KL, 2)
    assert kl.groups[0].corrected is None and kl.no_corrected


def test_a_planted_surface_is_recovered():
    random = np.random.default_rng(0)
    sizes = {"s": 1e8, "m": 1e9, "l": 1e10}
    sampled, lengths = {}, {}
    for name, n in sizes.items():
        length = np.exp(random.uniform(np.log(10), np.log(1000), 300))
        variance = 0.1 * length**0.3 * (n / 1e8) ** -0.1 * random.uniform(0.8, 1.2, 300)
        sampled[name] = squared(1 - variance, variance, random)
        lengths[name] = [np.repeat(length[:, None], 6, axis=1)]
    found = surface_of(sampled, lengths, sizes, BRIER, 10, "tokens")
    for name, value in (("length", 0.3), ("size", -0.1)):
        of = getattr(found.coefficients, name)
        assert of.value == pytest.approx(value, abs=0.75 * np.ptp([*of.ci95]))
        assert of.value == pytest.approx(value, abs=0.03)
    assert found.r2 > 0.95
    nothing = {name: squared(np.ones(300), np.zeros(300), random) for name in sizes}
    assert surface_of(nothing, lengths, sizes, BRIER, 10, "tokens").r2 is None
    with pytest.raises(ValueError, match="3 questions"):
        few = {name: squared(np.ones(3), np.ones(3), random) for name in sizes}
        surface_of(few, {k: [v[0][:3]] for k, v in lengths.items()}, sizes, BRIER, 10, "tokens")


def test_the_correlation_of_lengths_is_that_of_means_beside_one_without_their_noise():
    random = np.random.default_rng(0)
    true = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 400).T
    records, means_ = {}, []
    for name, of in zip("ab", true, strict=True):
        length = np.exp(of[:, None] + 1.3 * random.normal(size=(400, 3)))
        records[name] = two_answers(np.full(400, 0.5), length, 3, random, name)
        means_.append(length.mean(axis=1))
    (found,) = length_correlation(records, dict.fromkeys(records, "output_tokens"), 0)
    rho = stats.spearmanr(*means_).statistic
    assert found.rho.value == pytest.approx(rho) and rho < 0.6
    assert inside(6 / np.pi * np.arcsin(0.4), found.corrected.ci95)
    assert found.corrected.value == pytest.approx(6 / np.pi * np.arcsin(0.4), abs=0.12)
    alone = {name: of.filter(pl.col("sample") == 0) for name, of in records.items()}
    (single,) = length_correlation(alone, dict.fromkeys(records, "output_tokens"), 0)
    assert single.corrected == Estimate(None, Interval(None, None))
    assert single.rho.value is not None


def test_halves_correlate_as_spearman_and_brown_say():
    random = np.random.default_rng(0)
    true = random.normal(size=(5000, 1))
    for count, noise in ((4, 2.0), (6, 1.0)):
        values = true + noise * random.normal(size=(5000, count))
        expected = 1 / (1 + noise**2 / count)
        assert reliability(values, random) == pytest.approx(expected, abs=0.03)
    assert lengthened(0.5, 2.0) == pytest.approx(2 / 3)
    assert np.isnan(reliability(np.where(np.arange(2) > 0, np.nan, values[:, :2]), random))


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_rank_correlations_are_those_of_scipy(data):
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    count = data.draw(st.integers(6, 30))
    x, y = random.integers(0, 20, (2, count)) * 1.0
    if min(np.ptp(x), np.ptp(y)) == 0:
        return
    rho, ends = rank_correlation(x, y)
    assert rho == pytest.approx(stats.spearmanr(x, y).statistic) and inside(rho, ends)
    p = permutation_p(x, y, 300, random)
    assert 1 / 301 <= p <= 1
    assert permutation_p(x, x, 300, random) < 0.1


# Ensembles, fewer samples, sensitivity


def test_ensembles_follow_the_1_over_E_law():
    random = np.random.default_rng(0)
    records = any_answers(random.dirichlet(np.ones(4), 400), 24, random)
    found = ensembling(records, BRIER)
    single = means_of(questions_of(records, BRIER)).corrected
    assert found.sizes[0] == 1 and found.sizes[-1] == 12
    for i, size in enumerate(found.sizes):
        law = single.variance.value / size
        assert found.expected.variance.value[i] == pytest.approx(law)
        for name, value in (("variance", law), ("bias2", single.bias2.value)):
            of = getattr(found.corrected, name)
            # Twelve sizes of two parts: each within four standard errors.
            assert of.value[i] == pytest.approx(value, abs=4 / 3.92 * np.ptp([*of.ci95[i]]))
    assert found.ensembles == tuple(min(10, 24 // size) for size in found.sizes)
    # Plug-in of six at every size of which six fit, low by one of them: the curve falls as 1/E.
    assert found.compared == 6
    for i, size in enumerate(found.sizes):
        of = found.plugin.variance
        if size > 4:
            assert of.value[i] is None and of.ci95[i] == Interval(None, None)
        else:
            expected = single.variance.value / size * 5 / 6
            assert of.value[i] == pytest.approx(expected, abs=2 / 3.92 * np.ptp([*of.ci95[i]]))
    again = ensembling(records, dataclasses.replace(BRIER, seed=1))
    assert again.corrected.variance != found.corrected.variance
    assert ensembling(records, BRIER) == found
    of_kl = ensembling(records, KL)
    assert of_kl.sizes == (1, 2, 3, 4) and of_kl.ensembles == (6,) * 4 and of_kl.expected is None
    assert None not in of_kl.plugin.variance.value
    for why, value in zip(of_kl.no_corrected, of_kl.corrected.variance.value, strict=True):
        assert "fewer than 8" in why and value is None
    with pytest.raises(ValueError, match="none of"):
        ensembling(records.filter(pl.col("sample") < 3), BRIER)
    with pytest.raises(ValueError, match="KL of ensembles needs 6"):
        ensembling(records.filter(pl.col("sample") < 5), KL)


def test_fewer_samples_make_the_plugin_variance_low():
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(4), 200)
    wide = table(
        question_id=np.repeat([f"w{i}" for i in range(100)], 10),
        sample=np.tile(np.arange(10), 100),
        answer=random.choice(list("ABCDE"), 1000),
        options=pl.Series([list("ABCDE")] * 1000),
    )
    records = pl.concat([any_answers(probs, 10, random), wide])
    found = efficiency(records, BRIER, replicates=40)
    split = means_of(questions_of(records, BRIER))
    assert found.questions == 300 and found.samples == tuple(range(2, 6))
    for n, value, spread in zip(found.samples, found.variance, found.variance_spread, strict=True):
        expected = split.corrected.variance.value * (n - 1) / n
        assert value == pytest.approx(expected, abs=4 * spread / np.sqrt(40) + 1e-12)


def test_sensitivity_changes_one_thing_at_a_time():
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(5), 30)
    records = any_answers(probs, 6, random).with_columns(
        error_type=pl.when(pl.col("question_id") < "q0005").then(pl.lit("wrong_groundtruth"))
    )
    rows = {(row.what, row.value): row.means for row in sensitivity(records, KL)}
    assert set(rows) == {
        ("headline", ""), ("unparsed", "drop"), ("unparsed", "wrong"),
        ("labels known to be wrong", "left out"), ("samples", "3 at random"),
        ("samples", "5 at random"),
        *(("smoothing", s) for s in ("1e-15", "1e-12", "1e-09", "1e-06", "0.001")),
    }  # fmt: skip
    for case, part, of in (
        (("headline", ""), records, KL),
        (("unparsed", "drop"), records, dataclasses.replace(KL, unparsed="drop")),
        (("smoothing", "0.001"), records, dataclasses.replace(KL, smoothing=1e-3)),
        (("labels known to be wrong", "left out"), records.filter(pl.col("error_type").is_null()), KL),
    ):
        assert rows[case].plugin == means_of(questions_of(part, of)).plugin
    assert rows[("labels known to be wrong", "left out")].questions == 25


def test_sensitivity_takes_the_headline_and_leaves_kl_unjudged_where_it_is_told_to(monkeypatch):
    random = np.random.default_rng(0)
    records = any_answers(random.dirichlet(np.ones(4), 60), 10, random)
    judged = []

    def judge(units, runs, seed):
        judged.append(runs)
        return kl_correction_judge(units, runs, seed)

    kl_correction_judge = kl_correction.judge
    monkeypatch.setattr(kl_correction, "judge", judge)
    alone = sensitivity(records, KL)
    # The headline, four other smoothings; 3 and 5 samples are too few.
    assert len(judged) == 5
    judged.clear()
    assert sensitivity(records, KL, headline=questions_of(records, KL)) == alone and len(judged) == 5
    judged.clear()
    unjudged = sensitivity(records, dataclasses.replace(KL, resamples=0))
    assert not judged
    assert [row.means.plugin for row in unjudged] == [row.means.plugin for row in alone]
    assert all(row.means.corrected.incoherence.value is None for row in unjudged)
    assert "not asked for" in unjudged[0].means.no_corrected


def test_kl_has_no_corrected_value_of_a_topic():
    """Of ten questions with an error or two the jackknifed incoherence was 1.38, outside its interval."""
    random = np.random.default_rng(1)
    records = any_answers(random.dirichlet(np.ones(4), 40), 10, random).with_columns(
        output_tokens=pl.lit(5), topic=pl.when(pl.col("question_id") < "q0020").then(pl.lit("law"))
        .otherwise(pl.lit("art")),
    )  # fmt: skip
    questions = questions_of(records, KL)
    assert questions.no_corrected is None
    for row in by_label(questions, "output_tokens", KL):
        assert row.corrected.incoherence.value is None
        assert inside(row.plugin.incoherence.value, row.plugin.incoherence.ci95)


# Answers


def test_shares_of_questions_that_change():
    """Two contexts of two samples each."""
    answers = {"q0": "AAAA", "q1": "ABAA", "q2": "AABB", "q3": "ABBA", "q4": ["", "", "", "A"]}
    records = table(
        question_id=np.repeat(list(answers), 4),
        context=[0, 0, 1, 1] * 5,
        sample=[0, 1] * 10,
        answer=[a for given in answers.values() for a in given],
    )
    (found,) = answer_changes(records)
    # Within a context q1, q3, q4; the contexts' majority answers in q2 alone, since q1, q3 and q4 have
    # ties that hold the other context's answer; any two all but q0.
    assert [found.of(k).value for k in ("resampling", "context", "both")] == [0.6, 0.2, 0.8]
    assert found.answers == 4
    groups = pl.DataFrame(
        {"benchmark": pl.Series([None] * 5, dtype=pl.String), "question_id": list(answers),
         "group": [0, 0, 0, 1, 1]}
    )  # fmt: skip
    rows = answer_changes(records, groups)
    assert [row.group for row in rows] == [None, 0, 1]
    assert rows[2].resampling.value == 1 and rows[1].context.value == pytest.approx(1 / 3)


def test_a_change_of_context_is_one_of_the_majority_answer():
    """Three contexts of three samples; the first samples alone would say otherwise."""
    answers = {
        "q0": "BAAAABAAC",  # first samples differ, majorities do not
        "q1": "AABABBAAB",  # first samples agree, majorities do not
        "q2": "ABCBBACBB",  # a tie that holds the others' majority
        "q3": "ABCBBACCB",  # a tie that holds both, but they differ
    }
    records = table(
        question_id=np.repeat(list(answers), 9),
        context=np.tile(np.repeat([0, 1, 2], 3), 4),
        sample=[0, 1, 2] * 12,
        answer=[a for given in answers.values() for a in given],
        difficulty=np.repeat(["easy", "easy", "hard", None], 9),
    )
    (found,) = answer_changes(records)
    assert found.context.value == 0.5
    shuffled = records.sample(fraction=1, shuffle=True, seed=0)
    assert answer_changes(shuffled) == [found]
    rows = answer_changes(records, difficulty_labels(records))
    assert [(row.group, row.questions) for row in rows] == [(None, 4), ("easy", 2), ("hard", 1)]
    assert [row.context.value for row in rows] == [0.5, 0.5, 0]
    with pytest.raises(ValueError, match="no record has a difficulty"):
        difficulty_labels(records.drop("difficulty"))


def test_shares_of_changes_are_those_of_the_distribution():
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(4), 500)
    (found,) = answer_changes(any_answers(probs, 5, random))
    assert inside((1 - (probs**5).sum(axis=1)).mean(), found.resampling.ci95)
    assert found.context is None


def test_how_often_two_answers_differ_does_not_hang_on_their_number():
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(4), (400, 2))
    rates = 1 - np.einsum("qca,qda->qcd", probs, probs)
    within, between = rates[:, [0, 1], [0, 1]].mean(), rates[:, 0, 1].mean()
    for samples in (2, 6):
        parts = [
            any_answers(probs[:, c], samples, random).with_columns(context=pl.lit(c)) for c in (0, 1)
        ]
        (found,) = answer_changes(pl.concat(parts))
        for name, expected in (("within", within), ("between", between), ("effect", between - within)):
            assert found.of(name).value == pytest.approx(expected, abs=0.05)
            assert inside(expected, found.of(name).ci95)
    one = in_contexts(0, 60, [4] * 4, share=0)
    (none,) = answer_changes(one)
    assert inside(0, none.effect.ci95) and none.context.value > 0.3
    assert answer_changes(one.filter(pl.col("context") == 0))[0].effect is None


def test_changes_by_length_are_of_other_samples_than_those_that_say_it():
    random = np.random.default_rng(0)
    right = np.repeat([0.5, 1.0], 50)
    length = np.where(right[:, None] < 1, 100.0, 10.0) * random.lognormal(0, 0.1, (100, 8))
    records = two_answers(right, length, 8, random)
    easy, hard = answer_changes_by_length(records, "output_tokens", 2, 0)
    assert (easy.group, easy.questions) == (0, 50) and easy.answers == pytest.approx(4)
    assert easy.resampling.value == 0
    assert hard.resampling.value == pytest.approx(1 - 0.5**3, abs=0.06)
    with pytest.raises(ValueError, match="101 groups by length"):
        answer_changes_by_length(records, "output_tokens", 101, 0)
    # Longer wrong samples say nothing of identical questions.
    same = two_answers(np.full(200, 0.5), np.ones(200), 6, random)
    wrong = same["answer"].to_numpy() == "B"
    same = same.with_columns(output_tokens=pl.Series(np.where(wrong, 2.0, 1.0)))
    short, long = answer_changes_by_length(same, "output_tokens", 2, 0)
    assert short.resampling.value == pytest.approx(long.resampling.value, abs=0.12)


def test_format_failures_by_model_and_budget():
    answers = {"low": ["", "", "", "A"] + ["A"] * 16, "high": ["B"] * 20}
    records = table(
        question_id=[str(i // 4) for i in range(20)] * 2,
        sample=[i % 4 for i in range(20)] * 2,
        budget=["low"] * 20 + ["high"] * 20,
        answer=answers["low"] + answers["high"],
    )
    high, low = format_failures(records)
    assert (high.budget, high.unparsed, high.samples) == ("high", 0, 20)
    assert high.questions == 5 and low.share.value == 0.15
    # One question holds all of them: as if one of five questions failed, and not three of twenty samples.
    assert low.share.ci95.high > 0.5
    # None of five questions: Clopper and Pearson's end.
    np.testing.assert_allclose(list(high.share.ci95), [0, 1 - 0.025 ** (1 / 5)], atol=0.05)
    (single,) = format_failures(
        records.filter((pl.col("question_id") == "0") & (pl.col("budget") == "low"))
    )
    assert single.share.ci95 == Interval(None, None)


def test_the_question_with_most_answers_is_shown():
    records = table(
        question_id=["a"] * 3 + ["b"] * 3, sample=[2, 1, 0] * 2, answer=["A", "A", "B", "C", "", "A"]
    )
    found = one_question(records)
    assert found.question_id == "b" and found.target == "A"
    assert [sample.given for sample in found.samples] == ["A", "", "C"]
    assert one_question(records, "a").question_id == "a"
    # Two benchmarks with questions of the same ids are no chimera.
    twice = pl.concat([records, records.with_columns(benchmark=pl.lit("other"), target=pl.lit("C"))])
    found = one_question(twice, "b", "other")
    assert (found.benchmark, found.target, len(found.samples)) == ("other", "C", 3)
    assert len(one_question(twice).samples) == 3
    likely = records.with_columns(
        answer=pl.lit(None, pl.String), probs=pl.lit('{"A": 0.2, "B": 0.5, "C": 0.3, "D": 0.0}')
    )
    assert {sample.given for sample in one_question(likely).samples} == {"B"}


def test_questions_with_too_few_samples_are_left_out_and_counted():
    settings = AnalysisSettings("brier", resamples=20)
    ids = [q for q, count in (("a", 8), ("b", 8), ("c", 3), ("d", 2)) for _ in range(count)]
    records = table(question_id=ids, sample=[*range(8), *range(8), *range(3), *range(2)],
                    answer=["A", "B", "A"] * 7)  # fmt: skip
    found = ensembling(records, settings, draws=2)
    assert (found.questions, found.fewer_samples, found.samples_a_question) == (2, 2, 8)
    alone = ensembling(records.filter(pl.col("question_id").is_in(["a", "b"])), settings, draws=2)
    assert found.expected == alone.expected and alone.fewer_samples == 0
    with pytest.raises(ValueError, match="need 4 samples of a question, and none of 2 has"):
        ensembling(records.filter(pl.col("question_id").is_in(["c", "d"])), settings)


def test_lengths_that_do_not_vary_are_none():
    records = table(question_id=list("aabbccdd"), sample=[0, 1] * 4, answer=["A"] * 8)
    records = records.with_columns(actions=pl.lit(1), words=pl.Series([1, 2, 3, 4, 1, 2, 2, 1]))
    assert length_field(records) == "words"
    settings = AnalysisSettings("brier", resamples=20)
    records = pl.concat([records, records.with_columns(sample=pl.col("sample") + 2)])
    with pytest.raises(ValueError, match="'actions' is the same of all questions: 1"):
        by_field(records, "actions", settings)
    with pytest.raises(ValueError, match="same of all samples of every question"):
        natural_overthinking(records, "actions", settings, 10)


def test_topics_and_waits():
    random = np.random.default_rng(0)
    right = np.repeat([0.2, 0.7], 100)
    records = two_answers(right, np.repeat([50.0, 10.0], 100), 20, random).with_columns(
        topic=pl.when(pl.col("question_id") < "q0100").then(pl.lit("law")).otherwise(pl.lit("art"))
    )
    law, art = by_label(questions_of(records, BRIER), "output_tokens", BRIER)
    assert (law.topic, law.questions, law.along.value) == ("law", 100, 50)
    assert inside(0.7, art.corrected.incoherence.ci95)
    assert inside(0.7 * (1 - 1 / 20), art.plugin.incoherence.ci95)
    assert art.along.ci95 == Interval(None, None)
    labelled = records.rename({"topic": "difficulty"})
    hard, easy = by_label(questions_of(labelled, BRIER), "output_tokens", BRIER, "difficulty")
    assert (hard.difficulty, easy.difficulty) == ("law", "art")
    for of in dataclasses.fields(Labelled):
        assert getattr(hard, of.name) == getattr(law, of.name)
    with pytest.raises(ValueError, match="no record has a difficulty"):
        by_label(questions_of(records, BRIER), "output_tokens", BRIER, "difficulty")
    texts = pl.DataFrame({"reasoning": ["Wait, wait. Now await", "no", "", None]})
    assert with_wait_ratio(texts)["wait_ratio"].to_list() == [0.5, 0, None, None]


# Unit tests and open answers


def test_unit_tests_are_decomposed_as_a_plain_loop_does():
    random = np.random.default_rng(0)
    passes = random.uniform(0, 1, (12, 5))
    records, outcomes = unit_tests(passes, 6, random, random.uniform(10, 50, (12, 6)))
    questions = unit_test_questions(records)
    split = [coverage(task) for task in outcomes]
    for name in ("error", "bias2", "variance"):
        expected = [float(getattr(task, name)) for task in split]
        np.testing.assert_allclose(getattr(questions.plugin, name), expected)
    share = outcomes.mean(axis=1)
    np.testing.assert_allclose(questions.plugin.bias2, ((1 - share) ** 2).mean(axis=1))
    np.testing.assert_allclose(questions.corrected.variance, (share * (1 - share)).mean(axis=1) * 6 / 5)
    np.testing.assert_allclose(questions.accuracy, outcomes.all(axis=2).mean(axis=1))
    found = by_field(records, "actions", BRIER, (3,))
    assert (found.metric, found.groups, found.questions) == ("coverage", 2, 12)
    with pytest.raises(ValueError, match="no task has two runs"):
        unit_test_questions(records.filter(pl.col("sample") == 0))


def test_unit_tests_are_split_by_length_too():
    random = np.random.default_rng(1)
    actions = np.stack([random.permutation(8) for _ in range(10)]) * 1.0
    records, outcomes = unit_tests(random.uniform(0, 1, (10, 3)), 8, random, actions)
    found = natural_overthinking(records, "actions", BRIER, 50)
    assert found.metric == "coverage"
    order = np.argsort(actions, axis=1)
    for name, rows in (("short", order[:, :4]), ("long", order[:, 4:])):
        split = coverage(np.take_along_axis(outcomes, rows[..., None], axis=1))
        for part in ("error", "bias2", "variance"):
            value = getattr(getattr(found.plugin, name), part).value
            assert value == pytest.approx(float(getattr(split, part).mean()))


def test_the_variance_of_embeddings_rises_as_planted():
    random = np.random.default_rng(0)
    length = np.repeat(np.exp(random.uniform(2, 5, 600)), 8)
    vectors = random.normal(size=(4800, 3)) * np.sqrt(length)[:, None] ** 0.5
    records = table(
        question_id=np.repeat([f"q{i:04}" for i in range(600)], 8),
        sample=np.tile(np.arange(8), 600),
        output_tokens=length,
        row=np.arange(4800),
        answer=[""] * 4800,
    )
    vectors[5] = np.nan
    sampled = sampled_vectors(records, vectors)
    (block,) = sampled.blocks
    assert sampled.who["question_id"][0] == "q0000" and block.present[0].sum() == 7
    first = vectors[[0, 1, 2, 3, 4, 6, 7]]
    expected = ((first - first.mean(axis=0)) ** 2).sum(axis=1).mean()
    every = decompose_subsets("dispersion", block, block.present[:, None, :])
    assert every.plugin.variance[0, 0] == pytest.approx(expected)
    assert every.corrected.variance[0, 0] == pytest.approx(expected * 7 / 6)
    # Embeddings have a variance and nothing else.
    curves = by_field(records, "output_tokens", BRIER, (10,), vectors)
    slope = curves.corrected.slopes[10].variance
    assert inside(0.5, slope.ci95) and slope.r2 > 0.9
    for form in ("plugin", "corrected"):
        for name in ("error", "bias2", "incoherence", "accuracy"):
            assert getattr(getattr(curves, form).curves, name).value == (None,) * 10
            assert getattr(getattr(curves, form).halves, name) == NOT_KNOWN
    with pytest.raises(ValueError, match="only 0 questions have 'output_tokens' in 4 samples"):
        by_field(records.head(1), "output_tokens", BRIER, (10,), vectors)
