"""One finished sweep for all tests of what is done with one."""

import shutil

import commands
import pytest
from filelock import FileLock
from tiny_sweep import SAMPLED, places

from experiments import synthetic_sweep


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A finished tiny sweep of two sizes and two draws of the problem, with sampled rollouts; not to be changed.

    The first worker that needs it makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished-sweep"
    with FileLock(f"{folder}.lock"):
        if not (folder / "whole").exists():
            with pytest.MonkeyPatch.context() as monkeypatch:
                commands.run(synthetic_sweep, monkeypatch, *SAMPLED, *places(folder))
            (folder / "whole").touch()
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    """A finished run that may be harmed."""
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"
