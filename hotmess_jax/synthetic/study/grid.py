"""A grid of sweeps: which there are, where each has its folder, and which of them are pooled at the end."""

import collections
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from hotmess_jax.machine.processes import differing
from hotmess_jax.presentation.command_line import fail, failing_on, parse_with_preset
from hotmess_jax.presentation.limits import Limits
from hotmess_jax.synthetic.results import SweepResults
from hotmess_jax.synthetic.study.outputs import (
    NoSweepError,
    conclude,
    lacking,
    read_json,
    read_sweep,
    write_outputs,
)
from hotmess_jax.synthetic.study.pooling import pool
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.settings import SweepConfig

BASE = "base"


@dataclass(frozen=True, kw_only=True)
class GridConfig:
    """Carry out a sweep for every combination of settings, or for each change of one."""

    vary: tuple[str, ...]
    """Settings of synthetic_sweep and their values, as SETTING=VALUE,VALUE,…; with one-at-a-time also
    several settings that change together, as SETTING=VALUE+SETTING=VALUE."""

    out: Path
    """The folder; each sweep has one of its own in it."""

    design: Literal["product", "one-at-a-time"] = "product"
    """Every combination of the values, or a base and each value alone, all else as in the base."""

    preset: str = "quick"
    """Where all other settings come from."""

    fixed: tuple[str, ...] = ()
    """Other settings, the same for all, as SETTING=VALUE."""

    retry_failed: bool = False
    """Train models that failed once more, as synthetic_sweep does."""

    store: Path = Path("results/runs/trajectories")
    """Folder of the teacher's trajectories, shared between sweeps."""

    launcher: Literal["here", "ray"] = "here"
    """One after the other in this process, or spread over a Ray cluster (extra: ray)."""

    address: str | None = None
    """The Ray cluster's; None starts one on this machine."""

    cpus_per_sweep: Annotated[int, Limits(1)] = 2
    """Processors that Ray keeps for each sweep."""

    gpus_per_sweep: Annotated[float, Limits(0)] = 0.0
    """Accelerators that Ray keeps for each sweep; below 1, sweeps share one."""


@dataclass(frozen=True)
class Planned:
    """One sweep of a grid: its folder's name, its command line, and what that says."""

    name: str
    arguments: list[str]
    config: SweepConfig


def settings_of(arguments: Sequence[str]) -> SweepConfig:
    """Return the settings of a sweep's command line."""
    return parse_with_preset(PRESETS, "quick", arguments)


def planned(config: GridConfig) -> list[Planned]:
    """Return every sweep of the grid, checked; what is wrong ends the program in one line."""
    fixed = [_settings(text, "fixed")[0] for text in config.fixed]
    changes = [_settings(text, "vary") for text in config.vary]
    used = [name for name, _ in fixed] + [
        name for parts in changes for name in dict.fromkeys(name for name, _ in parts)
    ]
    for name in used:
        _check_name(name)
    plain = [name.replace("_", "-") for name in used]
    for name in plain:
        if plain.count(name) > 1:
            fail(f"{name} is set more than once: each setting stands once, in --vary or in --fixed")
    chosen: list[tuple[tuple[str, str], ...]]
    if config.design == "product":
        for text, parts in zip(config.vary, changes, strict=True):
            if len({name for name, _ in parts}) > 1:
                fail(f"settings change together only with --design one-at-a-time, got {text!r}")
        chosen = [tuple(choice) for choice in itertools.product(*changes)]
    else:
        chosen = [()]
        for parts in changes:
            together = len({name for name, _ in parts}) > 1
            chosen += [tuple(parts)] if together else [(part,) for part in parts]
    there = _sweeps_there(config.out)
    sweeps: list[Planned] = []
    for choice in chosen:
        words = [word for name, value in (*choice, *fixed) for word in (f"--{name}", *value.split())]
        words += ["--preset", config.preset, "--store", str(config.store.absolute())]
        parsed = settings_of(words)
        with failing_on(ValueError):
            parsed.validate()
        name = there.get(_text(parsed.identity())) or _name(choice, parsed, config.design)
        arguments = [*words, "--out", str((config.out / name).absolute())]
        if config.retry_failed:
            arguments.append("--retry-failed")
        parsed = settings_of(arguments)
        for other in sweeps:
            if other.config.meant() == parsed.meant():
                fail(f"{other.name} and {_name(choice, parsed, config.design)} are the same sweep")
            if other.name.lower() == name.lower():  # some file systems know no case
                fail(f"{other.name} and {name} would share a folder")
        sweeps.append(Planned(name, arguments, parsed))
    return sweeps


def _name(choice: Sequence[tuple[str, str]], parsed: SweepConfig, design: str) -> str:
    """Return a sweep's folder: its settings as they are used, however they were spelt."""
    between = "," if design == "product" else "+"
    parts = []
    for name, _ in choice:
        value = parsed.flat()[name.replace("-", "_")]
        if isinstance(value, float):
            text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
        else:
            text = " ".join(value) if isinstance(value, tuple) else str(value)
        parts.append(f"{name.replace('_', '-')}={text}")
    return re.sub(r"[^\w.,=+-]+", "_", between.join(parts) or BASE)


