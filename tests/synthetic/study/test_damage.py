"""What is read back is what was written, and whose it says: damaged and foreign files are one line each."""

import functools
import json
import shutil

import commands
import numpy as np
import pytest
from tiny_sweep import SAMPLED, TINY, places

from experiments import scaling_laws, synthetic_sweep
from hotmess_jax.machine.files import DamagedFileError, read_sealed, write_sealed
from hotmess_jax.presentation.command_line import parse_with_preset
from hotmess_jax.synthetic.checkpoints import OVERHEAD_BYTES
from hotmess_jax.synthetic.curves import strays
from hotmess_jax.synthetic.quadratic import Quadratic
from hotmess_jax.synthetic.study import programs
from hotmess_jax.synthetic.study import sweep as sweep_module
from hotmess_jax.synthetic.study.measure import failure
from hotmess_jax.synthetic.study.outputs import NoSweepError, lacking, read_sweep
from hotmess_jax.synthetic.study.plan import disk_bytes, plan, store_bytes
from hotmess_jax.synthetic.study.presets import PRESETS

outcome = functools.partial(commands.outcome, synthetic_sweep)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def empty(path):
    path.write_text("")


def no_object(path):
    path.write_text("[]")


def nothing_in_it(path):
    path.write_text("{}")


def gone(path):
    path.unlink()


