"""A run's folder that an earlier version made is still its own: beside this file, of `SAMPLED` with 3 replicates."""

from pathlib import Path

import pytest
from tiny_sweep import SAMPLED

from hotmess_jax.presentation.command_line import parse_with_preset
from hotmess_jax.synthetic.study.folder import (
    ConfigMismatchError,
    check_folder,
    read_paths,
    read_result,
    runs_of,
)
from hotmess_jax.synthetic.study.presets import PRESETS

FOLDER = Path(__file__).parent / "made_before"


def config(*more):
    words = [*SAMPLED, "--replicates", "3", "--out", str(FOLDER), *more]
    return parse_with_preset(PRESETS, "quick", words)


def test_a_folder_made_before_is_taken_up_with_its_results():
    sweep = config()
    assert check_folder(sweep)
    run = runs_of(sweep)[0]
    assert read_result(sweep, run).final.bias2 > 0
    assert read_paths(sweep, run)["ends"].shape == (32, 2)


def test_what_is_not_of_the_results_may_change_and_what_is_may_not():
    assert check_folder(config("--micro-batch", "4", "--steps-per-dispatch", "1", "--retry-failed"))
    with pytest.raises(ConfigMismatchError, match="bootstrap"):
        check_folder(config("--bootstrap", "51"))