def _sweeps_there(out: Path) -> dict[str, str]:
    """Return the names of the folders that hold sweeps already, by their settings."""
    found = {}
    for mark in sorted(out.glob("*/run.json")):
        try:
            found[_text(json.loads(mark.read_text()))] = mark.parent.name
        except (OSError, ValueError):
            continue  # where a sweep should go there, `check_folder` says what is wrong
    return found


def _text(identity: object) -> str:
    return json.dumps(identity, sort_keys=True)


def _settings(text: str, option: str) -> list[tuple[str, str]]:
    """Return the settings and values that an argument of --vary or --fixed names."""
    parts = re.split(r"\+(?=[A-Za-z][\w-]*=)", text)
    found = []
    for part in parts:
        name, equals, values = part.partition("=")
        several = [values] if option == "fixed" or len(parts) > 1 else values.split(",")
        if not name or not equals or not all(value.strip() for value in several):
            fail(f"{option} must be SETTING=VALUE{',VALUE,…' * (option == 'vary')}, got {text!r}")
        if len(parts) > 1 and "," in values:
            fail(f"settings that change together have one value each, got {text!r}")
        if any(word.startswith("--") for word in values.split()):
            fail(f"{option}: a value is no option, got {text!r}")
        found += [(name, value) for value in several]
    if option == "fixed" and len(parts) > 1:
        fail(f"fixed must be SETTING=VALUE, got {text!r}")
    names = [name for name, _ in found]
    if len(parts) > 1 and len(set(names)) < len(names):
        fail(f"a setting stands twice in {text!r}")
    return found


def _check_name(name: str) -> None:
    """Refuse what is no setting of the results, or is the grid's own."""
    field = name.replace("-", "_")
    if field not in SweepConfig().flat():
        fail(f"{name} is no setting of synthetic_sweep")
    if field == "preset" or field not in SweepConfig().identity():
        fail(f"{name} cannot be in --vary or --fixed: the grid sets it, or it does not change results")


def is_there(sweep: Planned) -> SweepResults | None:
    """Return the results of a sweep that is done, with all its outputs; None where there is more to do.

    A folder of another sweep ends the program in one line.
    """
    path = sweep.config.folder / "sweep.json"
    if not path.exists():
        return None
    with failing_on(NoSweepError):
        found = read_sweep(path)
    if what := differing(json.loads(json.dumps(sweep.config.identity())), found.config):
        fail(f"{path.parent} holds another sweep ({what}); choose another --out")
    # What failed may be tried again: the sweep itself knows.
    return None if found.failures or lacking(sweep.config.folder) else found


def failed_models(sweep: SweepResults) -> list[str]:
    """Return the models that a sweep lacks, and why."""
    return [f"{each.name}: {each.failed.reason}" for each in sweep.failures]


def pools(sweeps: Sequence[Planned]) -> dict[str, list[Path]]:
    """Return which sweeps differ in the seed alone, by the name of what they share.

    Where nothing but the seed varies that name is ".", the grid's own folder.
    """
    together = but_for_seeds(sweeps)
    found = {}
    for same in together.values():
        if len(same) > 1:
            name = ",".join(
                part for part in re.split(r",(?=[A-Za-z][\w-]*=)", same[0].name)
                if part != BASE and not part.startswith("seed=")
            )  # fmt: skip
            found[f"pooled,{name}" if name else "."] = [sweep.config.folder for sweep in same]
    if len(found) > 1 or len(together) > 1:
        found = {"pooled" if name == "." else name: folders for name, folders in found.items()}
    return found


def but_for_seeds(sweeps: Sequence[Planned]) -> dict[str, list[Planned]]:
    """Return the sweeps by all their settings but the seed."""
    together: dict[str, list[Planned]] = collections.defaultdict(list)
    for sweep in sweeps:
        rest = {k: v for k, v in sweep.config.identity().items() if k != "seed"}
        together[_text(rest)].append(sweep)
    return together


def check_pool_s_place(folder: Path) -> None:
    """Refuse a folder that holds a sweep of its own, which the pool would overwrite."""
    path = folder / "sweep.json"
    with failing_on(NoSweepError):
        if path.exists() and "pooled_from" not in read_json(path, ()):
            fail(f"{folder} holds a sweep that is no pool; choose another --out")


def write_pool(folder: Path, folders: Sequence[Path]) -> Path:
    """Pool finished sweeps, write the whole into a folder, and return its report's path.

    Raises:
        PoolingError: where they cannot be pooled.
    """
    sweeps = [read_sweep(path) for path in folders]
    pooled = conclude(pool(sweeps, [path.name for path in folders]))
    write_outputs(pooled, folder, folders[0])
    return folder / "report.md"
