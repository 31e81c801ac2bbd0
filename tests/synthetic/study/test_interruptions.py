"""When the machine says no: signals, full disks, folders that cannot be written, two at once."""

import contextlib
import random
import signal
import subprocess

import commands
import pytest
from interruptions import TINY, ended, fill, numbers, small_disk, sweep, until

from experiments import synthetic_sweep
from hotmess_jax.machine.disk import WriteFailedError, free
from hotmess_jax.machine.files import write_text
from hotmess_jax.presentation.command_line import ending_in_one_line
from hotmess_jax.synthetic.study import plan as plan_module
from hotmess_jax.synthetic.study import sweep as sweep_module

CHECKPOINTS = "run/models/3k/checkpoints"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The numbers of a run that nothing stopped, and its trajectories."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert ended(sweep(folder)) == (0, [])
    return numbers(folder), folder / "store"


def begun(folder):
    return (folder / CHECKPOINTS / "100").exists


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_training_saves_and_the_same_command_goes_on(tmp_path, undisturbed, number):
    first = sweep(tmp_path, store=undisturbed[1])
    until(begun(tmp_path), first)
    first.send_signal(number)
    status, lines = ended(first)
    assert status == 128 + number and len(lines) == 1
    saved = max(int(each.name) for each in (tmp_path / CHECKPOINTS).iterdir())
    assert lines[0].startswith(
        f"stopped by {number.name}: 3k, 2 replicates is saved at step {saved:,} of 1,000; what was finished is "
        "kept; go on with: python -m experiments.synthetic_sweep --preset smoke"
    )
    assert not (tmp_path / "run/run.holder").exists()
    assert ended(sweep(tmp_path, store=undisturbed[1])) == (0, [])
    assert numbers(tmp_path) == undisturbed[0]


def test_a_second_signal_ends_at_once(tmp_path):
    process = sweep(tmp_path, "--train-steps", "100000", "--steps-per-dispatch", "10000",
                    "--checkpoint-every", "10000")  # fmt: skip
    until((tmp_path / "store").exists, process)
    until((tmp_path / "run/run.holder").exists, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    status, lines = ended(process, seconds=20)
    assert status == 130 and len(lines) <= 2 and lines[0].startswith("stopped by SIGINT")


@pytest.mark.slow
def test_signals_at_random_moments_lose_nothing(tmp_path, undisturbed):
    draw = random.Random(0)
    for turn in range(20):
        folder, stops = tmp_path / str(turn), 0
        folder.mkdir()
        number = draw.choice([signal.SIGTERM, signal.SIGINT])
        while True:
            process = sweep(folder)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0, 12))
            if process.poll() is None and stops < 3:
                process.send_signal(number)
                stops += 1
            status, lines = ended(process)
            if status == 0:
                break
            assert status in (128 + number, -number) and len(lines) <= 1, lines
        assert numbers(folder) == undisturbed[0], turn


def test_a_disk_that_fills_up_is_one_line_and_the_same_command_goes_on(tmp_path, undisturbed):
    with small_disk(tmp_path / "disk", 2_000) as disk:
        process = sweep(disk, store=undisturbed[1])
        until(begun(disk), process)
        filler = fill(disk)
        status, lines = ended(process)
        assert status == 1 and len(lines) == 1, lines
        assert f"cannot write {disk / CHECKPOINTS}" in lines[0]
        assert "space" in lines[0] and "are free there" in lines[0] and "go on with: python" in lines[0]
        filler.unlink()
        assert ended(sweep(disk, store=undisturbed[1])) == (0, [])
        assert numbers(disk) == undisturbed[0]


def test_a_disk_that_plainly_lacks_space_is_refused_before_any_work(tmp_path):
    with small_disk(tmp_path / "disk", 600) as disk:
        status, lines = ended(sweep(disk, store=tmp_path / "store"))
        assert status == 2 and len(lines) == 1
        assert lines[0].startswith("error: no space: the sweep writes up to") and "are free" in lines[0]
        assert not list(tmp_path.glob("store/trajectories-*"))


def test_what_is_there_already_needs_no_room(tmp_path, monkeypatch):
    from hotmess_jax.presentation.command_line import parse_with_preset
    from hotmess_jax.synthetic.study.presets import PRESETS

    words = [*TINY, "--out", str(tmp_path / "run"), "--store", str(tmp_path / "store")]
    config = parse_with_preset(PRESETS, "quick", words)
    stores = [tmp_path / "store" / str(i) for i in range(config.model.draws)]
    needed = plan_module.disk_bytes(config)
    monkeypatch.setattr(plan_module, "free", lambda path: needed - 1)
    with pytest.raises(plan_module.NoRoomError, match="no space"):
        plan_module.check_room(config, stores)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "there").write_bytes(b"x" * 1000)
    said = plan_module.check_room(config, stores)
    assert str(tmp_path / "run") in said and str(tmp_path / "store") in said
    for store in stores:
        store.mkdir(parents=True)
    assert str(tmp_path / "store") not in plan_module.check_room(config, stores)


@pytest.mark.parametrize("which", ["--out", "--store"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    tmp_path, monkeypatch, capsys, which
):
    monkeypatch.setattr(sweep_module.Sweep, "_carry_out_all", lambda *_: pytest.fail("worked"))
    (tmp_path / "a file").write_text("mine")
    places = {"--out": tmp_path / "run", "--store": tmp_path / "store"} | {
        which: tmp_path / "a file" / "x"
    }
    words = [word for place in places.items() for word in place]
    line = commands.refused(synthetic_sweep, monkeypatch, capsys, *TINY, *words)
    assert str(tmp_path / "a file") in line and "Not a directory" in line


def test_a_second_process_is_told_who_works_in_the_folder(tmp_path, undisturbed):
    first = sweep(tmp_path, "--train-steps", "4000", store=undisturbed[1])
    until((tmp_path / "run/run.holder").exists, first)
    second = sweep(tmp_path, "--train-steps", "4000", store=undisturbed[1])
    status, lines = ended(second)
    assert status == 2 and len(lines) == 1
    assert f"process {first.pid} on " in lines[0] and "works in" in lines[0]
    first.kill()
    first.communicate()


def test_a_file_that_is_refused_leaves_what_was_there(tmp_path, capsys):
    with small_disk(tmp_path / "disk", 64) as disk:
        write_text(disk / "report.md", "before")
        with pytest.raises(
            WriteFailedError, match=r"cannot write .*report.md: No space left on device"
        ):
            write_text(disk / "report.md", "x" * 100_000)
        assert (disk / "report.md").read_text() == "before"
        assert [each.name for each in disk.iterdir()] == ["report.md"] and free(disk) > 50_000

        @ending_in_one_line()
        def main():
            write_text(disk / "report.md", "x" * 100_000)

        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and lines[0].startswith(
            f"error: cannot write {disk / 'report.md'}: No space"
        )
