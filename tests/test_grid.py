"""Many sweeps: every combination once, gone on with, and spread over a cluster that loses a machine."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments import grid

ROOT = Path(__file__).resolve().parent.parent
TINY = ["--preset", "smoke", "--fixed", "sizes=3k", "trajectories=60", "trajectory-steps=32",
        "batch-size=32", "starts=32", "rollout-steps=8", "bootstrap=50", "checkpoint-every=10"]  # fmt: skip


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["grid", *map(str, arguments)])
    code = 0
    try:
        grid.main()
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_combination_is_a_sweep_and_none_is_done_twice(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(grid, "one", lambda arguments: asked.append(grid.of(arguments)))
    vary = ("--vary", "seed=0,1", "condition-number=10,50", "--out", tmp_path)
    code, out, _ = run(monkeypatch, capsys, *vary, *TINY)
    assert code == 0 and "4/4" in out
    assert [(c.seed, c.condition_number) for c in asked] == [(0, 10), (0, 50), (1, 10), (1, 50)]
    assert len({c.folder for c in asked}) == 4 and asked[0].sizes == ("3k",)
    assert asked[0].folder == tmp_path / "seed=0,condition-number=10"
    for config in asked[:3]:
        config.folder.mkdir(parents=True)
        (config.folder / "sweep.json").write_text("{}")
    asked.clear()
    assert "3 of 4 are there already" in run(monkeypatch, capsys, *vary, *TINY)[1]
    assert [(c.seed, c.condition_number) for c in asked] == [(1, 50)]
    monkeypatch.setattr(grid, "one", lambda arguments: "the store is corrupted")
    code, out, _ = run(monkeypatch, capsys, *vary, *TINY)
    assert code == 1 and "failed: the store is corrupted" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vary", "seed"], "vary must be SETTING=VALUE,VALUE,…, got 'seed'"),
        (["--vary", "seed=1,"], "got 'seed=1,'"),
        (["--vary", "colour=red"], "colour"),
        (["--vary", "condition-number=0.5"], "condition-number must be 1 to 1e+06, got 0.5"),
        (["--vary", "seed=1", "--fixed", "starts"], "fixed must be SETTING=VALUE, got 'starts'"),
        (["--vary", "seed=1", "--preset", "huge"], "unknown preset 'huge'"),
        (["--vary", "seed=1", "--cpus-per-sweep", "0"], "cpus-per-sweep must be at least 1"),
    ],
)
def test_a_bad_grid_is_refused_before_any_sweep(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grid, "one", lambda arguments: pytest.fail("began"))
    code, _, error = run(monkeypatch, capsys, *arguments, "--out", tmp_path / "out")
    assert code == 2 and said in error and len(error.strip().splitlines()) == 1


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
        deadline = time.monotonic() + 240
        while len(list(tmp_path.glob("ray/*/models/3k-0/checkpoints/10"))) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        assert not list(tmp_path.glob("ray/*/sweep.json"))
        cluster.remove_node(other, allow_graceful=False)
        said, _ = process.communicate(timeout=300)
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
