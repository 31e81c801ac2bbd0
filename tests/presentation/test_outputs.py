"""Outputs are tried before any command works: no input is read where they cannot be written."""

import json

import commands
import pytest

from experiments import benchmark, choices, coverage, grid, incoherence, llm_import, llm_report, survey
from hotmess_jax.machine.disk import held_by, refused, size, try_file, try_folder


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (incoherence, ["none.jsonl", "--json"]),
        (incoherence, ["none.jsonl", "--figures"]),
        (survey, ["none.csv", "--out"]),
        (llm_import, ["inspect", "none.eval", "--out"]),
        (llm_import, ["inspect", "none.eval", "--out", "fine.jsonl", "--json"]),
        (coverage, ["--runs", "1", "--out"]),
        (choices, ["none", "--out"]),
        (benchmark, ["data", "--folder"]),
        (llm_report, ["none.jsonl", "--out"]),
        (grid, ["--vary", "seed=0,1", "--out", "fine", "--store"]),
    ],
)
def test_what_cannot_be_written_is_one_line_before_any_work(
    tmp_path, monkeypatch, capsys, command, arguments
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").write_text("mine")
    place = tmp_path / "a file" / "x.md"
    line = commands.refused(command, monkeypatch, capsys, *arguments, place)
    assert str(tmp_path / "a file") in line and ("Not a directory" in line or "no folder" in line)
    assert (tmp_path / "a file").read_text() == "mine"


def test_a_try_leaves_nothing_behind(tmp_path):
    try_folder(tmp_path / "a" / "b")
    try_file(tmp_path / "a" / "c.json")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert not list((tmp_path / "a" / "b").iterdir())
    try_folder(tmp_path / "c" / "d", keep=False)
    try_folder(tmp_path / "a" / "b" / "e", keep=False)
    assert not (tmp_path / "c").exists() and not list((tmp_path / "a" / "b").iterdir())
    with pytest.raises(IsADirectoryError):
        try_file(tmp_path / "a")
    with pytest.raises(NotADirectoryError, match="is no folder"):
        (tmp_path / "mine").write_text(json.dumps({}))
        try_folder(tmp_path / "mine")


def test_sizes_and_reasons():
    assert [size(n) for n in (0, 999, 1500, 2_500_000, 3e9, 4e12)] == [
        "0 B", "999 B", "1.5 kB", "2.5 MB", "3 GB", "4 TB"]  # fmt: skip
    assert refused(OSError(28, "No space left on device")) == "No space left on device"
    quoted = ValueError("RESOURCE_EXHAUSTED: Failed write [OS error 122: EDQUOT Disk quota exceeded]")
    assert refused(quoted) == "Disk quota exceeded"
    assert refused(ValueError("of something else")) is None


def test_bytes_held_are_counted(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"x" * 10)
    (tmp_path / "y").write_bytes(b"y" * 5)
    assert held_by(tmp_path) == 15 and held_by(tmp_path / "none") == 0
