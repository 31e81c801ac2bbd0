"""Real processes that are sent signals, and disks that are full."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from places import ROOT

TINY = ["--preset", "smoke", "--trajectories", "60", "--trajectory-steps", "32", "--train-steps", "1000",
        "--checkpoint-every", "100", "--batch-size", "32", "--starts", "32", "--rollout-steps", "8",
        "--bootstrap", "50", "--sizes", "3k", "--replicates", "2"]  # fmt: skip


def start(module, *arguments, **environment):
    """Start a command as from a shell, where no signal is ignored."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def sweep(folder, *arguments, devices=1, store=None):
    places = ["--out", folder / "run", "--store", store or folder / "store"]
    return start(
        "experiments.synthetic_sweep", *TINY, *places, *arguments, JAX_NUM_CPU_DEVICES=str(devices)
    )


def until(there, *processes, seconds=600):
    """Wait until something holds, while all processes live."""
    deadline = time.monotonic() + seconds
    while not there():
        if any(process.poll() is not None for process in processes):
            pytest.fail(str([process.communicate()[1] for process in processes]))
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(process, seconds=600):
    """Return the status and the lines on standard error of a process that ends."""
    _, error = process.communicate(timeout=seconds)
    return process.returncode, error.splitlines()


def numbers(folder):
    """What the sweep in a folder found, without what depends on the clock."""
    found = json.loads((folder / "run" / "sweep.json").read_text())
    del found["provenance"]
    for model in found["models"]:
        del model["seconds"], model["provenance"], model["git_commit"]
    return found


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """Yield a file system of its own of that size; skip where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder, but=0):
    """Fill a file system but for some bytes; return the file that does."""
    left = os.statvfs(folder)
    filler = folder / "filler"
    filler.write_bytes(b"x" * (left.f_bavail * left.f_frsize - but))
    return filler
