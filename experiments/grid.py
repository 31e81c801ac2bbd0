"""Many sweeps: python -m experiments.grid --vary seed=0,1 condition-number=10,50 --out FOLDER.

Every combination of the values is a synthetic_sweep in a folder of its own (--design product). With
--design one-at-a-time the first sweep is the base, in the folder `base`, and each value of each setting is
a sweep that differs from it in that alone:

  --vary teacher=newton,sign rollout-start-distribution=normal+rollout-start-scale=3

is a base and three sweeps, the last of which differs in two settings. It ends with the table and the figure
of all of them: choices.md, .json, .png and .pdf (see experiments.choices). Where the seed varies, what
differs in the seed alone is pooled at the end (see experiments.scaling_laws).

Stopped at any moment, the same command goes on where it was. With --launcher ray the sweeps spread over a
Ray cluster whose machines share the folders; what a lost machine was doing is taken up by another, from its
last checkpoint.
"""

import collections
import itertools
import json
import re
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from experiments.choices import TableError, check_place, write_choices
from experiments.synthetic_sweep import carry_out
from hotmess_jax.machine.interruption import StoppedError, between_steps, watched
from hotmess_jax.machine.processes import differing
from hotmess_jax.machine.sharding import use_every_core
from hotmess_jax.presentation.command_line import (
    GOES_ON,
    ending_in_one_line,
    fail,
    failing_on,
    failing_to_write,
    parse,
    parse_with_preset,
    try_outputs,
)
from hotmess_jax.synthetic.curves import Json
from hotmess_jax.synthetic.study.folder import check_folder
from hotmess_jax.synthetic.study.outputs import (
    NoSweepError,
    conclude,
    examples_of,
    lacking,
    read_sweep,
    write_outputs,
)
from hotmess_jax.synthetic.study.pooling import PoolingError, pool
from hotmess_jax.synthetic.study.presets import PRESETS
from hotmess_jax.synthetic.study.progress import SweepProgress
from hotmess_jax.synthetic.study.settings import SweepConfig
from hotmess_jax.synthetic.study.sweep import Sweep

LEASE = 600.0  # seconds after which a shared file system has freed what a lost machine held
BASE = "base"
POLL_S = 1.0
STOP_S = 20.0  # which workers have to save what they train


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

    cpus_per_sweep: int = 2
    """Processors that Ray keeps for each sweep."""

    gpus_per_sweep: float = 0.0
    """Accelerators that Ray keeps for each sweep; below 1, sweeps share one."""


@dataclass(frozen=True)
class Planned:
    """One sweep of a grid: its folder's name, its command line, and what that says."""

    name: str
    arguments: list[str]
    config: SweepConfig


@dataclass(frozen=True)
class Ended:
    """How a sweep ended: what went wrong, if anything did, which models failed, and how long it took."""

    name: str
    error: str | None
    failed: list[str]
    seconds: float | None


