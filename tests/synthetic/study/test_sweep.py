"""The main job from its command line: the contract, stops and restarts, bad input."""

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time

import commands
import filelock
import numpy as np
import pytest
from places import ROOT
from rich.console import Console
from tiny_sweep import SAMPLED, TINY, changed, places

from experiments import scaling_laws, synthetic_sweep
from hotmess_jax.presentation.command_line import parse_with_preset
from hotmess_jax.synthetic.checkpoints import OVERHEAD_BYTES
from hotmess_jax.synthetic.study import programs
from hotmess_jax.synthetic.study import sweep as sweep_module
from hotmess_jax.synthetic.study.folder import claim_folder
from hotmess_jax.synthetic.study.plan import disk_bytes, host_bytes, plan, store_bytes
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.problems import draw_problem
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.report import FIGURES
from hotmess_jax.synthetic.study.sweep_document import to_document

run = functools.partial(commands.run, synthetic_sweep)
refused = functools.partial(commands.refused, synthetic_sweep)


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers_in(item)
    elif isinstance(value, int | float):
        yield value


def test_sweep_json_keeps_its_contract(finished):
    text = (finished / "run" / "sweep.json").read_text()
    sweep = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in sweep.json"))
    assert sweep["schema"] == 2
    assert np.shape(sweep["problem"]["A"]) == (2, 2) and np.shape(sweep["problem"]["b"]) == (2,)
    assert all(np.isfinite(list(numbers_in(sweep))))
    assert [(m["size"], m["replicate"]) for m in sweep["models"]] == [
        ("3k", 0), ("3k", 1), ("6k", 0), ("6k", 1)]  # fmt: skip
    for curves in (sweep["teacher"], sweep["codec_teacher"], *sweep["models"]):
        assert {len(curves[k]) for k in ("bias2", "variance", "error", "incoherence")} == {9}
        total = np.add(curves["bias2"], curves["variance"])
        np.testing.assert_allclose(curves["error"], total, rtol=1e-6)
        np.testing.assert_allclose(curves["incoherence"], curves["variance"] / total, rtol=1e-6)
        by_direction = np.sum(curves["directions"]["variance"], axis=0)
        np.testing.assert_allclose(by_direction, curves["variance"], rtol=1e-4)
    for model in sweep["models"]:
        final = model["final"]
        assert final["bias2"] == model["bias2"][-1] and final["error"] == model["error"][-1]
        # Of 32 starts, too few hold the error for an interval over them.
        assert 1 <= final["effective_starts"] <= 32 and final["incoherence_ci95"] is None
        low, high = model["sampled"]["final"]["incoherence_ci95"]
        assert 0 <= low <= model["sampled"]["final"]["incoherence"] <= high <= 1
        starts = sweep["config"]["starts"]
        corrected = final["variance"] * starts / (starts - 1)
        np.testing.assert_allclose(final["corrected"]["variance"], corrected, rtol=1e-5)
        assert model["sampled"]["samples"] == 8 and len(model["sampled"]["bias2"]) == 9
        assert model["saturated"] >= 0 and set(model["seconds"]) == {"train", "rollout"}
    one, two = sweep["models"][:2]
    assert one["problem"] == 0 and two["problem"] == 1 and one["bias2"][-1] != two["bias2"][-1]
    for model in sweep["models"]:
        teacher = sweep["problems"][model["problem"]]["teacher"]
        assert model["bias2"][0] == teacher["bias2"][0]
        assert len(model["validation_loss_by_token"]) == 19
        floor = sweep["problems"][model["problem"]]["loss_floor"]
        assert 0 < floor["value"] < model["validation_loss"] and floor["low"] < floor["high"]
        found = model["ends"]
        np.testing.assert_allclose(found["bias2"], model["final"]["bias2"], rtol=1e-3)
        within = found["between"] + found["within"]
        np.testing.assert_allclose(within, model["final"]["variance"], rtol=1e-3)
        assert len(found["points"]) == 32
    assert {"validation_loss", "bias2", "variance", "error"} <= set(sweep["fits"])
    assert all(fit["over"] == "draws" for fit in sweep["fits"].values())
    assert len(sweep["claims"]) == 5


