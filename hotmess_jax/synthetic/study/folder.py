"""A sweep's folder: whose it is, who works in it, and where each run's files are."""

import contextlib
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import filelock
import numpy as np

from hotmess_jax.documents import from_json, to_json
from hotmess_jax.machine.files import (
    DamagedFileError,
    is_left_over,
    read_object,
    read_sealed,
    write_json,
    write_sealed,
    write_text,
    written_whole,
)
from hotmess_jax.machine.processes import differing, from_first, read_holder, this_process
from hotmess_jax.synthetic.results import FailedModel, ModelResult
from hotmess_jax.synthetic.study.settings import SweepConfig

Result = TypeVar("Result")
EXAMPLES = 8  # trajectories kept of each model, for figures


class ConfigMismatchError(ValueError):
    """A folder holds something other than a run of this configuration."""


class FolderInUseError(ValueError):
    """Another process carries out the run of a folder."""


@dataclass(frozen=True)
class Run:
    """One model of a sweep: a size and a replicate."""

    size: str
    replicate: int
    folder: Path

    @property
    def result(self) -> Path:
        """Where the finished run's numbers are."""
        return self.folder / "result.json"

    @property
    def paths(self) -> Path:
        """Where the finished run's example trajectories, and the ends of all of them, are."""
        return self.folder / "paths.npz"

    @property
    def name(self) -> str:
        """The run as people read it."""
        return f"{self.size}, replicate {self.replicate}"


@dataclass(frozen=True)
class Group:
    """Runs of one size, whose models are trained in one program, and rolled out in one."""

    size: str
    runs: tuple[Run, ...]
    checkpoints: Path
    attempt: int = 1

    @property
    def name(self) -> str:
        """The group as people read it."""
        many = len(self.runs) > 1
        return f"{self.size}, {len(self.runs)} replicates" if many else self.runs[0].name


def runs_of(config: SweepConfig) -> list[Run]:
    """Return the sweep's runs in the order in which they are done."""
    return [
        Run(size, replicate, config.folder / "models" / f"{size}-{replicate}")
        for size in config.model.sizes
        for replicate in range(config.model.replicates)
    ]


def groups_of(config: SweepConfig) -> list[Group]:
    """Return the sweep's runs by what is trained together: all replicates of a size."""
    runs = runs_of(config)
    return [
        Group(
            size,
            tuple(run for run in runs if run.size == size),
            config.folder / "models" / size / "checkpoints",
        )
        for size in config.model.sizes
    ]


def again(group: Group, runs: Sequence[Run], attempt: int) -> Group:
    """Return the runs of a group that failed, as one that is trained from the beginning."""
    numbers = "-".join(str(run.replicate) for run in runs)
    folder = group.checkpoints.parent / f"attempt-{attempt}-of-{numbers}" / "checkpoints"
    return Group(group.size, tuple(runs), folder, attempt)


def own_name(config: SweepConfig) -> str:
    """Return what tells a sweep's files from those of one with other settings, wherever it lies."""
    text = json.dumps(config.identity(), sort_keys=True)
    return f"settings {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def check_folder(config: SweepConfig) -> bool:
    """Check that a sweep may have its folder, and return whether it is marked as its own already.

    Raises:
        ConfigMismatchError: where it holds another run, or anything else.
        DamagedFileError: where its mark cannot be read.
    """
    folder, mark = config.folder, config.folder / "run.json"
    identity = json.loads(json.dumps(config.identity()))
    if mark.exists():
        remedy = "restore it, or choose another --out"
        found = read_object(mark, remedy)
        if not found.keys() & identity.keys():
            raise DamagedFileError(mark, "holds no settings of a sweep", remedy)
        if what := differing(identity, found):
            raise ConfigMismatchError(
                f"{folder} holds a run with another configuration ({what}); choose another --out"
            )
        return True
    if folder.exists() and (
        not folder.is_dir() or any(not is_left_over(path, mark) for path in folder.iterdir())
    ):
        raise ConfigMismatchError(f"{folder} exists and holds no sweep; choose another --out")
    return False


