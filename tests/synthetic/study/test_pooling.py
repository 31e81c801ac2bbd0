"""Pools of sweeps: the same as one sweep of all their draws, and refusals in one line."""

import copy
import functools
import json

import commands
import numpy as np
import pytest
from made_sweeps import made_sweep, read, without

from experiments import scaling_laws
from hotmess_jax.synthetic.findings import findings
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.pooling import PoolingError, pool
from hotmess_jax.synthetic.study.report import FIGURES, OF_ONE_START, report

PATHS = ("one", "other")


def pair(**changes):
    """Two sweeps of other seeds, the second with other settings."""
    return made_sweep(draws=2, tau=0.3, noise=0.2), made_sweep(
        draws=3, tau=0.3, noise=0.2, seed=7, **changes
    )


def pooled(sweeps, paths=PATHS):
    return pool([read(sweep) for sweep in sweeps], paths)


def test_a_pool_is_what_one_sweep_of_all_draws_would_be():
    one, other = pair()
    found = findings(pooled([one, other])).told()
    apart = [findings(read(sweep)).told().draws for sweep in (one, other)]
    assert [d.exponents for d in found.draws] == [d.exponents for d in apart[0] + apart[1]]
    assert [(d.problem, d.seed) for d in found.draws] == [
        (0, 0), (1, 0), (2, 7), (3, 7), (4, 7)]  # fmt: skip
    own = [d.exponents["bias2"] for d in found.draws]
    assert found.fits["bias2"].exponent == pytest.approx(np.mean(own))
    assert found.fits["bias2"].over_draws.count == 5


def test_order_of_runs_and_of_sizes_moves_no_number():
    one, other = pair()
    other["config"]["sizes"].reverse()
    forth, back = (findings(pooled(p)).told() for p in ((one, other), (other, one)))
    assert [*forth.fits["bias2"].ci95] == pytest.approx([*back.fits["bias2"].ci95])


def test_models_keep_their_draw_and_get_numbers_of_their_own():
    one, other = pair()
    other = without(other, "25k", 1)
    whole = pooled([one, other])
    assert len({(m.size, m.replicate) for m in whole.models}) == 19
    for model in whole.models:
        assert model.seed == whole.problems[model.problem].seed
    assert [(f.size, f.problem, f.seed) for f in whole.failures] == [("25k", 3, 7)]
    assert [run.draws for run in whole.pooled_from] == [2, 3]
    assert findings(whole).told().draws_left_out == 1


def test_a_pool_names_every_machine_also_of_runs_whose_models_do_not_say_theirs():
    one, other = pair()
    for sweep, host in ((one, "an old one"), (other, "a new one")):
        sweep["provenance"] = copy.deepcopy(sweep["provenance"])
        sweep["provenance"]["device"]["host"] = host
    for model in other["models"]:
        model["provenance"] = {"trained_on": [other["provenance"]], "measured_on": other["provenance"]}
    for sweeps in ([one, other], [other, one]):
        document = conclude(pooled(sweeps))
        (line,) = [line for line in report(document, ()).split("\n") if line.startswith("Measured on")]
        assert "(an old one)" in line and "(a new one)" in line
    (line,) = [li for li in report(conclude(read(one)), ()).split("\n") if li.startswith("Measured on")]
    assert "(an old one)" in line and "new" not in line


def test_replicates_of_one_problem_pool_as_draws_with_several_models():
    one, other = (made_sweep(draws=1, replicates=3, noise=0.2, seed=seed,
                             replicate_varies="initialisation") for seed in (0, 1))  # fmt: skip
    found = findings(pooled([one, other])).told()
    assert found.fits["bias2"].over_draws.count == 2
    alone = [findings(read(sweep)).told().fits["bias2"].exponent for sweep in (one, other)]
    assert [d.exponents["bias2"] for d in found.draws] == pytest.approx(alone)


def test_a_pool_can_be_pooled_further():
    one, other = pair()
    third = made_sweep(draws=2, seed=9)
    whole = pool([pooled([one, other]), read(third)], ("pool", "third"))
    assert (
        findings(whole).told().draws
        == findings(pooled([one, other, third], (*PATHS, "third"))).told().draws
    )
    assert [run.path for run in whole.pooled_from] == ["one", "other", "third"]
    with pytest.raises(PoolingError, match="hold the same draw"):
        pool([whole, read(other)], ("whole", "other"))


def write(folder, sweep):
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps(sweep))
    return folder


run = functools.partial(commands.run, scaling_laws)
refused = functools.partial(commands.refused, scaling_laws)


def old(sweep):
    sweep["schema"] = 1