def test_report_and_figures_are_there(finished):
    report = (finished / "run" / "report.md").read_text()
    for name in FIGURES:
        assert f"figures/{name}.png" in report
        for kind in ("png", "pdf"):
            assert (finished / "run" / "figures" / f"{name}.{kind}").exists()
    assert report.count("| **") == 5  # verdicts
    assert "teacher, rounded" in report and "2 draws of the problem" in report


def test_a_finished_sweep_is_not_done_again(copy, monkeypatch):
    before = (copy / "run" / "sweep.json").read_text()
    monkeypatch.setattr(sweep_module.Sweep, "_carry_out", lambda *_: pytest.fail("trained"))
    run(monkeypatch, *SAMPLED, *places(copy))
    assert comparable(before) == comparable((copy / "run" / "sweep.json").read_text())


def test_a_model_that_is_there_is_not_measured_again(copy, monkeypatch):
    before = (copy / "run" / "sweep.json").read_text()
    (copy / "run" / "models" / "3k-1" / "result.json").unlink()
    measure, measured = sweep_module.Sweep._measure_run, []

    def measure_and_note(self, one, *rest):
        measured.append(one.name)
        return measure(self, one, *rest)

    monkeypatch.setattr(sweep_module.Sweep, "_measure_run", measure_and_note)
    run(monkeypatch, *SAMPLED, *places(copy))
    assert measured == ["3k, replicate 1"]
    assert comparable(before) == comparable((copy / "run" / "sweep.json").read_text())


def test_another_configuration_is_refused_and_nothing_is_touched(finished, monkeypatch, capsys):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*")}
    line = refused(monkeypatch, capsys, *TINY, *places(finished), "--seed", 7)
    assert "seed 0 instead of 7" in line and "temperature" in line
    assert {p: p.stat().st_mtime_ns for p in finished.rglob("*")} == before