def another_digit(path):
    """Change a number of a JSON file, which stays valid."""
    text = path.read_text()
    place = next(i for i in range(len(text) // 2, len(text)) if text[i] in "12345678")
    path.write_text(f"{text[:place]}{int(text[place]) + 1}{text[place + 1 :]}")


def of_another(path):
    """Put the other replicate's file in its place."""
    shutil.copy(path.parents[1] / "3k-1" / path.name, path)


@pytest.mark.parametrize(
    ("file", "harm", "said"),
    [
        ("models/3k-0/result.json", empty, "is empty or no JSON"),
        ("models/3k-0/result.json", cut, "is empty or no JSON"),
        ("models/3k-0/result.json", nothing_in_it, "lacks what a result has"),
        ("models/3k-0/result.json", another_digit, "its digest differs"),
        ("models/3k-0/result.json", of_another, "belongs to 3k, replicate 1"),
        ("models/3k-0/paths.npz", gone, "is missing"),
        ("models/3k-0/paths.npz", cut, "is cut or changed"),
        ("models/3k-0/paths.npz", flip, "is cut or changed"),
        ("models/3k-0/paths.npz", of_another, "belongs to 3k, replicate 1"),
        ("problems/0.json", another_digit, "its digest differs"),
        ("problems/0.json", no_object, "is no JSON object but a list"),
        ("run.json", no_object, "is no JSON object but a list"),
        ("run.json", empty, "is empty or no JSON"),
        ("run.json", nothing_in_it, "holds no settings of a sweep"),
    ],
)
def test_a_harmed_file_is_one_line_with_its_path_and_what_to_do(
    copy, monkeypatch, capsys, file, harm, said
):
    harm(copy / "run" / file)
    before = (copy / "run" / "sweep.json").read_bytes()
    monkeypatch.setattr(sweep_module.Sweep, "_carry_out", lambda *_: pytest.fail("trained"))
    line = commands.refused(synthetic_sweep, monkeypatch, capsys, *SAMPLED, *places(copy))
    assert str(copy / "run" / file) in line and said in line
    assert "delete" in line or "restore it" in line
    assert (copy / "run" / "sweep.json").read_bytes() == before


def test_results_of_before_that_have_no_seal_are_taken(copy, monkeypatch, capsys):
    for file in copy.glob("run/**/*.json"):
        value = json.loads(file.read_text())
        for name in ("seal", "provenance") if file.name == "result.json" else ("seal",):
            value.pop(name, None)
        file.write_text(json.dumps(value))
    for file in copy.glob("run/models/*/paths.npz"):
        arrays = dict(np.load(file))
        del arrays["of"]
        np.savez(file, **arrays)
    monkeypatch.setattr(sweep_module.Sweep, "_carry_out", lambda *_: pytest.fail("trained"))
    before = json.loads((copy / "run" / "sweep.json").read_text())
    assert outcome(monkeypatch, capsys, *SAMPLED, *places(copy))[0] == 0
    after = json.loads((copy / "run" / "sweep.json").read_text())
    assert after["fits"] == before["fits"] and after["provenance"] == before["provenance"]
    shutil.copy(copy / "run/models/3k-1/result.json", copy / "run/models/3k-0/result.json")
    line = commands.refused(synthetic_sweep, monkeypatch, capsys, *SAMPLED, *places(copy))
    assert "is the result of 3k-1" in line


def test_a_loss_floor_of_an_earlier_version_is_measured_anew(copy, monkeypatch, capsys):
    file = copy / "run" / "problems" / "0.json"
    problem = json.loads(file.read_text())
    of = problem.pop("seal")["of"]
    now = dict(problem["loss_floor"])
    problem["loss_floor"] = {"value": 9.0, "se": 0.1}  # of uniform points alone
    write_sealed(file, problem, of)
    monkeypatch.setattr(sweep_module.Sweep, "_carry_out", lambda *_: pytest.fail("trained"))
    before = json.loads((copy / "run" / "sweep.json").read_text())
    assert outcome(monkeypatch, capsys, *SAMPLED, *places(copy))[0] == 0
    after = json.loads((copy / "run" / "sweep.json").read_text())
    assert after["fits"] == before["fits"] and after["problems"] == before["problems"]
    assert read_sealed(file, of, "")["loss_floor"] == now


def test_a_harmed_manifest_is_named(copy, monkeypatch, capsys):
    (copy / "run/models/3k-0/result.json").unlink()
    store = min((copy / "store").glob("trajectories-*"))
    whole = json.loads((store / "manifest.json").read_text())
    for harmed in ([], {}, whole | {"digest": "0" * 64}, None):
        (store / "manifest.json").write_text(json.dumps(harmed))
        line = commands.refused(synthetic_sweep, monkeypatch, capsys, *SAMPLED, *places(copy))
        assert str(store) in line


def test_what_a_killed_first_write_left_is_no_other_s_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run-abc123.json").write_text("")
    monkeypatch.setattr(sweep_module.Sweep, "carry_out", lambda self: pytest.skip("claimed"))
    with pytest.raises(pytest.skip.Exception, match="claimed"):
        commands.run(synthetic_sweep, monkeypatch, *TINY, *places(tmp_path))


def test_each_model_keeps_the_provenance_of_its_training(finished):
    sweep = json.loads((finished / "run" / "sweep.json").read_text())
    for model in sweep["models"]:
        (trained,) = model["provenance"]["trained_on"]
        assert trained == model["provenance"]["measured_on"] and "jax" in trained["versions"]


def test_the_plan_s_bytes_are_those_on_disk(finished):
    config = parse_with_preset(PRESETS, "quick", [*SAMPLED])

    def size(files):
        return sum(file.stat().st_size for file in files if file.is_file())

    store = size(finished.glob("store/*/c/**/*"))
    assert store_bytes(config) <= store < 1.01 * store_bytes(config) + 1000
    numbers = size(finished.glob("run/models/*-*/*")) + (finished / "run/sweep.json").stat().st_size
    of_models = disk_bytes(config) - store_bytes(config)
    of_models -= 3 * sum(2 * row.checkpoint_bytes + OVERHEAD_BYTES for row in plan(config))
    assert numbers / 8 < of_models < 2 * numbers
    # Two checkpoints of two replicates; what Orbax writes beside the numbers is the same for any size.
    for row in plan(config):
        saved = size(finished.glob(f"run/models/{row.size}/checkpoints/**/*"))
        assert 0.8 * 2 * 2 * row.checkpoint_bytes < saved < 2 * 2 * row.checkpoint_bytes + 300_000


def test_a_folder_is_whole_only_with_every_output(copy):
    assert lacking(copy / "run") == []
    (copy / "run/figures/loss_by_size.pdf").unlink()
    assert lacking(copy / "run") == ["figures/loss_by_size.pdf"]
    (copy / "run/report.md").unlink()
    assert lacking(copy / "run") == ["report.md"]


@pytest.mark.parametrize("harm", [gone, cut])
def test_a_size_is_not_silently_missing_from_the_figures(copy, harm, tmp_path, monkeypatch, capsys):
    harm(copy / "run/models/3k-0/paths.npz")
    arguments = [copy / "run", "--out", tmp_path / "anew"]
    line = commands.refused(scaling_laws, monkeypatch, capsys, *arguments)
    assert str(copy / "run/models/3k-0/paths.npz") in line
    shutil.rmtree(copy / "run/models")  # an archive without models is reported without these figures
    code, _, _ = commands.outcome(scaling_laws, monkeypatch, capsys, *arguments)
    assert code == 0 and not (tmp_path / "anew/figures/trajectory.png").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty, cut or no JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 700, "it is empty, cut or no JSON"),
        (b"[1]", "it holds a list"),
        (b'{"models": {"gpt-4": {}}, "config": {}}', "its 'models' is no list"),
        (b'{"models": [1], "config": {}}', "its 'models' are not those of a sweep"),
        (b'{"models": []}', "it has no 'config'"),
    ],
)
def test_no_sweep_is_said_in_a_short_line(tmp_path, content, said):
    (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(NoSweepError, match="is no finished sweep") as error:
        read_sweep(tmp_path, ("config", "models"))
    assert said in str(error.value) and len(str(error.value)) < 300 and "Error(" not in str(error.value)


def test_an_unfinished_run_says_how_to_go_on(tmp_path):
    with pytest.raises(NoSweepError, match="there is no such file"):
        read_sweep(tmp_path, ())
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(NoSweepError, match="is not finished; the command that began it"):
        read_sweep(tmp_path, ())


def test_what_is_sealed_comes_back_and_every_changed_character_is_noticed(tmp_path):
    path, value = tmp_path / "a.json", {"x": [0.1, 1e-300, None], "y": {"z": "ä"}}
    write_sealed(path, value, "mine")
    assert read_sealed(path, "mine", "do") == value
    with pytest.raises(DamagedFileError, match="belongs to mine and not to yours; do"):
        read_sealed(path, "yours", "do")
    text = path.read_text()
    changed = 0
    for place, was in enumerate(text):
        if was.isalnum():
            path.write_text(f"{text[:place]}{'1' if was != '1' else '2'}{text[place + 1 :]}")
            try:
                changed += read_sealed(path, "mine", "do") != value
            except DamagedFileError:
                continue
    assert changed == len("seal")  # a seal whose name is spoilt is taken for a file without one


@pytest.mark.slow
def test_a_failed_model_is_final_until_something_changes_and_named_by_the_status(
    tmp_path, monkeypatch, capsys
):
    rate = programs.learning_rate
    with monkeypatch.context() as patched:
        patched.setattr(
            programs, "learning_rate", lambda c, size: 1e38 if size == "3k" else rate(c, size)
        )
        code, out, _ = outcome(patched, capsys, *TINY, *places(tmp_path))
    assert code == 1 and "--retry-failed" in out
    result = tmp_path / "run/models/3k-0/result.json"
    before = result.read_bytes()
    assert outcome(monkeypatch, capsys, *TINY, *places(tmp_path))[0] == 1
    assert result.read_bytes() == before
    # Other rounding is another chance.
    code, out, _ = outcome(monkeypatch, capsys, *TINY, *places(tmp_path), "--micro-batch", 8)
    sweep = json.loads((tmp_path / "run/sweep.json").read_text())
    assert code == 0 and len(sweep["models"]) == 4 and not sweep["failures"]
    assert (tmp_path / "run/models/3k/attempt-2-of-0-1/checkpoints/20").exists()


def test_the_last_update_is_looked_at():
    params = {"w": np.zeros((2, 3))}
    assert failure(-1, params, 20) is None
    assert failure(7, params, 20).step == 7
    params["w"][1, 2] = np.inf
    found = failure(-1, params, 20)
    assert found.step == 20 and "after the last update" in found.reason


def test_what_has_no_error_has_no_share_of_it():
    problem = Quadratic(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    assert np.isnan(strays(problem, np.zeros((5, 2), np.float32), 0.1).worst_percent_share)
    some = np.asarray([[0, 0], [3, 0], [0, 1]], np.float32)
    assert strays(problem, some, 0.1).worst_percent_share == pytest.approx(0.9)


@pytest.mark.slow
def test_starts_at_the_minimum_have_no_share_of_an_error_that_is_0(tmp_path, monkeypatch, capsys):
    at_b = ["--rollout-start-distribution", "normal", "--rollout-start-scale", 0]
    arguments = [*TINY, *places(tmp_path), *at_b, "--sizes", "3k", "--replicates", 1]
    assert outcome(monkeypatch, capsys, *arguments)[0] == 0
    teacher = json.loads((tmp_path / "run/sweep.json").read_text())["teacher"]["final"]
    assert teacher["error"] == 0 and teacher["worst_percent_share"] is None