def other_sizes(sweep):
    sweep["config"]["sizes"] = ["3k", "6k", "25k"]
    sweep["models"] = [model for model in sweep["models"] if model["size"] != "83k"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["config"].update(learning_rate=1e-3), "differ in learning-rate: 0.005 and 0.001"),
        (lambda s: s["config"].update(loss_on="all"), "differ in loss-on: 'update' and 'all'"),
        (
            lambda s: s["config"].update(replicate_varies="initialisation"),
            "differ in replicate-varies: 'problem' and 'initialisation'",
        ),
        (lambda s: s["config"].update(novel=1), "differ in novel: None and 1"),
        (old, "differ in schema: 2 and 1"),
        (other_sizes, "only one has 83k"),
        (lambda s: s.pop("models"), "is no finished sweep"),
        (lambda s: s["models"].clear(), "fewer than 2 finished sizes"),
    ],
)
def test_what_does_not_belong_together_is_refused_before_any_work(
    tmp_path, monkeypatch, capsys, change, said
):
    one, other = pair()
    change(other)
    folders = [write(tmp_path / name, sweep) for name, sweep in zip(PATHS, (one, other), strict=True)]
    assert said in refused(monkeypatch, capsys, *folders, "--out", tmp_path / "pool")
    assert not (tmp_path / "pool").exists()


def test_the_same_draw_is_known_by_what_it_is(tmp_path, monkeypatch, capsys):
    one = made_sweep(draws=2)
    more = copy.deepcopy(one)
    more["problems"] += made_sweep(draws=3, seed=3)["problems"][2:]
    folders = write(tmp_path / "one", one), write(tmp_path / "more", more)
    said = refused(monkeypatch, capsys, *folders, "--out", tmp_path / "pool")
    assert "hold the same draw of the problem (seed 0)" in said


def test_several_sweeps_need_a_folder_of_their_own(tmp_path, monkeypatch, capsys):
    folders = [write(tmp_path / name, sweep) for name, sweep in zip(PATHS, pair(), strict=True)]
    assert "--out" in refused(monkeypatch, capsys, *folders)
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    assert "holds no pool" in refused(monkeypatch, capsys, *folders, "--out", mine)
    assert "holds no pool" in refused(monkeypatch, capsys, *folders, "--out", folders[0])
    assert "is no finished sweep" in refused(monkeypatch, capsys, tmp_path / "nothing")
    assert [p.name for p in mine.iterdir()] == ["thesis.txt"]


def test_the_pool_is_written_and_grows(tmp_path, monkeypatch, capsys):
    sweeps = *pair(), made_sweep(draws=2, seed=9)
    folders = [write(tmp_path / name, sweep) for name, sweep in zip("abc", sweeps, strict=True)]
    out = tmp_path / "pool"
    for some in (folders[:2], folders):
        run(monkeypatch, *some, "--out", out, "--json", tmp_path / "fits.json")
    printed = capsys.readouterr().out
    assert "over 7 draws" in printed and "Intervals are over 7 draws of the problem" in printed
    document = json.loads((out / "sweep.json").read_text())
    assert document["draws"] == json.loads((tmp_path / "fits.json").read_text())["draws"]
    drawn = {path.stem for path in (out / "figures").iterdir()}
    # These documents have no ends of rollouts.
    assert drawn == set(FIGURES) - set(OF_ONE_START) - {"ends_of_rollouts"}
    text = (out / "report.md").read_text()
    assert "3 runs pooled" in text and "Not drawn" in text and "seeds 0, 7, 9" in text
    assert "holds a pool of other sweeps" in refused(monkeypatch, capsys, *folders[:2], "--out", out)


def test_the_report_names_each_draw_and_compares_with_its_own_teacher():
    text = report(conclude(read(without(made_sweep(draws=3, tau=0.3, noise=0.2), "25k", 1))))
    assert "3 draws of the problem" in text and "1 of them lacks a size" in text
    assert text.count("| teacher |") == 3 + 2  # one a draw, and in two tables of means
    for setting in ("learning rate 0.005", "warm-up 100", "weight decay 0.0001", "geometric spectrum",
                    "float32 products", "the update's tokens", "uniform, scale 6", "offset 3"):  # fmt: skip
        assert setting in text
    assert "the loss was not finite at step 3" in text
    many = report(conclude(read(made_sweep(draws=6, noise=0.2))))
    assert "| teacher | all 6 |" in many and "Nothing here says" not in many
    assert "Nothing here says what other draws" in report(conclude(read(made_sweep(draws=1))))


def test_two_points_have_no_r2():
    document = conclude(read(made_sweep(draws=2, sizes=("3k", "25k"))))
    assert document.found.fits["bias2"].r2 is None
    assert document.found.incoherence_slope.r2 is None
    assert "R² 1" not in report(document)