def test_scaling_laws_runs_alone_on_a_finished_sweep(finished, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scaling_laws", str(finished / "run"), "--json", "-"])
    scaling_laws.main()
    found = json.loads(capsys.readouterr().out)
    sweep = json.loads((finished / "run" / "sweep.json").read_text())
    assert found["fits"] == sweep["fits"]


def comparable(text):
    """A sweep without what depends on the clock."""
    sweep = json.loads(text)
    del sweep["provenance"]
    for model in sweep["models"]:
        del model["seconds"], model["provenance"]
    return sweep


def test_killed_and_started_again_it_ends_with_the_same_numbers(tmp_path):
    """A real process, killed with SIGKILL twice: while the first size trains, and the second."""

    def command(folder):
        return [sys.executable, "-m", "experiments.synthetic_sweep", *TINY, "--train-steps", "200",
                *map(str, places(folder))]  # fmt: skip

    def killed_once(appears):
        process = subprocess.Popen(command(tmp_path / "killed"), cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not any(tmp_path.glob(f"killed/run/models/{appears}")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    killed_once("3k/checkpoints/20")
    assert not (tmp_path / "killed/run/models/3k-0/result.json").exists()
    killed_once("6k/checkpoints/10")
    assert not (tmp_path / "killed/run/models/6k-0/result.json").exists()
    for folder in ("killed", "whole"):
        subprocess.run(command(tmp_path / folder), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    texts = [(tmp_path / f / "run" / "sweep.json").read_text() for f in ("killed", "whole")]
    assert comparable(texts[0]) == comparable(texts[1])
    for name in FIGURES:
        for kind in ("png", "pdf"):
            assert (tmp_path / "whole" / "run" / "figures" / f"{name}.{kind}").stat().st_size > 5_000


def test_a_loss_that_is_not_finite_stops_its_size_alone(tmp_path, monkeypatch, capsys):
    rate = programs.learning_rate
    monkeypatch.setattr(
        programs, "learning_rate", lambda c, size: 1e38 if size == "3k" else rate(c, size)
    )
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, *TINY, *places(tmp_path))
    assert stop.value.code == 1
    sweep = json.loads((tmp_path / "run" / "sweep.json").read_text())
    assert [m["size"] for m in sweep["models"]] == ["6k", "6k"]
    assert [f["size"] for f in sweep["failures"]] == ["3k", "3k"]
    step = sweep["failures"][0]["failed"]["step"]
    assert 0 < step < 40
    assert f"not finite at step {step}" in (tmp_path / "run" / "report.md").read_text()
    assert f"not finite at step {step}" in capsys.readouterr().out


def test_replicates_have_draws_of_their_own_or_share_them_in_one_program(tmp_path):
    arguments = ("--sizes", "3k", "--replicates", 4, "--initialisations", 2)
    config = parse_with_preset(PRESETS, "quick", [*map(str, (*TINY, *places(tmp_path), *arguments))])
    done = sweep_module.Sweep(config, SweepProgress(Console(quiet=True)))
    sweep = to_document(synthetic_sweep.carry_out(done))
    assert (
        done.programs.trainer("3k", 4)._steps._cache_size()
        == done.programs.trainer("3k", 4)._validate._cache_size()
        == 1
    )
    assert done.programs.rollout("3k", 0.0, 32, 4).compilations == 1
    first, second = sweep["problems"]
    assert first["A"] == sweep["problem"]["A"] != second["A"]
    assert [m["problem"] for m in sweep["models"]] == [0, 0, 1, 1]
    assert [m["bias2"][0] for m in sweep["models"]] == [
        p["teacher"]["bias2"][0] for p in (first, first, second, second)]  # fmt: skip
    assert len({m["bias2"][-1] for m in sweep["models"]}) == 4


def test_a_draw_is_what_it_is_alone(finished, tmp_path, monkeypatch):
    """The first of two draws, trained and rolled out beside the other and by itself."""
    run(monkeypatch, *TINY, *places(tmp_path), "--replicates", 1, "--sizes", "3k")
    (alone,) = json.loads((tmp_path / "run" / "sweep.json").read_text())["models"]
    beside = json.loads((finished / "run" / "sweep.json").read_text())["models"][0]
    assert (beside["size"], beside["replicate"]) == ("3k", 0)
    np.testing.assert_allclose(alone["validation_loss"], beside["validation_loss"], rtol=1e-5)
    np.testing.assert_allclose(alone["bias2"], beside["bias2"], rtol=0.02)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "nope"], "'nope'"),
        (["--preset", "smoke", "--sizes", "3k", "99z"], "'99z'"),
        (["--precision", "12"], "got 12"),
        (["--precision", "0"], "got 0"),
        (["--dimension", "0"], "dimension must be 1 to 64, got 0"),
        (["--condition-number", "0.5"], "condition-number must be 1 to 1e+06, got 0.5"),
        (["--condition-number", "nan"], "got nan"),
        (
            ["--teacher", "gradient", "--step-norm", "2"],
            "step-norm must be below 2 for teacher gradient",
        ),
        (["--teacher", "adam"], "adam"),
        (["--rollout-start-offset", "30"], "rollout starts (offset) leave the codec's range"),
        (["--training-start-scale", "30"], "training starts (uniform) leave the codec's range"),
        (["--replicates", "3", "--initialisations", "2"], "multiple of initialisations, got 3 and 2"),
        (
            ["--replicate-varies", "initialisation", "--initialisations", "2"],
            "initialisations 2 needs replicate-varies problem",
        ),
        (["--holdout", "1e-9"], "holdout"),
        (["--sizes", "3k", "3k"], "names one twice"),
        (["--sizes", "47k", "4x32"], "names one twice: 4x32, which 47k is"),
        (["--sizes", "1x16", "6k", "3k"], "names one twice: 3k, which 1x16 is"),
        (["--temperature", "1e-38"], "temperature must be 0 or at least 0.001"),
        (["--train-steps", "-1"], "got -1"),
        (["--nosuch", "1"], "--nosuch"),
        (["--seed", "x"], "--seed"),
        (["--attention", "cudnn"], "attention cudnn needs a GPU and compute bfloat16"),
    ],
)
def test_bad_input_is_one_line_before_any_work(tmp_path, monkeypatch, capsys, arguments, said):
    assert said in refused(monkeypatch, capsys, *arguments, *places(tmp_path))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid_and_settings_override_it(preset):
    config = parse_with_preset(PRESETS, "quick", ["--preset", preset, "--seed", "5"])
    assert config == dataclasses.replace(PRESETS[preset], seed=5)
    config.validate()
    draw_problem(config)


def test_without_arguments_it_is_the_quick_preset():
    assert parse_with_preset(PRESETS, "quick", []) == PRESETS["quick"]
    assert parse_with_preset(PRESETS, "quick", ["--preset=smoke"]) == PRESETS["smoke"]


