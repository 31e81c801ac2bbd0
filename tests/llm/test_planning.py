"""What a pilot promises, against exact moments and against the runs that it is a promise of."""

import json
from itertools import permutations

import commands
import jax
import numpy as np
import polars as pl
import pytest
from made_records import any_answers, two_answers

from experiments import plan_samples
from hotmess_jax.llm.planning import QUANTITIES, pilot_of, plan, power
from hotmess_jax.statistics.intervals import mean_interval, paired_difference, ratio_interval


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_moments_are_means_over_pairs_that_share_none_one_or_both():
    random = np.random.default_rng(0)
    records = any_answers(random.dirichlet(np.ones(4), 3), 5, random)
    moments = pilot_of(records).moments
    for q in range(3):
        part = records.filter(pl.col("question_id") == f"q{q:04}")
        x = np.eye(4)[["ABCD".index(a) for a in part["answer"]]]
        right, error = x[:, 0], ((x - np.eye(4)[0]) ** 2).sum(axis=1)

        def kernels(i, j, x=x, right=right, error=error):
            spread = ((x[i] - x[j]) ** 2).sum() / 2
            return np.asarray([(right[i] + right[j]) / 2, (error[i] + error[j]) / 2, spread])

        def mean(values):
            return np.mean(list(values), axis=0)

        pairs = permutations(range(5), 2)
        np.testing.assert_allclose(moments.mean[q], mean(kernels(*p) for p in pairs), atol=1e-12)
        for found, products in (
            (moments.apart[q], (np.outer(kernels(i, j), kernels(k, m))
                                for i, j, k, m in permutations(range(5), 4))),
            (moments.one[q], (np.outer(kernels(i, j), kernels(i, k))
                              for i, j, k in permutations(range(5), 3))),
            (moments.both[q], (np.outer(kernels(i, j), kernels(i, j))
                               for i, j in permutations(range(5), 2))),
        ):  # fmt: skip
            np.testing.assert_allclose(found, mean(products), atol=1e-12)


def run_of(chance, samples, random):
    """Return accuracy, bias², variance and error of questions `[questions, runs]` of two options."""
    share = random.binomial(samples, chance) / samples
    variance = 2 * share * (1 - share) * samples / (samples - 1)
    error = 2 * (1 - share)
    return share, error - variance, variance, error


def widths(chance, samples, random):
    """Return the mean half-width of each printed interval."""
    share, bias2, variance, error = run_of(chance, samples, random)
    ends = (mean_interval(share, 1.0), mean_interval(bias2, 2.0), mean_interval(variance, 2.0),
            ratio_interval(variance, error, 2.0))  # fmt: skip
    return dict(zip(QUANTITIES, [(high - low).mean() / 2 for low, high in ends], strict=True))


@pytest.mark.parametrize("questions, samples", [(100, 5), (300, 3), (200, 20)])
def test_half_widths_are_within_10_percent_of_those_of_runs(questions, samples):
    """Of a pilot large enough to know: its own spread is in the brackets."""
    random = np.random.default_rng(1)
    pilot = pilot_of(two_answers(random.beta(1.6, 1, 600), np.ones(600), 5, random))
    (cell,) = plan("m", pilot, [questions], [samples], resamples=20).cells
    real = widths(random.beta(1.6, 1, (questions, 300)), samples, random)
    for name, of in cell.half_width.items():
        assert of.value == pytest.approx(real[name], rel=0.1), name
        assert of.low < of.high and of.low <= real[name] * 1.1 and of.high >= real[name] * 0.9


@pytest.mark.parametrize("same", [True, False])
def test_power_is_within_5_points_of_that_of_runs(same):
    """One effect that is the same on every question, and one that is not."""
    random = np.random.default_rng(2)

    def conditions(shape):
        base = random.uniform(0.2, 0.7, shape)
        return base, base + (0.05 if same else random.uniform(-0.2, 0.3, shape))

    first, second = (
        two_answers(of, np.ones(1_000), 6, np.random.default_rng(i))
        for i, of in enumerate(conditions(1_000))
    )
    base, other = pilot_of(first), pilot_of(second)
    base_chance, other_chance = conditions((150, 2_000))
    runs = [run_of(chance, 5, random) for chance in (other_chance, base_chance)]
    found = paired_difference((runs[0][0], runs[1][0]), None, 1.0)
    real = float((found.p < 0.05).mean())
    assert 0.2 < real < 0.95
    assert power("accuracy", 0.05, 150, 5, other, base) == pytest.approx(real, abs=0.05)
    if same:
        assert power("accuracy", 0.05, 150, 5, base) == pytest.approx(real, abs=0.05)
    # The smallest difference that is found with 80 % power is just that.
    (cell,) = plan("m", other, [150], [5], base, "b − a", resamples=1).cells
    smallest = cell.detectable["accuracy"].value
    assert power("accuracy", smallest, 150, 5, other, base) == pytest.approx(0.8, abs=1e-9)


def test_the_command_plans_and_draws(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(3)
    right = random.beta(2, 1, 20)
    records = pl.concat(
        [two_answers(of, np.full(20, 50.0), 5, random).with_columns(
            hint=pl.lit(hint), output_tokens=pl.col("output_tokens").cast(pl.Int64))
         for hint, of in (("a", right), ("b", right**2))]
    )  # fmt: skip
    path, out = tmp_path / "r.jsonl", tmp_path / "plan.json"

    def write(rows):
        rows = ({name: v for name, v in row.items() if v is not None} for row in rows.to_dicts())
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    write(records)
    arguments = [path, "--questions", "100,500", "--samples", "5,10", "--compare", "hint"]
    code, printed, said = commands.outcome(
        plan_samples, monkeypatch, capsys, *arguments, "--json", out, "--figure", tmp_path / "f"
    )
    printed = " ".join(printed.split())
    assert code == 0 and said == "" and "a pilot of 20 questions promises little" in printed
    (found,) = json.loads(out.read_text())["plans"]
    assert [(c["questions"], c["samples"], c["tokens"]) for c in found["cells"]] == [
        (100, 5, 25_000), (100, 10, 50_000), (500, 5, 125_000), (500, 10, 250_000)]  # fmt: skip
    assert (tmp_path / "f.png").exists()
    line = commands.refused(plan_samples, monkeypatch, capsys, path, "--questions", "many")
    assert "questions must be numbers" in line and "'many'" in line
    write(records.filter(pl.col("sample") < 3))
    line = commands.refused(plan_samples, monkeypatch, capsys, *arguments)
    assert "two questions with 4 samples" in line
