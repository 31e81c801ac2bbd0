"""What a disk refuses: outputs tried before work begins, room for what will be written, and failed writes."""

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# How TensorStore, and Orbax with it, quote the system's reason.
_QUOTED = re.compile(r"\[OS error (\d+)")


class WriteFailedError(OSError):
    """A file could not be written: one line with its path, why, and how much is free there."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"cannot write {path}: {why}; {size(free(path))} are free there")


def size(count: int | float) -> str:
    """Return a number of bytes in words."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def there(path: Path) -> Path:
    """Return the nearest folder above a path, or itself, that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.is_dir())


def free(path: Path) -> int:
    """Return the bytes that are free where a path is, or would be."""
    return shutil.disk_usage(there(path)).free


def held_by(folder: Path) -> int:
    """Return the bytes of all files in a folder; 0 where there is none."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            total += path.lstat().st_size if path.is_file() else 0
    return total


def try_folder(folder: Path, keep: bool = True) -> None:
    """Make a folder where there is none, and write into it, so that work is not begun in vain.

    Args:
        folder: that will be written into.
        keep: whether what was made stays there; without it, bad input that is found later leaves nothing.

    Raises:
        OSError: with the folder's path and the reason.
    """
    missing = [] if keep else [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".tried-", dir=folder)
        os.close(handle)
        os.unlink(name)
        for each in missing:
            with contextlib.suppress(OSError):  # somebody else has put something there
                each.rmdir()
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(folder)) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def try_file(path: Path, keep: bool = True) -> None:
    """Make a file's folder, and write into it as `try_folder` does; the file itself is left as it is.

    Raises:
        OSError: with the path and the reason.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try_folder(path.absolute().parent, keep)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into `WriteFailedError`, with the path of what was being written."""
    try:
        yield
    except WriteFailedError:
        raise
    except Exception as error:
        if (why := refused(error)) is None:
            raise
        raise WriteFailedError(path, why) from error


def refused(error: BaseException) -> str | None:
    """Return the system's reason where an error is that of a file system, None where it is another."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if quoted := _QUOTED.search(str(error)):
        return os.strerror(int(quoted[1]))
    return None
