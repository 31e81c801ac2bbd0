"""Whose commit a result names."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from hotmess_jax.machine import provenance


def git(folder, *command):
    subprocess.run(["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *command],
                   check=True, capture_output=True)  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "add", "known"),
    [(".", True, True), ("venv/site-packages", True, False), (".", False, False)],
)
def test_a_commit_is_named_only_of_the_project_s_own_repository(tmp_path, inside, add, known):
    package = tmp_path / inside / "hotmess_jax" / "machine"
    package.mkdir(parents=True)
    file = Path(shutil.copy(provenance.__file__, package))
    (tmp_path / "theirs.txt").write_text("theirs")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", *(["."] if add else ["theirs.txt"]))
    git(tmp_path, "commit", "-qm", "first")
    spec = importlib.util.spec_from_file_location("copied", file)
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    commit = copied.git_commit()
    assert (commit is not None) == known
    if known:
        assert len(commit) == 40
        file.write_text(file.read_text() + "\n")
        assert copied.git_commit() == commit + "-dirty"
