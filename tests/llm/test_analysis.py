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

from hotmess_jax.llm.analyses import (
    AnalysisSettings,
    Questions,
    answer_changes,
    by_budget,
    by_field,
    by_label,
    by_measured_field,
    cross_fitted,
    difficulty_groups,
    difficulty_labels,
    efficiency,
    embedding_questions,
    ensembling,
    format_failures,
    incoherence_surface,
    itself,
    length_correlation,
    length_field,
    natural_overthinking,
    one_question,
    overall,
    questions_of,
    scaling_by_difficulty,
    sensitivity,
    summarise,
    unit_test_questions,
    with_wait_ratio,
)
from hotmess_jax.llm.analyses.groups import grouped, log_log_fit
from hotmess_jax.llm.analyses.questions import estimate, mean_parts, means, percentiles
from kernels.decompositions import Decomposition, brier, coverage, kl
from kernels.resampling import bootstrap, percentile_interval

BRIER = AnalysisSettings("brier", resamples=200)
KL = AnalysisSettings("kl", resamples=200)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def inside(value, ends):
    return ends[0] <= value <= ends[1]


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
    return by_field(questions_of(records, BRIER), "output_tokens", BRIER, groups=(10, 5))


def test_a_planted_slope_is_recovered_within_its_interval():
    seeds = 40
    found = [by_length(seed, 0.4)["corrected"]["slopes"] for seed in range(seeds)]
    for groups in ("10", "5"):
        slopes = [of[groups]["incoherence"] for of in found]
        covered = sum(inside(0.4, slope["ci95"]) for slope in slopes)
        # Below this one binomial in a thousand falls, were the intervals' coverage 95 %.
        assert covered >= stats.binom.ppf(1e-3, seeds, 0.95)
        assert np.mean([slope["value"] for slope in slopes]) == pytest.approx(0.4, abs=0.02)
        assert min(slope["r2"] for slope in slopes) > 0.8


def test_no_effect_is_found_where_none_is():
    seeds = 100
    found = [by_length(seed, 0)["corrected"] for seed in range(seeds)]
    for of in (
        [one["slopes"]["10"]["incoherence"] for one in found],
        [one["slopes"]["5"]["incoherence"] for one in found],
        [one["halves"]["incoherence"] for one in found],
        [one["halves"]["accuracy"] for one in found],
    ):
        wrong = sum(not inside(0, value["ci95"]) for value in of)
        assert wrong <= stats.binom.ppf(1 - 1e-3, seeds, 0.05)