def claim_folder(config: SweepConfig) -> None:
    """Mark the folder as this configuration's.

    Raises:
        ConfigMismatchError: where it holds another run, or anything else; it is left as it is.
        DamagedFileError: where its mark cannot be read.
    """
    if not check_folder(config):
        write_json(config.folder / "run.json", json.loads(json.dumps(config.identity())))


def write_result(config: SweepConfig, run: Run, result: ModelResult | FailedModel) -> None:
    """Write a run's numbers, whole or not at all."""
    write_sealed(run.result, to_json(type(result), result), f"{run.name}, {own_name(config)}")


def read_result(config: SweepConfig, run: Run) -> ModelResult | FailedModel:
    """Read a run's numbers back.

    Raises:
        DamagedFileError: where they are not what was written, or are another run's.
    """
    remedy = f"delete it and run the same command again, which measures {run.name} anew"
    result = read_sealed(run.result, f"{run.name}, {own_name(config)}", remedy)
    whose = result.get("size"), result.get("replicate")
    if None in whose or not ("failed" in result or {"final", "validation_loss"} <= result.keys()):
        raise DamagedFileError(run.result, "lacks what a result has", remedy)
    if whose != (run.size, run.replicate):  # older ones have no seal
        raise DamagedFileError(run.result, f"is the result of {whose[0]}-{whose[1]}", remedy)
    if "failed" in result:
        return read_as(FailedModel, result, run.result, remedy)
    return read_as(ModelResult, result, run.result, remedy)


def read_as(kind: type[Result], value: Mapping[str, Any], path: Path, remedy: str) -> Result:
    """Return a value of a type from the JSON values that a file holds.

    Raises:
        DamagedFileError: where they are not what the type has.
    """
    try:
        found: Result = from_json(kind, value)
    except ValueError as error:
        raise DamagedFileError(path, f"is none that this version reads ({error})", remedy) from error
    return found


def write_paths(config: SweepConfig, run: Run, **arrays: np.ndarray) -> None:
    """Write a run's trajectories and ends, whole or not at all."""
    with written_whole(run.paths) as aside, aside.open("wb") as file:
        np.savez(file, of=np.asarray(f"{run.name}, {own_name(config)}"), **arrays)  # type: ignore[arg-type]


def read_paths(config: SweepConfig, run: Run) -> dict[str, np.ndarray]:
    """Read a run's trajectories and ends back.

    Raises:
        DamagedFileError: where they are not what was written, or are another run's.
    """
    remedy = f"delete {run.result} and run the same command again, which measures {run.name} anew"
    found = read_arrays(run.paths, ("paths", "ends", "wander"), remedy)
    whose, own = str(found.get("of", "")), f"{run.name}, {own_name(config)}"
    if whose not in ("", own):  # older ones do not say
        raise DamagedFileError(run.paths, f"belongs to {whose} and not to {own}", remedy)
    return found


def read_arrays(path: Path, needs: Sequence[str], remedy: str) -> dict[str, np.ndarray]:
    """Read a file of arrays; its format holds checksums.

    Raises:
        DamagedFileError: where it is not there, not whole, or lacks one of what is needed.
    """
    try:
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DamagedFileError(path, "is missing", remedy) from None
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read ({error.strerror})", remedy) from error
    except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFileError(path, "is cut or changed", remedy) from error
    if missing := [name for name in needs if name not in found]:
        raise DamagedFileError(path, f"lacks {', '.join(missing)}", remedy)
    return found


@contextlib.contextmanager
def held(folder: Path, wait: float) -> Iterator[None]:
    """Keep other runs away from a folder, in the first process; wait so many seconds until it is free.

    Raises:
        FolderInUseError: where it is not free by then, naming who works in it.
    """
    lock, holder = filelock.FileLock(folder / "run.lock"), folder / "run.holder"

    def acquire() -> None:
        try:
            lock.acquire(timeout=wait)
        except filelock.Timeout:
            raise FolderInUseError(
                f"{read_holder(holder)} works in {folder}; wait for its end"
            ) from None
        write_text(holder, this_process())

    from_first(acquire)
    try:
        yield
    finally:
        if lock.is_locked:
            holder.unlink(missing_ok=True)
        lock.release()