@ending_in_one_line(GOES_ON)
def main() -> None:
    """Parse the command line, check every sweep, carry all of them out, and sum them up."""
    config = parse(GridConfig)
    if config.cpus_per_sweep < 1 or config.gpus_per_sweep < 0:
        fail(f"cpus-per-sweep must be at least 1 and gpus-per-sweep 0, got {config.cpus_per_sweep} and "
             f"{config.gpus_per_sweep:g}")  # fmt: skip
    sweeps = planned(config)
    console = Console()
    with failing_on(ValueError), failing_to_write():
        for sweep in sweeps:
            check_folder(sweep.config)
    there = {sweep.name: read for sweep in sweeps if (read := _is_there(sweep)) is not None}
    pending = [sweep for sweep in sweeps if sweep.name not in there]
    for name in pools(sweeps):
        _check_pool_s_place(config.out / name)
    tabled = config.design == "one-at-a-time" or len(_but_for_seeds(sweeps)) > 1
    if tabled:
        with failing_on(TableError):
            check_place(config.out / "choices.md")
    done = len(sweeps) - len(pending)
    if done:
        console.print(f"{done} of {len(sweeps)} are there already", highlight=False)
    for name, sweep_there in there.items():
        _say_failed(console, name, _failed(sweep_there))
    try_outputs(folders=[config.out, config.store])
    failures = sum(bool(_failed(sweep_there)) for sweep_there in there.values())
    unfinished = False
    for ended in (on_ray if config.launcher == "ray" else here)(pending, config):
        done += 1
        failures += ended.error is not None or bool(ended.failed)
        unfinished |= ended.error is not None
        said = f"failed: {ended.error}" if ended.error else str(config.out / ended.name / "report.md")
        took = "" if ended.seconds is None else f" ({ended.seconds:.0f} s)"
        _say(console, f"{done}/{len(sweeps)} {ended.name}: {said}{took}")
        _say_failed(console, ended.name, ended.failed)
    if unfinished:
        raise SystemExit(1)
    for name, folders in pools(sweeps).items():
        with failing_on(PoolingError):
            report = write_pool(config.out / name, folders)
        _say(console, f"pooled over seeds: {report}")
    if tabled:
        with failing_on(TableError, NoSweepError, PoolingError):
            table = write_choices([sweep.config.folder for sweep in sweeps], config.out / "choices.md")
        _say(console, f"all choices: {table}")
    if failures:
        raise SystemExit(1)


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
        parsed = of(words)
        with failing_on(ValueError):
            parsed.validate()
        name = there.get(_text(parsed.identity())) or _name(choice, parsed, config.design)
        arguments = [*words, "--out", str((config.out / name).absolute())]
        if config.retry_failed:
            arguments.append("--retry-failed")
        parsed = of(arguments)
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


def _is_there(sweep: Planned) -> Json | None:
    """Return the document of a sweep that is done, with all its outputs; None where there is more to do.

    A folder of another sweep ends the program in one line.
    """
    path = sweep.config.folder / "sweep.json"
    if not path.exists():
        return None
    with failing_on(NoSweepError):
        found = read_sweep(path, ("config", "models"))
    if what := differing(json.loads(json.dumps(sweep.config.identity())), found["config"]):
        fail(f"{path.parent} holds another sweep ({what}); choose another --out")
    # What failed may be tried again: the sweep itself knows.
    return None if found.get("failures") or lacking(sweep.config.folder) else found


def _failed(document: Json) -> list[str]:
    """Return the models that a sweep lacks, and why."""
    return [f"{each['size']}-{each['replicate']}: {each['failed']['reason']}"
            for each in document.get("failures", [])]  # fmt: skip


def _say_failed(console: Console, name: str, failed: Sequence[str]) -> None:
    for each in failed:
        _say(console, f"  {name} lacks {each}")


def pools(sweeps: Sequence[Planned]) -> dict[str, list[Path]]:
    """Return which sweeps differ in the seed alone, by the name of what they share.

    Where nothing but the seed varies that name is ".", the grid's own folder.
    """
    together = _but_for_seeds(sweeps)
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


def _but_for_seeds(sweeps: Sequence[Planned]) -> dict[str, list[Planned]]:
    """Return the sweeps by all their settings but the seed."""
    together: dict[str, list[Planned]] = collections.defaultdict(list)
    for sweep in sweeps:
        rest = {k: v for k, v in sweep.config.identity().items() if k != "seed"}
        together[_text(rest)].append(sweep)
    return together


def _check_pool_s_place(folder: Path) -> None:
    """Refuse a folder that holds a sweep of its own, which the pool would overwrite."""
    path = folder / "sweep.json"
    with failing_on(NoSweepError):
        if path.exists() and "pooled_from" not in read_sweep(path, ()):
            fail(f"{folder} holds a sweep that is no pool; choose another --out")


def write_pool(folder: Path, folders: Sequence[Path]) -> Path:
    """Pool finished sweeps, write the whole into a folder, and return its report's path.

    Raises:
        PoolingError: where they cannot be pooled.
    """
    sweeps = [read_sweep(path, ("config", "models")) for path in folders]
    document = conclude(pool(sweeps, [path.name for path in folders]))
    write_outputs(document, folder, examples_of(document, folders[0]))
    return folder / "report.md"


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def of(arguments: Sequence[str]) -> SweepConfig:
    """Return the settings of a sweep's command line."""
    return parse_with_preset(PRESETS, "quick", arguments)


