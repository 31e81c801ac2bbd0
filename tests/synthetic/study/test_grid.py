"""Many sweeps: every combination once, gone on with, and spread over a cluster that loses a machine."""

import functools
import json
import subprocess
import sys
import time

import commands
import pytest
from made_sweeps import made_sweep, read, without
from places import ROOT

from experiments import grid
from hotmess_jax.synthetic.study import launch
from hotmess_jax.synthetic.study.grid import GridConfig, settings_of
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.sweep_document import to_document

TINY = ["--preset", "smoke", "--fixed", "sizes=3k", "trajectories=60", "trajectory-steps=32",
        "batch-size=32", "starts=32", "rollout-steps=8", "bootstrap=50", "checkpoint-every=10"]  # fmt: skip

FOUR = ["--fixed", "sizes=3k 6k 25k 83k"]
ONE = ["--design", "one-at-a-time", "--vary"]


run = functools.partial(commands.outcome, grid)


def finish(config, base, **other):
    """Put a finished sweep where a configuration's would be."""
    identity = json.loads(json.dumps(config.identity())) | other
    config.folder.mkdir(parents=True, exist_ok=True)
    (config.folder / "run.json").write_text(json.dumps(identity))
    (config.folder / "report.md").write_text("# Synthetic sweep")
    (config.folder / "sweep.json").write_text(json.dumps(base | {"config": identity}))


@pytest.fixture(scope="module")
def made():
    """Finished sweeps of several seeds."""
    return [
        to_document(conclude(read(made_sweep(draws=3, tau=0.05, noise=0.01, seed=seed))))
        for seed in range(3)
    ]


def carrying_out(monkeypatch, made):
    """Let every sweep end at once; return the list of those that were asked for."""
    asked = []

    def one(arguments):
        config = settings_of(arguments)
        asked.append(config)
        finish(config, made[config.seed])
        return None, []

    monkeypatch.setattr(launch, "one", one)
    return asked


def test_every_combination_is_a_sweep_and_none_is_done_twice(tmp_path, monkeypatch, capsys, made):
    asked = []
    monkeypatch.setattr(
        launch, "one", lambda arguments: (asked.append(settings_of(arguments)) or "killed", [])
    )
    vary = ("--vary", "seed=0,1", "condition-number=10,50", "--out", tmp_path)
    code, out, _ = run(monkeypatch, capsys, *vary, *TINY)
    assert code == 1 and "4/4" in out and " s)" in out
    assert [(c.seed, c.problem.condition_number) for c in asked] == [(0, 10), (0, 50), (1, 10), (1, 50)]
    assert len({c.folder for c in asked}) == 4 and asked[0].model.sizes == ("3k",)
    assert asked[0].folder == tmp_path / "seed=0,condition-number=10"
    for config in asked[:3]:
        finish(config, made[config.seed])
    asked.clear()
    assert "3 of 4 are there already" in run(monkeypatch, capsys, *vary, *TINY)[1]
    assert [(c.seed, c.problem.condition_number) for c in asked] == [(1, 50)]
    monkeypatch.setattr(launch, "one", lambda arguments: ("the store is corrupted", []))
    code, out, _ = run(monkeypatch, capsys, *vary, *TINY)
    assert code == 1 and "failed: the store is corrupted" in out


def test_a_folder_of_another_sweep_is_refused_and_left(tmp_path, monkeypatch, capsys, made):
    monkeypatch.setattr(launch, "one", lambda arguments: pytest.fail("began"))
    config = settings_of(["--out", str(tmp_path / "seed=0"), "--seed", "0"])
    finish(config, made[0], starts=99)
    code, _, error = run(monkeypatch, capsys, "--vary", "seed=0,1", "--out", tmp_path)
    assert code == 2 and "another configuration (starts 99 instead of 512)" in error