def test_a_folder_of_something_else_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    assert "holds no sweep" in refused(monkeypatch, capsys, *TINY, *places(tmp_path))
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_a_folder_in_use_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "run").mkdir()
    config = parse_with_preset(PRESETS, "quick", [*TINY, *map(str, places(tmp_path))])
    claim_folder(config)
    with filelock.FileLock(tmp_path / "run" / "run.lock"):
        said = refused(monkeypatch, capsys, *TINY, *places(tmp_path))
    assert said == f"error: another process works in {tmp_path / 'run'}; wait for its end"


def test_a_harmed_store_or_checkpoint_is_named_before_any_training(copy, monkeypatch, capsys):
    models = copy / "run" / "models"
    (models / "3k-0" / "result.json").unlink()
    monkeypatch.setattr(sweep_module.Sweep, "_carry_out", lambda *_: pytest.fail("trained"))
    for file in (models / "3k" / "checkpoints").rglob("*"):
        if file.is_file() and file.parent.name == "d":
            file.write_bytes(b"")
    arguments = (*SAMPLED, *places(copy))
    assert str(models / "3k" / "checkpoints" / "20") in refused(monkeypatch, capsys, *arguments)
    store = min((copy / "store").glob("trajectories-*"))
    chunk = next(p for p in (store / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-9])
    assert str(store) in refused(monkeypatch, capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rollout-start-offset", "30"], "rollout starts (offset) leave the codec's range"),
        (["--attention", "cudnn"], "attention cudnn needs a GPU"),
        ([], "holds no sweep"),
    ],
)
def test_a_dry_run_refuses_what_a_run_refuses(tmp_path, monkeypatch, capsys, arguments, said):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    line = refused(monkeypatch, capsys, "--preset", "smoke", "--dry-run", *arguments, *places(tmp_path))
    assert said in line


def test_a_dry_run_prints_the_plan_and_touches_nothing(tmp_path, monkeypatch, capsys):
    run(monkeypatch, "--preset", "paper", "--dry-run", *places(tmp_path))
    printed = capsys.readouterr().out
    assert "4,742,144" in printed and "Nothing was run" in printed
    assert not any(tmp_path.iterdir())


def test_the_plan_counts_the_trajectories_of_every_draw():
    drawn = changed(PRESETS["quick"], replicates=6, initialisations=2)
    assert store_bytes(drawn) == 3 * 4_000 * 160 * 2 * 4
    shared = changed(drawn, replicate_varies="initialisation", initialisations=1)
    assert store_bytes(shared) == 4_000 * 160 * 2 * 4


def test_eight_draws_are_eight_times_one_in_the_plan():
    one = changed(PRESETS["paper"], sizes=("47k",))
    eight = changed(one, replicates=8)
    for of in (store_bytes, host_bytes):
        assert of(eight) == pytest.approx(8 * of(one), rel=0.1)
    beside = 3 * OVERHEAD_BYTES  # of the checkpoints, which hold all eight
    assert disk_bytes(eight) - beside == 8 * (disk_bytes(one) - beside)
    (alone,), (together,) = plan(one), plan(eight)
    assert together.device_bytes == 8 * alone.device_bytes
    assert together.training_flops == alone.training_flops  # of one model


def test_the_data_that_is_held_is_what_the_plan_says(tmp_path):
    config = parse_with_preset(PRESETS, "quick", [*map(str, (*TINY, *places(tmp_path)))])
    done = sweep_module.Sweep(config, SweepProgress(Console(quiet=True)))
    data = [done.trajectories.read(index) for index in range(2)]
    held = sum(part.nbytes for each in data for part in each)
    state = 2 * plan(config)[-1].checkpoint_bytes
    chosen_from = 6 * 32 * 2 * 4
    assert host_bytes(config) == held + state + chosen_from


def test_the_plan_counts_what_is_exact():
    paper = PRESETS["paper"]
    first = plan(paper)[0]
    assert first.training_tokens == 65_536 * 1_024 * 56
    assert first.rollout_tokens == 4_096 * 2_048 * 56
    # Six times parameters times tokens, the usual estimate, is near for the widest model, where
    # attention is little, when every token's loss counts.
    last = plan(changed(paper, loss_on="all"))[-1]
    assert 0.9 < last.training_flops / (6 * last.parameters * last.training_tokens) < 1.25
