"""Two real processes on one machine carry a sweep out together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from places import ROOT

from hotmess_jax.machine.processes import DisagreementError, check_alike, join
from hotmess_jax.synthetic.study import sweep as sweep_module
from hotmess_jax.synthetic.study.presets import PRESETS

TINY = ["--preset", "smoke", "--trajectories", "60", "--trajectory-steps", "32", "--train-steps", "60",
        "--checkpoint-every", "10", "--batch-size", "32", "--starts", "32", "--rollout-steps", "8",
        "--bootstrap", "50", "--sizes", "3k", "--replicates", "2"]  # fmt: skip


def start(folder, devices, *arguments, cwd=ROOT):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.synthetic_sweep", *TINY, "--out", folder / "run", "--store",
         folder / "store", *map(str, arguments)], cwd=cwd, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def start_two(folder, *of_each, cwds=(ROOT, ROOT)):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    return [start(folder, 2, "--coordinator", address, "--processes", 2, "--process", process, *own,
                  cwd=cwds[process])
            for process, own in enumerate(of_each or ([], []))]  # fmt: skip


def finish(*processes):
    """Wait for all, and return what each said on stdout and on stderr."""
    said = [process.communicate(timeout=240) for process in processes]
    return [process.returncode for process in processes], said


def numbers(folder):
    """What the sweep in a folder found, without what depends on the clock."""
    sweep = json.loads((folder / "run" / "sweep.json").read_text())
    del sweep["provenance"]
    for model in sweep["models"]:
        del model["seconds"], model["provenance"]
    return sweep


def wait_for(saved, processes):
    deadline = time.monotonic() + 240
    while not saved.exists():
        assert all(process.poll() is None for process in processes) and time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_killed_and_started_again_are_one(tmp_path):
    checkpoints = tmp_path / "two/run/models/3k/checkpoints"
    first = start_two(tmp_path / "two")
    wait_for(checkpoints / "20", first)
    for process in first:
        os.kill(process.pid, signal.SIGKILL)
    assert finish(*first)[0] == [-signal.SIGKILL] * 2
    assert not (tmp_path / "two/run/models/3k-0/result.json").exists()
    codes, ((said, _), (silent, _)) = finish(*start_two(tmp_path / "two"))
    assert codes == [0, 0]
    assert "Last step of the rollouts" in said and "report.md" in said
    assert "report.md" not in silent
    written = {f.parent.name for f in tmp_path.glob("two/run/**/ocdbt.process_*/manifest.ocdbt")}
    assert written == {"ocdbt.process_0", "ocdbt.process_1"}
    # The same four devices in one process.
    assert finish(start(tmp_path / "one", 4))[0] == [0]
    assert numbers(tmp_path / "two") == numbers(tmp_path / "one")


def test_what_the_first_process_refuses_all_refuse(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    codes, said = finish(*start_two(tmp_path))
    assert codes == [2, 2]
    for _, error in said:
        assert "holds no sweep; choose another --out" in error and "Traceback" not in error
    assert [f.name for f in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_signal_to_one_process_saves_the_same_step_in_all(tmp_path):
    long = ["--train-steps", 20_000]
    both = start_two(tmp_path, long, long)
    checkpoints = tmp_path / "run/models/3k/checkpoints"
    wait_for(checkpoints / "20", both)
    both[1].send_signal(signal.SIGTERM)  # a node's notice
    codes, said = finish(*both)
    assert codes == [143, 143], said
    last = max(int(each.name) for each in checkpoints.iterdir())
    for _, error in said:
        assert f"stopped by SIGTERM: 3k, 2 replicates is saved at step {last:,} of 20,000" in error
        assert "Traceback" not in error


@pytest.mark.parametrize("which", [0, 1])
def test_a_signal_to_one_process_outside_of_training_ends_all_within_seconds(tmp_path, which):
    # It never gets as far as to train: so many trajectories take minutes.
    long = ["--trajectories", 400_000, "--trajectory-steps", 512]
    both = start_two(tmp_path, long, long)
    wait_for(tmp_path / "run/run.holder", both)
    time.sleep(1)
    begin = time.monotonic()
    both[which].send_signal(signal.SIGTERM)
    codes, said = finish(*both)
    assert codes == [143, 143], said
    assert time.monotonic() - begin < 10
    for _, error in said:
        assert error.startswith("stopped by SIGTERM; what was finished is kept; go on with: python -m")
        assert len(error.splitlines()) == 1
    assert not list(tmp_path.rglob("checkpoints"))


def test_a_folder_that_the_processes_do_not_share_is_refused(tmp_path):
    machines = [tmp_path / name for name in ("one", "other")]
    for machine in machines:  # a relative path is another folder on each
        machine.mkdir()
    codes, said = finish(*start_two(tmp_path, ["--out", "run"], ["--out", "run"], cwds=machines))
    assert codes == [2, 2]
    for _, error in said:
        assert "process 1 does not see what the first writes into" in error and "Traceback" not in error
    assert not [*tmp_path.glob("*/run/*"), *tmp_path.glob("*/run/.shared*")]


def test_processes_that_were_started_with_other_settings_are_refused(tmp_path):
    first, second = start_two(tmp_path, ["--seed", 1], ["--learning-rate", 0.5, "--teacher", "newton"])
    codes, said = finish(first, second)
    assert codes == [2, 2]
    for _, error in said:
        assert (
            "process 1 differs from the first in learning-rate 0.5 instead of 0.005, seed 0 instead of 1, "
            "teacher 'newton' instead of 'steepest'"
            in error
            and "Traceback" not in error
        )
    assert not (tmp_path / "run").exists()


def test_what_differs_is_named_by_process(monkeypatch):
    sent = [{"seed": 0, "version of jax": "1"}, {"seed": 0, "version of jax": "1"},
            {"seed": 2, "version of jax": "10"}]  # fmt: skip
    texts = [json.dumps(each, sort_keys=True).encode() for each in sent]

    def gathered(own):
        if own.ndim == 0:
            return np.asarray([len(text) for text in texts])
        return np.stack([np.frombuffer(text.ljust(len(own), b"\0"), np.uint8) for text in texts])

    monkeypatch.setattr("jax.process_count", lambda: 3)
    monkeypatch.setattr("jax.experimental.multihost_utils.process_allgather", gathered)
    with pytest.raises(DisagreementError) as error:
        check_alike(sent[0])
    assert str(error.value) == (
        "process 2 differs from the first in seed 2 instead of 0, version of jax '10' instead of '1'; start "
        "every process of a run alike"
    )
    texts[2] = texts[0]
    check_alike(sent[0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("localhost:1", None, None), "processes and process must be given as well"),
        ((None, 2, 0), "coordinator must be given as well"),
        (("localhost", 2, 0), "coordinator must be HOST:PORT, got 'localhost'"),
        (("localhost:1", 2, 2), "process must be 0 to 1, got 2"),
    ],
)
def test_joining_is_refused_before_anything_is_waited_for(given, said):
    with pytest.raises(ValueError, match=said):
        join(*given)


def test_processes_that_cannot_share_the_work_are_refused(monkeypatch):
    monkeypatch.setattr("jax.process_count", lambda: 3)
    with pytest.raises(ValueError, match="3 processes cannot share 180 training trajectories and"):
        sweep_module.share_of_lanes(PRESETS["smoke"])
    monkeypatch.setattr("jax.process_count", lambda: 2)
    monkeypatch.setattr("jax.process_index", lambda: 1)
    assert sweep_module.share_of_lanes(PRESETS["smoke"]) == (4, range(2, 4))