def test_what_stands_where_the_summary_goes_is_refused_before_any_sweep(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(launch, "one", lambda arguments: pytest.fail("began"))
    (tmp_path / "sweep.json").write_text('{"config": {}}')
    (tmp_path / "choices.md").write_text("# My notes")
    for arguments, said in (
        (["--vary", "seed=0,1"], "holds a sweep that is no pool"),
        ([*ONE, "teacher=newton"], "is no table of choices"),
    ):
        code, _, error = run(monkeypatch, capsys, *arguments, "--out", tmp_path)
        assert code == 2 and said in error
    assert (tmp_path / "sweep.json").read_text() == '{"config": {}}'
    assert (tmp_path / "choices.md").read_text() == "# My notes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vary", "seed"], "vary must be SETTING=VALUE,VALUE,…, got 'seed'"),
        (["--vary", "seed=1,"], "got 'seed=1,'"),
        (["--vary", "colour=red"], "colour is no setting"),
        (["--vary", "condition-number=0.5"], "condition-number must be 1 to 1e+06, got 0.5"),
        (["--vary", "seed=1", "--fixed", "starts"], "fixed must be SETTING=VALUE, got 'starts'"),
        (["--vary", "seed=1", "--preset", "huge"], "unknown preset 'huge'"),
        (["--vary", "seed=1", "--cpus-per-sweep", "0"], "cpus-per-sweep must be at least 1"),
        (["--vary", "seed=0,1", "--fixed", "seed=5"], "seed is set more than once"),
        (["--vary", "seed=0,1", "seed=2"], "seed is set more than once"),
        (
            ["--vary", "step-norm=0.1,0.2", "--fixed", "step_norm=0.1"],
            "step-norm is set more than once",
        ),
        (["--vary", "seed=1", "--fixed", "starts=64", "starts=65"], "starts is set more than once"),
        (["--vary", "condition-number=10,10.0"], "are the same sweep"),
        (["--vary", "condition-number=20,2e1"], "are the same sweep"),
        (["--vary", "out=a,b"], "out cannot be in --vary or --fixed"),
        (["--vary", "seed=1", "--fixed", "store=a"], "store cannot be"),
        (["--vary", "preset=quick,smoke"], "preset cannot be"),
        (["--vary", "seed=1", "--fixed", "dry-run=True"], "dry-run cannot be"),
        (["--vary", "seed=1", "--fixed", "micro_batch=8"], "micro_batch cannot be"),
        (["--vary", "seed=0 --out=x"], "a value is no option"),
        (["--vary", "teacher=newton+precision=2"], "only with --design one-at-a-time"),
        ([*ONE, "teacher=steepest"], "base and teacher=steepest are the same sweep"),
        ([*ONE, "teacher=newton", "teacher=sign+precision=2"], "teacher is set more than once"),
        ([*ONE, "teacher=sign+teacher=newton"], "a setting stands twice"),
        ([*ONE, "teacher=sign+precision=2,3"], "one value each"),
        ([*ONE, "sizes=3k 6k", "sizes=3k"], "sizes is set more than once"),
    ],
)
def test_a_bad_grid_is_refused_before_any_sweep(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(launch, "one", lambda arguments: pytest.fail("began"))
    code, _, error = run(monkeypatch, capsys, *arguments, "--out", tmp_path / "out")
    assert code == 2 and said in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_one_at_a_time_is_a_base_and_each_change_alone_and_ends_with_the_table(
    tmp_path, monkeypatch, capsys, made
):
    asked = carrying_out(monkeypatch, made)
    vary = [*ONE, "teacher=newton,sign", "rollout-start-distribution=normal+rollout-start-scale=3",
            "weight-decay=1e-2", "sizes=3k 6k", "--fixed", "starts=64"]  # fmt: skip
    code, out, _ = run(monkeypatch, capsys, *vary, "--out", tmp_path)
    assert code == 0 and "6/6" in out and str(tmp_path / "choices.md") in out
    base, rest = asked[0].identity(), [config.identity() for config in asked[1:]]
    assert base["starts"] == 64 and asked[0].folder == tmp_path / "base"
    changes = [{k: v for k, v in each.items() if v != base[k]} for each in rest]
    assert changes == [
        {"teacher": "newton"}, {"teacher": "sign"},
        {"rollout_start_distribution": "normal", "rollout_start_scale": 3.0},
        {"weight_decay": 1e-2}, {"sizes": ["3k", "6k"]},
    ]  # fmt: skip
    names = [config.folder.name for config in asked]
    assert names[3] == "rollout-start-distribution=normal+rollout-start-scale=3"
    assert names[5] == "sizes=3k_6k"
    rows = json.loads((tmp_path / "choices.json").read_text())["rows"]
    assert [row["differing"] for row in rows] == [{}, *changes]


def test_where_the_seed_alone_varies_the_grid_s_folder_holds_the_pool(
    tmp_path, monkeypatch, capsys, made
):
    carrying_out(monkeypatch, made)
    for _ in range(2):
        code, out, _ = run(monkeypatch, capsys, "--vary", "seed=0,1,2", *FOUR, "--out", tmp_path)
        assert code == 0 and str(tmp_path / "report.md") in out
    document = json.loads((tmp_path / "sweep.json").read_text())
    assert [run["seed"] for run in document["pooled_from"]] == [0, 1, 2]
    assert len(document["problems"]) == 9 and (tmp_path / "report.md").exists()


def test_where_others_vary_too_each_combination_has_its_pool(tmp_path, monkeypatch, capsys, made):
    carrying_out(monkeypatch, made)
    run(monkeypatch, capsys, "--vary", "seed=0,1", "teacher=newton,sign", *FOUR, "--out", tmp_path)
    assert not (tmp_path / "sweep.json").exists()
    for rule in ("newton", "sign"):
        document = json.loads((tmp_path / f"pooled,teacher={rule}" / "sweep.json").read_text())
        assert document["config"]["teacher"] == rule and len(document["problems"]) == 6


@pytest.mark.slow
def test_a_lost_machine_s_sweep_is_taken_up_by_another(tmp_path):
    """A real Ray cluster of two nodes, one of which is killed while it trains."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    other = cluster.add_node(num_cpus=1)
    grid_of = [sys.executable, "-m", "experiments.grid", *TINY, "train-steps=400",
               "--vary", "teacher=steepest,newton", "--store", tmp_path / "store", "--cpus-per-sweep", "1"]  # fmt: skip
    process = subprocess.Popen(
        [*map(str, grid_of), "--out", tmp_path / "ray", "--launcher", "ray",
         "--address", cluster.address], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 600
        saved = "ray/*/models/3k/checkpoints/[0-9]*"
        while len({path.parent for path in tmp_path.glob(saved)}) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        assert not list(tmp_path.glob("ray/*/sweep.json"))
        cluster.remove_node(other, allow_graceful=False)
        said, _ = process.communicate(timeout=600)
    finally:
        process.kill()
        cluster.shutdown()
    assert process.returncode == 0 and "2/2" in said
    command = [*map(str, grid_of), "--out", str(tmp_path / "here")]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for rule in ("steepest", "newton"):
        models = [json.loads((tmp_path / where / f"teacher={rule}" / "sweep.json").read_text())["models"]
                  for where in ("ray", "here")]  # fmt: skip
        assert models[0][0]["final"] == models[1][0]["final"]


def test_a_folder_is_named_by_what_is_used_and_a_sweep_is_found_by_what_it_is(
    tmp_path, monkeypatch, capsys, made
):
    asked = carrying_out(monkeypatch, made)
    run(monkeypatch, capsys, "--vary", "learning_rate=1e-2,5e-3", *FOUR, "--out", tmp_path)
    assert [c.folder.name for c in asked] == ["learning-rate=0.01", "learning-rate=0.005"]
    # A folder of before, whose name is as it was spelt then.
    (tmp_path / "learning-rate=0.01").rename(tmp_path / "learning-rate=1e-2")
    out = run(monkeypatch, capsys, "--vary", "learning-rate=0.01,0.0050", *FOUR, "--out", tmp_path)[1]
    assert "2 of 2 are there already" in out and len(asked) == 2


def test_aliases_of_a_size_are_one_sweep(tmp_path, monkeypatch, capsys):
    code, _, error = run(monkeypatch, capsys, "--vary", "sizes=47k,4x32", "--out", tmp_path)
    assert code == 2 and "sizes=47k and sizes=4x32 are the same sweep" in error


def test_a_folder_that_only_began_with_other_settings_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(launch, "one", lambda arguments: pytest.fail("began"))
    other = settings_of(["--preset", "smoke"]).identity()
    (tmp_path / "seed=1").mkdir()
    (tmp_path / "seed=1" / "run.json").write_text(json.dumps(other))
    code, _, error = run(monkeypatch, capsys, "--vary", "seed=0,1", "--out", tmp_path)
    assert code == 2 and "preset 'smoke' instead of 'quick'" in error


def test_a_sweep_without_its_report_is_not_done(tmp_path, monkeypatch, capsys, made):
    asked = carrying_out(monkeypatch, made)
    vary = ("--vary", "teacher=newton,sign", *FOUR, "--out", tmp_path)
    run(monkeypatch, capsys, *vary)
    (tmp_path / "teacher=sign" / "report.md").unlink()
    asked.clear()
    assert run(monkeypatch, capsys, *vary)[0] == 0
    assert [config.problem.teacher for config in asked] == ["sign"]


def test_models_that_failed_are_named_each_time_and_in_the_status(tmp_path, monkeypatch, capsys, made):
    def one(arguments):
        config = settings_of(arguments)
        finish(config, without(made[0], "6k", 1))
        return None, ["6k-1: the loss was not finite at step 3"]

    monkeypatch.setattr(launch, "one", one)
    for _ in range(2):
        code, out, _ = run(monkeypatch, capsys, "--vary", "teacher=newton", *FOUR, "--out", tmp_path)
        assert code == 1 and "teacher=newton lacks 6k-1: the loss was not finite at step 3" in out


def test_an_error_of_one_sweep_does_not_end_the_others(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise KeyError("spurious")

    monkeypatch.setattr(launch, "Sweep", broken)
    code, out, _ = run(monkeypatch, capsys, "--vary", "seed=0,1", "--out", tmp_path)
    assert code == 1 and out.count("failed: KeyError: 'spurious'") == 2


@pytest.mark.parametrize(
    ("cpus", "gpus", "fits"), [(4, 0.0, True), (5, 0.0, False), (2, 1.0, True), (4, 1.0, False)]
)
def test_what_no_machine_of_a_cluster_has_is_refused(tmp_path, capsys, cpus, gpus, fits):
    nodes = [{"Alive": True, "Resources": {"CPU": 4.0}}, {"Alive": False, "Resources": {"CPU": 64.0}},
             {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 1.0}}]  # fmt: skip
    config = GridConfig(vary=(), out=tmp_path, cpus_per_sweep=cpus, gpus_per_sweep=gpus)
    if fits:
        launch._check_nodes(nodes, config)
        return
    with pytest.raises(SystemExit):
        launch._check_nodes(nodes, config)
    assert "no machine of the cluster has" in capsys.readouterr().err
