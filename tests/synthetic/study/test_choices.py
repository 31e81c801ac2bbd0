"""The table of choices: which settings differ, from which base, and the numbers of each sweep."""

import dataclasses
import functools
import json

import commands
import numpy as np
import pytest
from made_sweeps import made_sweep, read

from experiments import choices as command
from hotmess_jax.synthetic.study.choices import SYMBOLS, TITLE, choices, markdown
from hotmess_jax.synthetic.study.choices_figure import choices_figure
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.pooling import pool
from hotmess_jax.synthetic.study.sweep_document import to_document


@pytest.fixture(scope="module")
def base():
    return conclude(read(made_sweep(draws=3, tau=0.05, noise=0.01)))


def changed(base, **settings):
    """The same sweep with other settings."""
    return dataclasses.replace(base, config=base.config | settings)


def put(folder, sweep):
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps(to_document(sweep)))
    return folder


run = functools.partial(commands.outcome, command)


def test_each_row_says_what_differs_from_the_base_and_quotes_the_sweep_s_numbers(base):
    sweeps = [
        changed(base, teacher="newton"),
        base,
        changed(base, rollout_start_distribution="normal", rollout_start_scale=3.0),
        changed(base, precision=4, preset="laptop"),
    ]
    found = choices(sweeps, ["a", "b", "c", "d"])
    assert found.base_is_a_row and [row.sources for row in found.rows] == [
        ("b",),
        ("a",),
        ("c",),
        ("d",),
    ]
    assert [row.differing for row in found.rows] == [
        {}, {"teacher": "newton"},
        {"rollout_start_distribution": "normal", "rollout_start_scale": 3.0}, {"precision": 4},
    ]  # fmt: skip
    assert found.base == {
        "precision": 3, "rollout_start_distribution": "offset", "rollout_start_scale": 1.0,
        "teacher": "steepest",
    }  # fmt: skip
    assert not found.base.keys() & found.common.keys() and found.common["step_norm"] == 0.05
    row = found.rows[0]
    assert row.draws == 3 and row.sizes == ("3k", "6k", "25k", "83k")
    for name, quoted in row.exponents.items():
        fit = base.found.fits[name]
        assert (quoted.value, quoted.ci95, quoted.over) == (fit.exponent, fit.ci95, "draws")
    assert row.exponent_difference.value == base.found.exponent_difference.difference
    assert row.incoherence_slope.value == base.found.incoherence_slope.slope
    assert row.verdicts == tuple(claim.verdict for claim in base.claims)
    for place, size in enumerate(("3k", "83k")):
        models = [model for model in base.models if model.size == size]
        assert row.loss[place] == pytest.approx(sum(m.validation_loss for m in models) / 3)
        assert row.strayed[place] == pytest.approx(sum(m.final.strayed for m in models) / 3)


def test_the_printed_table_has_a_line_for_each_and_names_common_settings_once(base):
    sweeps = [base, changed(base, teacher="newton"), changed(base, loss_on="all")]
    text = markdown(choices(sweeps, ["a", "b", "c"]))
    lines = text.splitlines()
    assert lines[0] == TITLE and "Base: loss-on update, teacher steepest." in text
    assert text.count("step-norm 0.05") == 1 and "†" not in text
    rows = [line for line in lines if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| base", "| loss-on", "| teacher"] or [
        row.split(" | ")[0] for row in rows[2:]
    ] == ["| base", "| teacher", "| loss-on"]
    assert len({row.count("|") for row in rows}) == 1
    for claim in base.claims:
        assert text.count(claim.statement) == 1
    assert "✓ supported, ✗ not supported, ? inconclusive" in text


def test_without_a_common_base_the_most_common_values_are_it_and_that_is_said(base):
    sweeps = [
        changed(base, teacher="newton"), changed(base, precision=4), changed(base, step_norm=0.1)
    ]  # fmt: skip
    found = choices(sweeps, ["a", "b", "c"])
    assert not found.base_is_a_row and [len(row.differing) for row in found.rows] == [1, 1, 1]
    assert "no sweep has all of them" in markdown(found)