def one(arguments: Sequence[str], wait: float = 0.0) -> tuple[str | None, list[str]]:
    """Carry one sweep out; return what went wrong, if anything did, and which models failed.

    Args:
        arguments: the sweep's command line.
        wait: seconds to wait while another process works in its folder.
    """
    with SweepProgress(Console()) as progress:
        try:
            document = carry_out(Sweep(of(arguments), progress, wait))
        except (ValueError, OSError) as error:
            return str(error), []
        except Exception as error:  # one sweep's trouble is not the others'
            traceback.print_exc()
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", []
    return None if document["models"] else "no model was trained", _failed(document)


def here(sweeps: Sequence[Planned], config: GridConfig) -> Iterator[Ended]:
    """Carry the sweeps out one after the other."""
    use_every_core()
    for sweep in sweeps:
        begin = time.perf_counter()
        try:
            error, failed = one(sweep.arguments)
        except StoppedError as stop:
            raise stop.within(sweep.name) from None
        yield Ended(sweep.name, error, failed, time.perf_counter() - begin)


def on_ray(sweeps: Sequence[Planned], config: GridConfig) -> Iterator[Ended]:
    """Carry the sweeps out on a cluster, and yield them as they end.

    A task whose machine is lost is tried again elsewhere; one that raises is not.
    """
    try:
        import ray
    except ImportError:
        fail("--launcher ray needs the extra ray: pip install -e '.[ray]'")

    try:
        ray.init(address=config.address, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        fail(f"no Ray cluster at address {config.address!r}: {lines[0][:200]}")
    _check_nodes(ray.nodes(), config)
    # A process a sweep, so that each sees its devices anew.
    task: Any = ray.remote(
        num_cpus=config.cpus_per_sweep, num_gpus=config.gpus_per_sweep, max_retries=20, max_calls=1
    )(_alone)
    waiting = {task.remote(sweep.arguments): sweep.name for sweep in sweeps}

    def reached() -> str:
        done = len(sweeps) - len(waiting)
        return f"{done} of {len(sweeps)} sweeps were done, and those under way were told to save"

    try:
        with between_steps(reached) as stop_here:
            while waiting:
                all_ended, _ = ray.wait(list(waiting), num_returns=1, timeout=POLL_S)
                if stop_here():
                    for under_way in waiting:
                        ray.cancel(under_way)  # as by Ctrl-C there
                    ray.wait(list(waiting), num_returns=len(waiting), timeout=STOP_S)
                    return
                for ended in all_ended:
                    name = waiting.pop(ended)
                    try:
                        yield Ended(name, *ray.get(ended))
                    except ray.exceptions.RayError as error:
                        yield Ended(name, str(error).splitlines()[-1], [], None)
    finally:
        ray.shutdown()


def _check_nodes(nodes: Sequence[Mapping[str, Any]], config: GridConfig) -> None:
    """Refuse what no machine of a cluster has: Ray would wait for one for ever."""
    have = [node["Resources"] for node in nodes if node["Alive"]]
    most = [f"{each.get('CPU', 0):g} and {each.get('GPU', 0):g}" for each in have]
    if not any(
        each.get("CPU", 0) >= config.cpus_per_sweep and each.get("GPU", 0) >= config.gpus_per_sweep
        for each in have
    ):
        fail(
            f"no machine of the cluster has {config.cpus_per_sweep} processors and "
            f"{config.gpus_per_sweep:g} accelerators for a sweep (they have {'; '.join(most) or 'none'}): "
            "lower --cpus-per-sweep or --gpus-per-sweep"
        )


def _alone(arguments: list[str]) -> tuple[str | None, list[str], float]:
    use_every_core()
    begin = time.perf_counter()
    try:
        with watched(GOES_ON):
            error, failed = one(arguments, LEASE)
    except SystemExit:  # the grid was stopped, and so was this
        error, failed = "stopped", []
    return error, failed, time.perf_counter() - begin


if __name__ == "__main__":
    main()
