"""Inference over draws of the problem: exact recovery, coverage, verdicts that can fail."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sweeps import PARAMETERS, SIZES, made_sweep, read, without
from scipy import stats

from hotmess_jax.documents import to_json
from hotmess_jax.statistics.estimate import (
    Interval,
    half_width,
    holm,
    mean_with_interval,
    p_value_of_interval,
    p_value_of_mean,
    spread_of,
)
from hotmess_jax.statistics.fits import curvatures, slopes
from hotmess_jax.synthetic.draws import draws_of
from hotmess_jax.synthetic.findings import findings
from hotmess_jax.synthetic.found import Found
from hotmess_jax.synthetic.results import Rollouts
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.report import report
from hotmess_jax.synthetic.verdicts import claims, judge

N = np.asarray([PARAMETERS[size] for size in SIZES], float)
LOG_N = np.log(N)


def covered(values, truth):
    """The share of Student-t intervals over the last axis that hold the truth."""
    return float(np.mean(np.abs(values.mean(axis=-1) - truth) <= half_width(values)))


def found_of(sweep):
    """A sweep with its findings, and no claims."""
    return dataclasses.replace(conclude(read(sweep)), claims=())


def verdict(sweep, place):
    return claims(read(sweep))[place]


# Single pieces, against independent computations


def test_slopes_and_curvatures_agree_with_polynomial_fits():
    y = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(slopes(LOG_N, y), np.polyfit(LOG_N, y.T, 1)[0], rtol=1e-8)
    np.testing.assert_allclose(curvatures(LOG_N, y), np.polyfit(LOG_N, y.T, 2)[0], rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.floats(-3, 3), st.floats(-5, 5), st.floats(-1, 1), st.integers(3, 6))
def test_a_parabola_comes_back(slope, intercept, curvature, sizes):
    x = np.linspace(8, 12, sizes) ** 1.1
    y = intercept + slope * x + curvature * x**2
    np.testing.assert_allclose(curvatures(x, y), curvature, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(slopes(x, intercept + slope * x), slope, rtol=1e-9, atol=1e-9)


def test_the_interval_of_a_mean_is_student_s():
    values = np.random.default_rng(1).normal(2, 3, 7)
    ours, theirs = mean_with_interval(values, "draws"), stats.ttest_1samp(values, 0)
    np.testing.assert_allclose([*ours.ci95], [*theirs.confidence_interval(0.95)])
    np.testing.assert_allclose(p_value_of_mean(values), theirs.pvalue)
    assert mean_with_interval(values[:1], "draws").ci95 is None and p_value_of_mean(values[:1]) == 1
    with pytest.raises(ValueError, match="needs finite values"):
        mean_with_interval(np.asarray([1.0, np.nan]), "draws")


def test_the_p_value_of_an_interval_is_that_of_a_normal_estimate():
    half = 1.959963984540054 * 0.5
    np.testing.assert_allclose(
        p_value_of_interval(1.0, Interval(1 - half, 1 + half)), 2 * stats.norm.sf(2)
    )
    assert p_value_of_interval(0.0, Interval(0.0, 0.0)) == 1
    assert p_value_of_interval(1.0, Interval(1.0, 1.0)) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_agrees_with_its_definition(p_values):
    p = np.asarray(p_values)
    adjusted = holm(p)
    for alpha in (0.01, 0.05, 0.3):
        # Step down: from the smallest, each at its own level, until the first that fails.
        rejected = np.zeros(len(p), bool)
        for step, place in enumerate(np.argsort(p, kind="stable")):
            if p[place] * (len(p) - step) > alpha:
                break
            rejected[place] = True
        np.testing.assert_array_equal(adjusted <= alpha, rejected)


# Coverage


@pytest.mark.parametrize("tau", [0.3, 0.0, 1.0])
@pytest.mark.parametrize("draws", [3, 4, 8, 16])
def test_intervals_over_draws_cover_where_draws_have_exponents_of_their_own(draws, tau):
    rng = np.random.default_rng(draws)
    runs = 6_000
    truths = (1.5, 0.7)
    # Draws share a luck between quantities; a model's noise is shared in part too.
    luck = rng.normal(size=(runs, draws))
    common = 0.3 * rng.normal(size=(runs, draws, 4))
    logs = []
    for truth in truths:
        own = truth + tau * (0.6 * luck + 0.8 * rng.normal(size=(runs, draws)))
        logs.append(-own[..., None] * LOG_N + common + 0.3 * rng.normal(size=(runs, draws, 4)))
    for y, truth in zip(logs, truths, strict=True):
        assert 0.93 < covered(-slopes(LOG_N, y), truth) < 0.97
    assert 0.93 < covered(-slopes(LOG_N, logs[0] - logs[1]), truths[0] - truths[1]) < 0.97


@pytest.mark.parametrize("draws", [3, 8])
def test_intervals_over_sizes_of_averaged_draws_do_not_cover_there(draws):
    """What the interval over sizes leaves out: how exponents differ between draws."""
    rng = np.random.default_rng(5)
    own = 0.7 + 0.3 * rng.normal(size=(4_000, draws, 1))
    means = (-own * LOG_N + 0.1 * rng.normal(size=(4_000, draws, 4))).mean(axis=1)
    slope = slopes(LOG_N, means)
    x = LOG_N - LOG_N.mean()
    residuals = means - means.mean(axis=1, keepdims=True) - slope[:, None] * x
    error = np.sqrt((residuals**2).sum(axis=1) / 2 / (x @ x))
    held = np.abs(-slope - 0.7) <= stats.t.ppf(0.975, 2) * error
    assert 0.1 < held.mean() < 0.75


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_lack_of_fit_has_its_size_and_finds_a_floor_where_the_losses_are_exact_enough(noise):
    """Log loss of a plain law, and of one whose floor is its value at the largest size."""
    rng = np.random.default_rng(6)
    rates = {}
    for floor in (0.0, 1.0):
        for draws in (3, 8):
            plain = N**-0.3 / N[-1] ** -0.3
            scale = np.exp(0.2 * rng.normal(size=(6_000, draws, 1)))
            losses = scale * (plain + floor) * np.exp(noise * rng.normal(size=(6_000, draws, 4)))
            rates[floor, draws] = 1 - covered(curvatures(LOG_N, np.log(losses)), 0.0)
    assert 0.04 < rates[0.0, 3] < 0.06 and 0.04 < rates[0.0, 8] < 0.06
    if noise == 0.01:
        assert rates[1.0, 8] > 0.95 and 0.4 < rates[1.0, 3] < 0.6
    else:  # where losses vary by 5 %, four sizes do not tell: no curvature seen is no plain law shown
        assert rates[1.0, 8] < 0.3


@pytest.mark.parametrize("models", [4, 18])
def test_models_without_a_rise_are_hardly_ever_said_to_fall(models):
    """Percentile intervals of a rise that is none, of models that share starts and resamples."""
    rng = np.random.default_rng(models)
    runs, starts, resamples = 200, 128, 200

    def incoherence(x):
        variance = x.var(axis=-1)
        return variance / (variance + x.mean(axis=-1) ** 2)

    wrong = uncorrected = 0
    for _ in range(runs):
        first = 1.0 + rng.normal(size=starts)
        last = 1.0 + (0.5 * (first - 1) + np.sqrt(0.75) * rng.normal(size=(models, starts)))
        chosen = rng.integers(starts, size=(resamples, starts))
        rises = incoherence(last[:, chosen]) - incoherence(first[chosen])
        low, high = np.percentile(rises, [2.5, 97.5], axis=1)
        value = incoherence(last) - incoherence(first)
        p = np.asarray(
            [p_value_of_interval(v, Interval(a, b)) for v, a, b in zip(value, low, high, strict=True)]
        )
        wrong += bool(((holm(p) < 0.05) & (value < 0)).any())
        uncorrected += bool((high < 0).any())
    # Nominal and two standard errors of so few simulations.
    assert wrong / runs < 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
    assert uncorrected / runs > (0.05 if models == 4 else 0.2)


# Whole documents


def test_planted_exponents_come_back_in_every_draw():
    found = findings(read(made_sweep(draws=5, exponents=(1.5, 0.7))))
    for name, truth in (("bias2", 1.5), ("variance", 0.7), ("validation_loss", 0.15)):
        exponent = found.laws[name].exponent
        np.testing.assert_allclose(exponent.of_draws, [truth] * 5, rtol=1e-9)
        assert exponent.headline.over == "draws" and exponent.headline.count == 5
    np.testing.assert_allclose(found.exponent_difference.of_draws, [0.8] * 5, rtol=1e-9)
    assert found.told().draws_left_out == 0


def test_the_headline_is_over_draws_and_the_other_stands_beside_it():
    sweep = made_sweep(draws=4, tau=0.3, noise=0.2)
    found = findings(read(sweep)).told()
    fit = found.fits["bias2"]
    own = [draw.exponents["bias2"] for draw in found.draws]
    half = stats.t.ppf(0.975, 3) * np.std(own, ddof=1) / 2
    np.testing.assert_allclose(fit.exponent, np.mean(own))
    np.testing.assert_allclose([*fit.ci95], [np.mean(own) - half, np.mean(own) + half])
    assert fit.over == "draws" and fit.over_draws.over == "draws" and fit.over_draws.count == 4
    assert fit.over_sizes.value == pytest.approx(fit.exponent)
    assert fit.over_sizes.ci95 != fit.ci95 and fit.over_replicates is None
    differences = [d.exponents["bias2"] - d.exponents["variance"] for d in found.draws]
    np.testing.assert_allclose([d.exponent_difference for d in found.draws], differences)
    written = to_json(Found, found)
    json.dumps(written, allow_nan=False)
    assert written["fits"]["bias2"]["over_draws"]["draws"] == 4
    assert "over_replicates" not in written["fits"]["bias2"]


def test_one_draw_has_its_interval_over_sizes_and_its_replicates_by_name():
    found = findings(read(made_sweep(draws=1, replicates=3, noise=0.2))).told()
    fit = found.fits["bias2"]
    assert fit.over == "sizes" and fit.over_draws is None
    assert fit.ci95 == fit.over_sizes.ci95
    assert fit.over_replicates.over == "replicates" and fit.over_replicates.count == 3
    written = to_json(Found, found)["fits"]["bias2"]
    assert "over_draws" not in written and written["over_replicates"]["replicates"] == 3


def test_replicates_within_a_draw_are_averaged_in_the_logarithm():
    sweep = made_sweep(draws=2, replicates=3, noise=0.3)
    found = findings(read(sweep))
    for index, own in enumerate(found.laws["bias2"].exponent.of_draws):
        means = [
            np.mean(
                [
                    math.log(model["final"]["bias2"])
                    for model in sweep["models"]
                    if (model["size"], model["problem"]) == (size, index)
                ]
            )
            for size in SIZES
        ]
        np.testing.assert_allclose(own, -np.polyfit(LOG_N, means, 1)[0])


@pytest.mark.parametrize(("size", "problem"), [("3k", 0), ("83k", 2)])
def test_a_missing_model_moves_no_difference(size, problem):
    """Draws differ by orders of magnitude in level: averaging what is left would jump."""
    whole = made_sweep(draws=3, exponents=(1.001, 1.0))
    for model in whole["models"]:
        model["final"]["bias2"] *= 10.0 ** (3 * model["problem"])
    holed = without(whole, size, problem)
    before, after = findings(read(whole)), findings(read(holed))
    for found in (before, after):
        np.testing.assert_allclose(found.exponent_difference.headline.value, 0.001, atol=1e-9)
        np.testing.assert_allclose(found.laws["bias2"].exponent.headline.value, 1.001)
    assert after.exponent_difference.headline.count == 2
    told = after.told()
    assert told.draws_left_out == 1
    row = told.draws[problem]
    assert row.missing_sizes == (size,) and row.exponents is None
    assert "exponents" not in to_json(Found, told)["draws"][problem]


def test_no_complete_draw_is_said_and_not_fitted():
    holed = read(without(without(made_sweep(draws=2), "3k", 0), "83k", 1))
    found = findings(holed).told()
    assert found.fits == {} and found.draws_left_out == 2
    assert {claim.verdict for claim in claims(holed)[:2]} == {"inconclusive"}


def test_shares_of_0_and_1_have_logarithms():
    sweep = made_sweep(draws=2)
    for model in sweep["models"]:
        model["final"]["strayed"] = 1.0 if model["size"] == "3k" else 0.0
    shares = [256.5 / 257] + [0.5 / 257] * 3
    expected = -np.polyfit(LOG_N, np.log(shares), 1)[0]
    np.testing.assert_allclose(findings(read(sweep)).laws["strayed"].exponent.headline.value, expected)


def test_an_old_document_without_problems_is_one_draw():
    sweep = made_sweep(draws=1)
    del sweep["problems"]
    sweep["schema"] = 1
    draws = draws_of(read(sweep))
    assert len(draws.draws) == 1
    assert to_json(Rollouts, draws.draws[0].teacher) == sweep["teacher"]


# Verdicts


def test_a_plain_law_is_supported_and_one_with_a_floor_is_not():
    plain = verdict(made_sweep(draws=6, noise=0.05, loss=(0.3, 0.0), floor=False), 0)
    assert plain.verdict == "supported" and "not seen to be curved" in plain.remark
    above = verdict(made_sweep(draws=6, noise=0.05, loss=(0.3, 0.5)), 0)
    assert above.verdict == "not supported" and "rejected" in above.remark
    assert "above the floor of a perfect model the exponent is 0.3" in above.remark
    assert "a plain law fits there" in above.remark and "with an offset" in above.remark
    assert judge(above.ci95) == "supported"  # its exponent alone would have been


def test_two_sizes_or_one_model_a_size_do_not_show_a_law():
    two = verdict(made_sweep(draws=4, sizes=("3k", "25k"), noise=0.01), 0)
    assert two.verdict == "inconclusive" and "three sizes" in two.remark and "R²" not in two.remark
    one = verdict(made_sweep(draws=1, noise=0.01), 0)
    assert one.verdict == "inconclusive" and "two draws or replicates" in one.remark


def test_the_rise_is_beside_that_of_the_own_teacher():
    sweep = made_sweep(draws=3, tau=0.1, noise=0.1)
    claim, found = verdict(sweep, 2), findings(read(sweep))
    rises = [model["final"]["rise"] for model in sweep["models"]]
    assert claim.value == pytest.approx(np.mean(rises)) and claim.verdict == "supported"
    assert f"least of any model {min(rises):.3f}" in claim.remark
    less = [
        m["final"]["rise"]
        - sweep["problems"][m["problem"]]["teacher"]["incoherence"][-1]
        + sweep["problems"][m["problem"]]["teacher"]["incoherence"][0]
        for m in sweep["models"]
    ]
    assert found.rises.less_teacher == pytest.approx(np.mean(less))
    assert found.rises.of == "size" and len(found.rises.each) == 4


def test_plateaus_are_paired_within_draws():
    """Draws far apart, whose small models are each a little lower: only a paired test can tell."""
    sweep = made_sweep(draws=4)
    for model in sweep["models"]:
        level = 0.1 + 0.2 * model["problem"]
        model["final"]["plateau"] = level + 0.01 * SIZES.index(model["size"]) + 1e-3 * model["problem"]
    claim = verdict(sweep, 4)
    assert claim.verdict == "supported" and claim.value == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: model.update(validation_loss=2.4), "not learned: the validation loss of 83k"),
        (lambda model: model["final"].update(error=11.0), "not learned: the error of 83k goes from 10"),
    ],
)
def test_models_that_have_not_learned_get_no_verdict(change, said):
    sweep = made_sweep(draws=3)
    for model in sweep["models"]:
        change(model)
    for claim in claims(read(sweep)):
        assert claim.verdict == "inconclusive" and claim.remark.startswith(said)


def test_tables_and_figures_by_size_are_over_the_same_draws_at_every_size():
    whole = made_sweep(draws=3, seed=5)
    sweep = without(whole, "6k", 1)
    rest = without(sweep, "3k", 1)
    rest = without(without(rest, "25k", 1), "83k", 1)  # the draw gone altogether
    texts = []
    for document in (sweep, rest):
        text = report(found_of(document))
        texts.append([text.partition(f"## {title}\n")[2].partition("\n## ")[0]
                      for title in ("Few starts hold the error", "By eigen-direction")])  # fmt: skip
    assert all(texts[0])
    assert texts[0] == texts[1]
    assert len(draws_of(read(sweep)).comparable.draws) == 2
    alone = without(without(sweep, "6k", 0), "6k", 2)
    assert len(draws_of(read(alone)).comparable.draws) == 3  # no draw is complete: all are shown
    assert "1 of them lacks a size, after a failure: in nothing" in report(found_of(sweep))


def test_the_spread_is_split_into_draws_and_trainings():
    rng = np.random.default_rng(0)
    draws, trainings = 4_000, 3
    values = 2 + 0.5 * rng.normal(size=(draws, 1)) + 1.5 * rng.normal(size=(draws, trainings))
    found = spread_of(values)
    np.testing.assert_allclose([found.draws, found.trainings], [0.5, 1.5], rtol=0.15)
    values[7, 1] = np.nan  # of a training that failed: the draw is left out
    assert spread_of(values).count == (draws - 1, trainings)
    np.testing.assert_allclose(spread_of(values).trainings, found.trainings, rtol=1e-3)
    # By hand: means 2 and 4, variances within 2 and 2; between (2 − 2 / 2).
    by_hand = spread_of(np.asarray([[1.0, 3.0], [3.0, 5.0]]))
    np.testing.assert_allclose([by_hand.draws, by_hand.trainings], [1.0, 2**0.5])
    assert spread_of(values[:, :1]) is None and spread_of(values[:1]) is None
    sweep = made_sweep(draws=3, seed=5)
    told = findings(read(sweep)).told()
    assert told.exponent_difference.spread is None
    assert "spread" not in to_json(Found, told)["exponent_difference"]
    sweep = found_of(made_sweep(draws=3, seed=5, replicates=2))
    assert sweep.found.exponent_difference.spread.count == (3, 2)
    assert "3 draws of 2" in report(sweep)


def test_without_an_error_to_divide_there_is_no_rise_and_no_verdict_about_it():
    sweep = made_sweep(draws=3, seed=5)
    for problem in sweep["problems"]:  # every start is at the minimum
        teacher = problem["teacher"]
        problem["teacher"] = teacher | {"incoherence": [None, *teacher["incoherence"][1:]]}
    for model in sweep["models"]:
        model["final"] |= {"rise": None, "rise_ci95": None}
    sweep = found_of(sweep)
    assert sweep.found.rises is None
    claim = next(claim for claim in claims(sweep) if "over the steps" in claim.statement)
    assert claim.verdict == "inconclusive" and claim.value is None and "0/0" in claim.remark
    assert "incoherence is 0/0 there" in report(sweep)
