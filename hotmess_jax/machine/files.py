"""Files written whole or not at all, and read back only as they were written."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hotmess_jax.machine.disk import writing

SEAL = "seal"
# Of files that are being written; who ends the process at once removes them.
_ASIDE: set[Path] = set()


class DamagedFileError(ValueError):
    """A file is not what was written: one line with its path, why, and what to do."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(f"{path} {why}; {remedy}")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` if nothing goes wrong.

    Raises:
        WriteFailedError: where the disk refuses it.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        aside = Path(name)
        _ASIDE.add(aside)
        try:
            yield aside
            aside.chmod(0o644)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
            _ASIDE.discard(aside)


def remove_unfinished() -> None:
    """Remove what this process has begun to write, for one that ends at once."""
    for aside in list(_ASIDE):
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def is_left_over(path: Path, of: Path) -> bool:
    """Return whether a path is what a process that was killed left of writing `of` whole."""
    return path.name.startswith(f".{of.stem}-") and path.suffix == of.suffix


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with written_whole(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object, indent: int | None = 1) -> None:
    """Write a JSON file whole or not at all.

    Raises:
        ValueError: where the value holds a NaN or an infinity.
    """
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: of the file.
        remedy: what to do where it is damaged.

    Raises:
        DamagedFileError: where it is not there, cannot be read, or is no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DamagedFileError(path, "is missing", remedy) from None
    except OSError as error:
        raise DamagedFileError(path, f"cannot be read ({error.strerror})", remedy) from error
    except ValueError as error:  # of text and of JSON
        raise DamagedFileError(path, "is empty or no JSON", remedy) from error
    if not isinstance(found, dict):
        raise DamagedFileError(path, f"is no JSON object but a {type(found).__name__}", remedy)
    return found


def write_sealed(path: Path, value: Mapping[str, Any], of: str) -> None:
    """Write a JSON object with a digest of it, and with what it belongs to; whole or not at all."""
    write_json(path, {**value, SEAL: {"of": of, "sha256": _digest(value, of)}})


def read_sealed(path: Path, of: str, remedy: str) -> dict[str, Any]:
    """Read a JSON object that `write_sealed` wrote, without its seal; one without a seal is taken as it is.

    Raises:
        DamagedFileError: where it is not what was written, or belongs to something else.
    """
    found = read_object(path, remedy)
    seal = found.pop(SEAL, None)
    if seal is not None:
        if not isinstance(seal, dict) or seal.get("sha256") != _digest(found, seal.get("of")):
            raise DamagedFileError(path, "is not what was written (its digest differs)", remedy)
        if seal["of"] != of:
            raise DamagedFileError(path, f"belongs to {seal['of']} and not to {of}", remedy)
    return found


def _digest(value: Mapping[str, Any], of: object) -> str:
    return hashlib.sha256(json.dumps([value, of], sort_keys=True).encode()).hexdigest()