def test_curves_are_those_of_a_plain_loop():
    random = np.random.default_rng(0)
    length = random.permutation(23) + 1.0
    records = two_answers(random.uniform(0.1, 0.9, 23), length, 6, random)
    found = by_field(questions_of(records, BRIER), "output_tokens", BRIER, groups=(4,))["plugin"]
    right = records["answer"].to_numpy().reshape(23, 6) == "A"
    share = right.mean(axis=1)
    bias2, variance = 2 * (1 - share) ** 2, 2 * share * (1 - share)
    order = np.argsort(length)
    cuts = [order[-(-23 * i // 4) : -(-23 * (i + 1) // 4)] for i in range(4)]
    for i, rows in enumerate(cuts):
        for name, expected in (
            ("along", length[rows].mean()),
            ("bias2", bias2[rows].mean()),
            ("accuracy", share[rows].mean()),
            ("incoherence", variance[rows].sum() / (bias2 + variance)[rows].sum()),
        ):
            assert found["curves"][name]["value"][i] == pytest.approx(expected)
    x, y = (np.log(found["curves"][name]["value"]) for name in ("along", "incoherence"))
    assert found["slopes"]["4"]["incoherence"]["value"] == pytest.approx(np.polyfit(x, y, 1)[0])
    assert found["slopes"]["4"]["incoherence"]["r2"] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_groups_of_drawn_questions_are_those_of_the_row_they_make(data):
    questions = data.draw(st.integers(2, 12))
    count = data.draw(st.integers(1, questions))
    cuts = sorted(data.draw(st.lists(st.integers(0, questions), min_size=questions - 1,
                                     max_size=questions - 1)))  # fmt: skip
    drawn = np.diff([0, *cuts, questions])
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = {name: random.random(questions) for name in ("bias2", "variance", "along")}
    found = grouped(arrays, drawn[None].astype(float), count)
    for name, values in arrays.items():
        row = np.repeat(values, drawn)
        expected = [row[-(-questions * i // count) : -(-questions * (i + 1) // count)].mean()
                    for i in range(count)]  # fmt: skip
        np.testing.assert_allclose(found[name][0], expected)


def test_a_slope_needs_values_above_0():
    x = np.asarray([1.0, 2.0, 4.0])
    slope, r2 = log_log_fit(x, np.stack([x**0.7, [0, 1, 2], [3, 3, 3]]))
    assert slope[0] == pytest.approx(0.7) and r2[0] == pytest.approx(1)
    assert np.isnan(slope[1]) and slope[2] == 0 and np.isnan(r2[2])


def test_questions_without_the_field_are_counted():
    random = np.random.default_rng(0)
    records = two_answers(np.full(8, 0.5), np.arange(8.0), 4, random)
    records = records.with_columns(pl.when(pl.col("question_id") != "q0003").then("output_tokens"))
    found = by_field(questions_of(records, BRIER), "output_tokens", BRIER)
    assert (found["questions"], found["without_field"], found["groups"]) == (7, 1, 2)
    with pytest.raises(ValueError, match="only 3 questions have 'output_tokens'"):
        few = records.filter(pl.col("question_id") < "q0004")
        by_field(questions_of(few, BRIER), "output_tokens", BRIER)


# Intervals


def test_intervals_are_those_of_the_kernels_bootstrap():
    random = np.random.default_rng(3)
    parts = Decomposition(*random.gamma(2, size=(3, 400)))
    arrays = parts._asdict()
    value, ends = estimate(mean_parts, arrays, dataclasses.replace(BRIER, resamples=4000))
    drawn = bootstrap(
        jax.random.key(0),
        lambda p: p.variance.mean(axis=0) / (p.bias2 + p.variance).mean(axis=0),
        parts,
        replicates=4000,
    )
    width = np.ptp(ends["incoherence"])
    np.testing.assert_allclose(ends["incoherence"], percentile_interval(drawn), atol=0.1 * width)
    expected = parts.variance.sum() / (parts.bias2 + parts.variance).sum()
    assert value["incoherence"] == pytest.approx(expected)


def test_no_interval_of_one_question_or_of_values_that_are_mostly_unknown():
    value, ends = estimate(means, {"x": np.asarray([2.0])}, BRIER)
    assert value["x"] == 2 and np.isnan(ends["x"]).all()
    some = np.arange(100.0)
    some[:6] = np.nan
    assert np.isnan(percentiles(some)).all()
    some[5] = 5
    np.testing.assert_allclose(percentiles(some), np.percentile(np.arange(5.0, 100), [2.5, 97.5]))


def test_kl_of_answers_that_are_all_right_is_0_without_dust():
    records = two_answers(np.asarray([1.0, 1.0, 0.5]), np.ones(3), 20, np.random.default_rng(0))
    questions = questions_of(records, KL)
    assert questions.plugin.error[:2].tolist() == [0, 0] and questions.plugin.error[2] > 1
    right = overall(questions_of(records.filter(pl.col("question_id") < "q0002"), KL), KL)
    for form in ("plugin", "corrected"):
        # Of two questions that were right others of the kind need not be.
        low, high = right[form]["error"]["ci95"]
        assert right[form]["error"]["value"] == low == 0 and high > 10
        # 0/0 is not known, and neither is its interval.
        assert right[form]["incoherence"] == {"value": None, "ci95": [None, None]}


# Longer against shorter samples


def exchangeable(seed, questions=30, samples=10):
    random = np.random.default_rng(seed)
    length = random.lognormal(5, 1, (questions, samples))
    return two_answers(random.uniform(0.1, 0.9, questions), length, samples, random)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["brier", "kl"])
def test_the_median_split_of_exchangeable_samples_rejects_at_its_level(metric):
    few = AnalysisSettings(metric, resamples=10)
    p = [
        natural_overthinking(exchangeable(seed), "output_tokens",
                             dataclasses.replace(few, seed=seed), 199)["difference"]["incoherence"]["p"]
        for seed in range(1000)
    ]  # fmt: skip
    assert 0.03 <= np.mean(np.asarray(p) <= 0.05) <= 0.07


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
    assert found["short"]["incoherence"]["value"] == 0
    assert found["long"]["incoherence"]["value"] == pytest.approx(0.4, abs=0.05)  # 0.5 less 1/5 of it
    assert found["difference"]["incoherence"]["p"] == pytest.approx(1 / 200)
    assert found["difference"]["accuracy"]["value"] == pytest.approx(right.mean() * 2)
    assert inside(0.5, found["difference"]["accuracy"]["ci95"])


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
            assert found[name][part]["value"] == pytest.approx(float(getattr(split, part).mean()))
        assert found[name]["accuracy"]["value"] == pytest.approx((chosen.argmax(-1) == 0).mean())
        assert found[name]["along"]["value"] == pytest.approx(
            np.take_along_axis(length, rows, axis=1).mean()
        )
    assert found["samples"] == 5 * 2 * half


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
    assert abs(found["difference"]["accuracy"]["value"]) < 0.2
    assert found["difference"]["accuracy"]["p"] > 0.01
    few = records.filter(pl.col("sample") < 3)
    with pytest.raises(ValueError, match="two samples on either side"):
        natural_overthinking(few, "output_tokens", BRIER, 99)
    some = records.filter((pl.col("sample") < 3) | (pl.col("question_id") < "q0150"))
    assert natural_overthinking(some, "output_tokens", BRIER, 99)["left_out"] == 50


def test_budgets_are_beside_their_natural_variation():
    random = np.random.default_rng(0)
    parts = [
        two_answers(np.full(40, right), random.lognormal(np.log(mean), 0.3, (40, 8)), 8, random)
        .with_columns(budget=pl.lit(budget), sample=pl.col("sample") + 8 * i)
        for i, (budget, mean, right) in enumerate([("low", 100, 0.3), ("high", 1000, 0.8)])
    ]  # fmt: skip
    rows = by_budget(pl.concat(parts), "output_tokens", BRIER)
    assert [row["budget"] for row in rows] == ["low", "high"]
    for row, right in zip(rows, (0.3, 0.8), strict=True):
        assert inside(right, row["corrected"]["incoherence"]["ci95"])
        assert row["natural"]["questions"] == 40
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
    assert [row["budget"] for row in rows] == [None, "low", "high", "max"]
    assert [row["mean_length"] for row in rows] == [10, 10, None, None]
    assert [row["natural"] is None for row in rows] == [False, False, True, True]
    assert all(row["questions"] == 6 and row["samples"] == 24 for row in rows)


def test_a_half_without_error_has_no_incoherence_and_no_test():
    random = np.random.default_rng(0)
    length = np.tile(np.arange(8.0), (20, 1))
    right = np.concatenate([np.ones((20, 4), bool), random.random((20, 4)) < 0.5], axis=1)
    records = two_answers(np.zeros(20), length, 8, random).with_columns(
        answer=pl.Series(np.where(right, "A", "B").ravel())
    )
    found = natural_overthinking(records, "output_tokens", BRIER, 50)
    assert found["short"]["error"]["value"] == 0
    for of in (found["short"], found["difference"]):
        assert of["incoherence"]["value"] is None and of["incoherence"]["ci95"] == [None, None]
    assert found["difference"]["incoherence"]["p"] is None
    assert found["difference"]["accuracy"]["p"] < 0.1


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
    found = overall(questions_of(records, BRIER), BRIER)
    for value, truth in (
        (found["corrected"]["bias2"], 0.5),
        (found["corrected"]["variance"], 0.5),
        (found["corrected"]["error"], 1),
        (found["contexts"]["between"], 0.5 * share),
        (found["contexts"]["within"], 0.5 * (1 - share)),
    ):
        # Within four standard errors, as the interval over questions has them.
        assert value["value"] == pytest.approx(truth, abs=np.ptp(value["ci95"]) + 1e-9)
    assert found["contexts"]["questions"] == 500
    (group,) = summarise(records, metrics=["brier", "zero_one"], resamples=200)
    brier_, told = group["metrics"]["brier"], group["metrics"]["brier"]["contexts"]
    assert brier_["corrected"]["variance"] == found["corrected"]["variance"]["value"]
    assert brier_["corrected"]["ci95"]["variance"] == found["corrected"]["variance"]["ci95"]
    assert told == found["contexts"] and group["metrics"]["zero_one"]["contexts"] is None


@pytest.mark.slow
@pytest.mark.parametrize("share", [1, 0.4])
def test_intervals_of_samples_in_contexts_cover_the_truth(share):
    seeds, covered = 200, dict.fromkeys(("bias2", "variance", "between", "within"), 0)
    for seed in range(seeds):
        found = overall(questions_of(in_contexts(seed, 60, [3] * 10, share), BRIER), BRIER)
        truth = {"bias2": 0.5, "variance": 0.5, "between": 0.5 * share, "within": 0.5 * (1 - share)}
        for name, value in truth.items():
            of = found["contexts"] if name in ("between", "within") else found["corrected"]
            low, high = of[name]["ci95"]
            covered[name] += low - 1e-9 <= value <= high + 1e-9
    least = stats.binom.ppf(
        1e-3, seeds, 0.93
    )  # percentile intervals of 60 questions are a little short
    assert min(covered.values()) >= least, covered


def test_one_context_or_one_sample_in_each_falls_back_and_says_so():
    flat = in_contexts(0, 40, [6])
    one = overall(questions_of(flat, BRIER), BRIER)
    bare = overall(questions_of(without_contexts(flat), BRIER), BRIER)
    assert one["corrected"] == bare["corrected"] and bare["contexts"] is None
    nothing = {"questions": 0, "between": None, "within": None}
    assert one["contexts"] == nothing | {"one_context": 40, "one_sample_each": 0}
    each = flat.with_columns(context=pl.col("sample"), sample=pl.lit(0))
    single = overall(questions_of(each, BRIER), BRIER)
    assert single["contexts"] == nothing | {"one_context": 0, "one_sample_each": 40}
    for name in ("error", "bias2", "variance", "incoherence"):
        assert single["corrected"][name]["value"] == pytest.approx(bare["corrected"][name]["value"])
    both = pl.concat([flat.filter(pl.col("question_id") < "q00010"),
                      in_contexts(1, 40, [3, 3]).filter(pl.col("question_id") >= "q00010")])  # fmt: skip
    assert overall(questions_of(both, BRIER), BRIER)["contexts"]["questions"] == 30
    assert overall(questions_of(both, BRIER), BRIER)["contexts"]["one_context"] == 10
    # KL has no corrected value of so few, and so none between contexts and within them.
    kl_of = overall(questions_of(both, KL), KL)
    assert kl_of["contexts"] is None and "fewer than 8" in kl_of["no_corrected"]


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
    found = overall(questions_of(records, KL), KL)
    flat = overall(questions_of(without_contexts(records), KL), KL)
    fixed, rough, plugin = (
        found["corrected"]["variance"],
        flat["corrected"]["variance"]["value"],
        flat["plugin"]["variance"]["value"],
    )
    assert plugin < rough < truth and abs(fixed["value"] - truth) < 0.3 * abs(rough - truth)
    assert inside(truth, fixed["ci95"])
    assert found["contexts"]["between"]["value"] > 10 * found["contexts"]["within"]["value"]


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
    np.testing.assert_allclose(embedding_questions(answers, vectors).corrected.variance, total)


def test_ensembles_over_contexts_follow_the_1_over_E_law():
    """8 contexts of 4 with all variance between them: single samples have 0.5, so 0.25 and 0.125."""
    records = in_contexts(2, 300, [4] * 8)
    found = ensembling(records, BRIER)
    assert found["ensembles"][:4] == [10, 10, 10, 8]
    variance = found["corrected"]["variance"]
    single = found["expected"]["variance"]["value"][0]
    assert single == pytest.approx(0.5, abs=0.03)
    for i, size in enumerate(found["sizes"]):
        assert variance["value"][i] == pytest.approx(single / size, abs=2 * np.ptp(variance["ci95"][i]))
        bias2 = found["corrected"]["bias2"]["value"][i]
        assert bias2 == pytest.approx(found["expected"]["bias2"]["value"][i], abs=0.02)
    # Without the contexts samples are what they are among these eight: 0.5·(1 − 3/31) of single ones.
    unknown = ensembling(without_contexts(records), BRIER)["corrected"]
    for size in (2, 4):
        assert unknown["variance"]["value"][size - 1] == pytest.approx(0.4516 / size, abs=0.02)


def test_fewer_samples_are_drawn_over_all_contexts():
    """All variance is between contexts: three samples of one context would have none."""
    records = in_contexts(0, 60, [4] * 8)
    rows = {row["value"]: row for row in sensitivity(records, BRIER) if row["what"] == "samples"}
    assert set(rows) == {"3 at random", "5 at random", "10 at random", "20 at random"}
    for value, row in rows.items():
        assert row["samples"] == 60 * int(value.split()[0])
        of = row["corrected"]["variance"]
        assert of["value"] == pytest.approx(0.5, abs=np.ptp(of["ci95"]))
    more = records.filter((pl.col("question_id") != "q00000") | (pl.col("context") < 2))
    found = efficiency(more, BRIER, replicates=10)
    # Of the questions with 32 samples, eight of all contexts, not of the first two.
    # Two samples of 32 share a context in 3 of 31 pairs.
    expected = 0.5 * 3 / 4 * 28 / 31
    assert found["samples"][-1] == 4 and found["variance"][-1] == pytest.approx(expected, abs=0.05)


# Difficulty and size


def scaled(seed=0, questions=300):
    """Return models whose bias² falls as N^−0.5 and variance as N^−0.2."""
    random = np.random.default_rng(seed)
    length = np.sort(random.uniform(1, 100, questions))
    sizes = {"s": 1e8, "m": 1e9, "l": 1e10, "xl": 1e11}
    noise = functools.partial(random.lognormal, 0, 0.3, questions)
    models = {
        name: planted(length * (n / 1e8) ** -0.5 * noise(), (n / 1e8) ** -0.2 * noise(), tokens=length)
        for name, n in sizes.items()
    }
    return models, sizes


def test_planted_exponents_are_recovered_in_every_group():
    models, sizes = scaled()
    groups = difficulty_groups(models["xl"], "tokens", 3)
    assert groups["group"].value_counts().sort("group")["count"].to_list() == [100, 100, 100]
    assert groups.filter(pl.col("group") == 0)["question_id"].max() == "q0099"
    found = scaling_by_difficulty(models, sizes, groups, BRIER)
    assert found["models"] == ["s", "m", "l", "xl"] and len(found["groups"]) == 3
    for row in found["groups"]:
        for name, exponent in (("bias2", -0.5), ("variance", -0.2)):
            of = row["plugin"]["exponents"][name]
            assert inside(exponent, of["ci95"]) and of["r2"] > 0.98
            assert of["value"] == pytest.approx(exponent, abs=0.03)
    with pytest.raises(ValueError, match="at least two sizes"):
        scaling_by_difficulty(models, {"s": 1e8}, groups, BRIER)
    with pytest.raises(ValueError, match="301 groups of difficulty"):
        difficulty_groups(models["xl"], "tokens", 301)


def test_exponents_cover_the_truth_in_95_percent_of_seeds():
    covered = 0
    for seed in range(60):
        models, sizes = scaled(seed, 40)
        found = scaling_by_difficulty(models, sizes, difficulty_groups(models["s"], "tokens", 2), BRIER)
        covered += inside(-0.2, found["groups"][1]["plugin"]["exponents"]["variance"]["ci95"])
    assert covered >= stats.binom.ppf(1e-3, 60, 0.95)


def test_a_planted_surface_is_recovered():
    random = np.random.default_rng(0)
    sizes = {"s": 1e8, "m": 1e9, "l": 1e10}
    models = {}
    for name, n in sizes.items():
        length = np.exp(random.uniform(np.log(10), np.log(1000), 400))
        true = 0.1 * length**0.3 * (n / 1e8) ** -0.1
        variance = np.clip(true * random.uniform(0.8, 1.2, 400), 0, 1)
        models[name] = itself(planted(1 - variance, variance, tokens=length), "tokens")
    found = incoherence_surface(models, sizes, "tokens", BRIER)
    for name, value in (("length", 0.3), ("size", -0.1)):
        assert inside(value, found["coefficients"][name]["ci95"])
        assert found["coefficients"][name]["value"] == pytest.approx(value, abs=0.01)
    assert found["r2"] > 0.98
    models["s"] = itself(planted(np.ones(400), np.zeros(400), tokens=length), "tokens")
    assert incoherence_surface(models, sizes, "tokens", BRIER)["r2"] is None


def longer_where_wrong(seed, questions, samples, own=0.0):
    """Return records of questions that are all the same, whose wrong samples are 1.5 × as long."""
    random = np.random.default_rng(seed)
    right = random.random((questions, samples)) < 0.6
    length = 100 * np.exp(own * random.normal(size=(questions, 1))) * np.where(right, 1, 1.5)
    length = length * np.exp(0.1 * random.normal(size=right.shape))
    return table(
        question_id=[f"q{i:04}" for i in range(questions) for _ in range(samples)],
        sample=list(range(samples)) * questions,
        answer=np.where(right, "A", "B").ravel().tolist(),
        output_tokens=length.ravel().tolist(),
    )


@pytest.mark.parametrize("own", [0.0, 0.3])
def test_questions_that_are_all_the_same_do_not_differ_with_the_length_of_their_wrong_samples(own):
    few = AnalysisSettings("brier", resamples=100)
    decompose = functools.partial(questions_of, settings=few)
    fitted, covered, same = [], 0, []
    for seed in range(12):
        records = longer_where_wrong(seed, 100, 6, own)
        found = by_measured_field(records, "output_tokens", decompose, few, (5,))
        half = found["corrected"]["halves"]["incoherence"]
        fitted.append(half["value"])
        covered += inside(0, half["ci95"])
        direct = by_field(questions_of(records, few), "output_tokens", few, (5,))
        same.append(direct["corrected"]["halves"]["incoherence"]["value"])
    assert abs(np.mean(fitted)) < 4 * np.std(fitted) / np.sqrt(12)
    assert abs(np.mean(fitted)) < 0.05
    assert covered >= stats.binom.ppf(1e-3, 12, 0.95)
    # What the split is there for: sorted by the samples themselves they do differ.
    assert np.mean(same) < -0.05


def test_length_is_read_from_other_samples_than_are_decomposed():
    records = longer_where_wrong(0, 10, 6)
    wrong = pl.col("answer") == "B"
    records = records.with_columns(wrong.cast(pl.Float64).alias("wrong"))
    folds = cross_fitted(records, "wrong", functools.partial(questions_of, settings=BRIER), splits=2)
    everything = records.sort("question_id").group_by("question_id", maintain_order=True)
    total = everything.agg(pl.col("wrong").sum())["wrong"].to_numpy()
    assert len(folds) == 4
    for fold in folds:
        # Three samples each: the wrong ones among those that are decomposed and those that are not.
        inside_it = fold.questions.table["wrong"].to_numpy() * 3
        np.testing.assert_allclose(inside_it + fold.along * 3, total)
    for first, second in (folds[:2], folds[2:]):
        np.testing.assert_allclose(first.along, second.questions.table["wrong"].to_numpy())
    with pytest.raises(ValueError, match="no question has 4 samples with 'wrong'"):
        few = records.filter(pl.col("sample") < 3)
        cross_fitted(few, "wrong", functools.partial(questions_of, settings=BRIER))


def test_contexts_are_split_whole_where_there_are_four():
    records = longer_where_wrong(0, 5, 12).with_columns((pl.col("sample") // 3).alias("context"))
    records = records.with_columns(pl.col("context").cast(pl.Float64).alias("field"))
    decompose = functools.partial(questions_of, settings=BRIER)
    for fold in cross_fitted(records, "field", decompose, splits=3):
        # Of contexts 0 to 3 two whole ones are in either half, whose means sum to 3.
        np.testing.assert_allclose(fold.along + fold.questions.table["field"].to_numpy(), 3)
        assert set(fold.questions.table["count"].to_list()) == {6}


def test_a_question_is_drawn_for_all_models_of_a_surface_at_once():
    random = np.random.default_rng(0)
    length = np.exp(random.uniform(np.log(10), np.log(1000), 200))
    variance = np.clip(0.1 * length**0.3 * random.uniform(0.3, 1.7, 200), 0, 1)
    sizes = {"s": 1e8, "l": 1e10}
    models = {name: itself(planted(1 - variance, variance, tokens=length), "tokens") for name in sizes}
    found = incoherence_surface(models, sizes, "tokens", BRIER)["coefficients"]
    # Models with the same questions do not differ in any draw; length's interval is as wide as one's.
    np.testing.assert_allclose(found["size"]["ci95"], 0, atol=1e-9)
    alone = by_field(models["s"][0].questions, "tokens", BRIER, (10,))["plugin"]["slopes"]["10"]
    ends = np.ptp(alone["incoherence"]["ci95"])
    assert np.ptp(found["length"]["ci95"]) == pytest.approx(ends, rel=0.15)


def test_the_interval_of_a_rank_correlation_covers_it():
    true = 6 / np.pi * np.arcsin(0.6 / 2)
    covered = 0
    for seed in range(200):
        x, y = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 60).T
        models = {k: planted(np.ones(60), np.ones(60), tokens=v) for k, v in (("a", x), ("b", y))}
        (found,) = length_correlation(models, dict.fromkeys(models, "tokens"))
        assert found["rho"]["value"] == pytest.approx(stats.spearmanr(x, y).statistic)
        covered += inside(true, found["rho"]["ci95"])
    assert stats.binom.ppf(1e-3, 200, 0.95) <= covered


# Ensembles, fewer samples, sensitivity


def test_ensembles_follow_the_1_over_E_law():
    random = np.random.default_rng(0)
    records = any_answers(random.dirichlet(np.ones(4), 400), 24, random)
    found = ensembling(records, BRIER)
    single = overall(questions_of(records, BRIER), BRIER)["corrected"]
    assert found["sizes"][0] == 1 and found["sizes"][-1] == 12
    for i, size in enumerate(found["sizes"]):
        law = single["variance"]["value"] / size
        assert found["expected"]["variance"]["value"][i] == pytest.approx(law)
        for name, value in (("variance", law), ("bias2", single["bias2"]["value"])):
            of = found["corrected"][name]
            # Twelve sizes of two parts: each within four standard errors.
            assert of["value"][i] == pytest.approx(value, abs=4 / 3.92 * np.ptp(of["ci95"][i]))
    assert found["ensembles"] == [min(10, 24 // size) for size in found["sizes"]]
    # Plug-in of six at every size of which six fit, low by one of them: the curve falls as 1/E.
    assert found["compared"] == 6
    for i, size in enumerate(found["sizes"]):
        of = found["plugin"]["variance"]
        if size > 4:
            assert of["value"][i] is None and of["ci95"][i] == [None, None]
        else:
            expected = single["variance"]["value"] / size * 5 / 6
            assert of["value"][i] == pytest.approx(expected, abs=2 / 3.92 * np.ptp(of["ci95"][i]))
    again = ensembling(records, dataclasses.replace(BRIER, seed=1))
    assert again["corrected"]["variance"] != found["corrected"]["variance"]
    assert ensembling(records, BRIER) == found
    of_kl = ensembling(records, KL)
    assert of_kl["sizes"] == [1, 2, 3, 4] and of_kl["ensembles"] == [6] * 4 and "expected" not in of_kl
    assert None not in of_kl["plugin"]["variance"]["value"]
    for why, value in zip(of_kl["no_corrected"], of_kl["corrected"]["variance"]["value"], strict=True):
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
    split = overall(questions_of(records, BRIER), BRIER)
    assert found["questions"] == 300 and found["samples"] == list(range(2, 6))
    for n, value, spread in zip(
        found["samples"], found["variance"], found["variance_spread"], strict=True
    ):
        expected = split["corrected"]["variance"]["value"] * (n - 1) / n
        assert value == pytest.approx(expected, abs=4 * spread / np.sqrt(40) + 1e-12)


def test_sensitivity_changes_one_thing_at_a_time():
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(5), 30)
    records = any_answers(probs, 6, random).with_columns(
        error_type=pl.when(pl.col("question_id") < "q0005").then(pl.lit("wrong_groundtruth"))
    )
    rows = {(row["what"], row["value"]): row for row in sensitivity(records, KL)}
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
        assert rows[case]["plugin"] == overall(questions_of(part, of), of)["plugin"]
    assert rows[("labels known to be wrong", "left out")]["questions"] == 25


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
    (found,) = answer_changes(records, BRIER)
    # Within a context q1, q3, q4; the contexts' majority answers in q2 alone, since q1, q3 and q4 have
    # ties that hold the other context's answer; any two all but q0.
    assert [found[k]["value"] for k in ("resampling", "context", "both")] == [0.6, 0.2, 0.8]
    assert found["answers"] == 4
    groups = pl.DataFrame(
        {"benchmark": pl.Series([None] * 5, dtype=pl.String), "question_id": list(answers),
         "group": [0, 0, 0, 1, 1]}
    )  # fmt: skip
    rows = answer_changes(records, BRIER, groups)
    assert [row["group"] for row in rows] == [None, 0, 1]
    assert rows[2]["resampling"]["value"] == 1 and rows[1]["context"]["value"] == pytest.approx(1 / 3)


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
    (found,) = answer_changes(records, BRIER)
    assert found["context"]["value"] == 0.5
    shuffled = records.sample(fraction=1, shuffle=True, seed=0)
    assert answer_changes(shuffled, BRIER) == [found]
    rows = answer_changes(records, BRIER, difficulty_labels(records))
    assert [(row["group"], row["questions"]) for row in rows] == [(None, 4), ("easy", 2), ("hard", 1)]
    assert [row["context"]["value"] for row in rows] == [0.5, 0.5, 0]
    with pytest.raises(ValueError, match="no record has a difficulty"):
        difficulty_labels(records.drop("difficulty"))


def test_shares_of_changes_are_those_of_the_distribution():
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(4), 500)
    (found,) = answer_changes(any_answers(probs, 5, random), BRIER)
    assert inside((1 - (probs**5).sum(axis=1)).mean(), found["resampling"]["ci95"])
    assert "context" not in found


def test_format_failures_by_model_and_budget():
    records = table(
        question_id=[str(i) for i in range(50)],
        sample=[0] * 50,
        budget=["low"] * 20 + ["high"] * 30,
        answer=[""] * 5 + ["A"] * 15 + ["B"] * 30,
    )
    high, low = format_failures(records)
    assert (high["budget"], high["unparsed"], high["samples"]) == ("high", 0, 30)
    assert low["share"]["value"] == 0.25 and low["questions"] == 20
    # One sample a question: Wilson's interval with n − 1 for n, and Student's quantile.
    n, p, z = 19, 0.25, stats.t.ppf(0.975, 19)
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    wilson = [(middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)]
    np.testing.assert_allclose(low["share"]["ci95"], wilson)
    n, z = 30, stats.t.ppf(0.975, 29)
    np.testing.assert_allclose(high["share"]["ci95"], [0, z**2 / n / (1 + z**2 / n)], atol=1e-12)


@pytest.mark.parametrize(("a", "b"), [(0.2, 1.8), (0.05, 0.95)])
def test_intervals_of_format_failures_cover_where_questions_fail_together(a, b):
    random, runs, covered = np.random.default_rng(0), 150, 0
    for _ in range(runs):
        failed = random.random((100, 10)) < random.beta(a, b, size=(100, 1))
        records = table(
            question_id=[f"q{i:03}" for i in range(100) for _ in range(10)],
            sample=list(range(10)) * 100,
            answer=np.where(failed, "", "A").ravel().tolist(),
        )
        (found,) = format_failures(records)
        covered += inside(a / (a + b), found["share"]["ci95"])
    assert covered >= stats.binom.ppf(1e-3, runs, 0.95)


def test_the_question_with_most_answers_is_shown():
    records = table(
        question_id=["a"] * 3 + ["b"] * 3, sample=[2, 1, 0] * 2, answer=["A", "A", "B", "C", "", "A"]
    )
    found = one_question(records)
    assert found["question_id"] == "b" and found["target"] == "A"
    assert [sample["given"] for sample in found["samples"]] == ["A", "", "C"]
    assert one_question(records, "a")["question_id"] == "a"
    # Two benchmarks with questions of the same ids are no chimera.
    twice = pl.concat([records, records.with_columns(benchmark=pl.lit("other"), target=pl.lit("C"))])
    found = one_question(twice, "b", "other")
    assert (found["benchmark"], found["target"], len(found["samples"])) == ("other", "C", 3)
    assert len(one_question(twice)["samples"]) == 3
    likely = records.with_columns(
        answer=pl.lit(None, pl.String), probs=pl.lit('{"A": 0.2, "B": 0.5, "C": 0.3, "D": 0.0}')
    )
    assert {sample["given"] for sample in one_question(likely)["samples"]} == {"B"}


def test_questions_with_too_few_samples_are_left_out_and_counted():
    settings = AnalysisSettings("brier", resamples=20)
    ids = [q for q, count in (("a", 8), ("b", 8), ("c", 3), ("d", 2)) for _ in range(count)]
    records = table(question_id=ids, sample=[*range(8), *range(8), *range(3), *range(2)],
                    answer=["A", "B", "A"] * 7)  # fmt: skip
    found = ensembling(records, settings, draws=2)
    assert (found["questions"], found["fewer_samples"], found["samples_a_question"]) == (2, 2, 8)
    alone = ensembling(records.filter(pl.col("question_id").is_in(["a", "b"])), settings, draws=2)
    assert found["expected"] == alone["expected"] and alone["fewer_samples"] == 0
    with pytest.raises(ValueError, match="need 4 samples of a question, and none of 2 has"):
        ensembling(records.filter(pl.col("question_id").is_in(["c", "d"])), settings)


def test_lengths_that_do_not_vary_are_none():
    records = table(question_id=list("aabbccdd"), sample=[0, 1] * 4, answer=["A"] * 8)
    records = records.with_columns(actions=pl.lit(1), words=pl.Series([1, 2, 3, 4, 1, 2, 2, 1]))
    assert length_field(records) == "words"
    settings = AnalysisSettings("brier", resamples=20)
    questions = questions_of(records, settings)
    with pytest.raises(ValueError, match="'actions' is the same of all questions: 1"):
        by_field(questions, "actions", settings)
    with pytest.raises(ValueError, match="same of all samples of every question"):
        natural_overthinking(pl.concat([records, records.with_columns(sample=pl.col("sample") + 2)]),
                             "actions", settings, 10)  # fmt: skip
    # Means 1.5, 3.5, 1.5, 1.5: the cut into halves is between two of the same.
    assert by_field(questions, "words", settings, (2,))["tied_cuts"] == 1


def test_topics_and_waits():
    random = np.random.default_rng(0)
    right = np.repeat([0.2, 0.7], 100)
    records = two_answers(right, np.repeat([50.0, 10.0], 100), 20, random).with_columns(
        topic=pl.when(pl.col("question_id") < "q0100").then(pl.lit("law")).otherwise(pl.lit("art"))
    )
    law, art = by_label(questions_of(records, BRIER), "output_tokens", BRIER)
    assert (law["topic"], law["questions"], law["along"]["value"]) == ("law", 100, 50)
    assert inside(0.7 * (1 - 1 / 20), art["incoherence"]["ci95"])
    labelled = records.rename({"topic": "difficulty"})
    hard, easy = by_label(questions_of(labelled, BRIER), "output_tokens", BRIER, "difficulty")
    assert (hard["difficulty"], easy["difficulty"]) == ("law", "art")
    assert {k: v for k, v in hard.items() if k != "difficulty"} == {
        k: v for k, v in law.items() if k != "topic"
    }
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
    assert by_field(questions, "actions", BRIER, (3,))["groups"] == 3
    with pytest.raises(ValueError, match="no task has two runs"):
        unit_test_questions(records.filter(pl.col("sample") == 0))


def test_unit_tests_are_split_by_length_too():
    random = np.random.default_rng(1)
    actions = np.stack([random.permutation(8) for _ in range(10)]) * 1.0
    records, outcomes = unit_tests(random.uniform(0, 1, (10, 3)), 8, random, actions)
    found = natural_overthinking(records, "actions", BRIER, 50)
    assert found["metric"] == "coverage"
    order = np.argsort(actions, axis=1)
    for name, rows in (("short", order[:, :4]), ("long", order[:, 4:])):
        split = coverage(np.take_along_axis(outcomes, rows[..., None], axis=1))
        for part in ("error", "bias2", "variance"):
            assert found[name][part]["value"] == pytest.approx(float(getattr(split, part).mean()))


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
    questions = embedding_questions(records, vectors)
    first = vectors[[0, 1, 2, 3, 4, 6, 7]]
    expected = ((first - first.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert questions.plugin.variance[0] == pytest.approx(expected)
    found = by_field(questions, "output_tokens", BRIER)["corrected"]["slopes"]["10"]["variance"]
    assert inside(0.5, found["ci95"]) and found["r2"] > 0.9
    # Embeddings have a variance and nothing else.
    curves = by_field(questions, "output_tokens", BRIER)
    for form in ("plugin", "corrected"):
        for name in ("error", "bias2", "incoherence", "accuracy"):
            assert curves[form]["curves"][name]["value"] == [None] * 10
            assert curves[form]["halves"][name] == {"value": None, "ci95": [None, None]}
    with pytest.raises(ValueError, match="no question has two vectors"):
        embedding_questions(records.head(1), vectors)