def test_seeds_are_pooled_and_a_pool_beside_its_parts_counts_once(base):
    other = conclude(read(made_sweep(draws=3, tau=0.05, noise=0.01, seed=1)))
    whole = conclude(pool([base, other], ["a", "b"]))
    found = choices([base, other, changed(base, teacher="newton")], ["a", "b", "c"])
    assert [(row.draws, row.seeds) for row in found.rows] == [(6, (0, 1)), (3, (0,))]
    assert found.rows[0].exponents["bias2"].value == whole.found.fits["bias2"].exponent
    again = choices([base, other, whole, changed(base, teacher="newton")], ["a", "b", "w", "c"])
    assert [row.draws for row in again.rows] == [6, 3] and again.rows[0].sources == ("w",)
    assert choices([whole], ["w"]).rows[0].seeds == (0, 1)


def test_the_last_step_is_the_mean_over_all_models_and_is_drawn(base):
    found = choices([base, changed(base, teacher="newton")], ["a", "b"])
    of_sizes = []
    for size in ("3k", "83k"):
        values = [model.final.bias2 for model in base.models if model.size == size]
        of_sizes.append(sum(values) / len(values))
    for row in found.rows:
        np.testing.assert_allclose(row.final["bias2"], of_sizes, rtol=1e-12)
    figure = choices_figure(found)
    small, large = figure.axes[0].lines[:2]
    np.testing.assert_allclose(small.get_xdata(), [of_sizes[0]] * 2)
    np.testing.assert_allclose(large.get_xdata(), [of_sizes[1]] * 2)
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["base", "teacher newton"]
    marks = [text.get_text() for text in figure.axes[-1].texts]
    assert marks == [SYMBOLS[verdict] for row in found.rows for verdict in row.verdicts]


def test_intervals_over_sizes_are_marked():
    one = conclude(read(made_sweep(draws=1, noise=0.05)))
    text = markdown(choices([one], ["a"]))
    assert "]†" in text and "says nothing of other problems" in text
    assert "Base: the only settings there are." in text


def test_the_command_writes_both_files_and_only_over_such_a_table(base, tmp_path, monkeypatch, capsys):
    put(tmp_path / "runs" / "base", base)
    put(tmp_path / "runs" / "any name", changed(base, teacher="newton"))
    out = tmp_path / "table.md"
    for _ in range(2):
        code, said, _ = run(monkeypatch, capsys, tmp_path / "runs", "--out", out)
        assert code == 0 and str(out) in said
    assert out.read_text().startswith(TITLE) and "![" in out.read_text()
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    document = json.loads(out.with_suffix(".json").read_text())
    assert [row["differing"] for row in document["rows"]] == [{}, {"teacher": "newton"}]
    code, said, _ = run(monkeypatch, capsys, tmp_path / "runs")
    assert code == 0 and out.read_text().startswith(said)
    (tmp_path / "mine.png").write_text("a picture")
    code, _, error = run(monkeypatch, capsys, tmp_path / "runs", "--out", tmp_path / "mine.md")
    assert code == 2 and "mine.png exists, without a table" in error
    for path, other in ((out, "# My notes"), (out.with_suffix(".json"), '{"kind": "notes"}')):
        before = path.read_text()
        path.write_text(other)
        code, _, error = run(monkeypatch, capsys, tmp_path / "runs", "--out", out)
        assert code == 2 and "is no table of choices" in error and path.read_text() == other
        path.write_text(before)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "holds no finished sweep"), ("{", "is no finished sweep"), ('{"models": 1}', "is no finished"),
     ('{"models": [], "config": {}, "fits": {}, "claims": []}', "has no finished model")],
)  # fmt: skip
def test_what_is_no_finished_sweep_is_named(content, said, tmp_path, monkeypatch, capsys):
    if content is not None:
        (tmp_path / "sweep.json").write_text(content)
    code, _, error = run(monkeypatch, capsys, tmp_path, "--out", tmp_path / "x.md")
    assert code == 2 and said in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "x.md").exists()
    assert run(monkeypatch, capsys, tmp_path, "--out", tmp_path / "x.txt")[0] == 2
