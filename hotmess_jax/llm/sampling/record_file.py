"""A file of records that grows whole line by whole line, and outlives every interruption."""

import contextlib
import datetime
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock

from hotmess_jax.machine.disk import writing
from hotmess_jax.machine.files import write_json, write_text
from hotmess_jax.machine.processes import read_holder, this_process

Key = tuple[str, int, int]
# What a run finds out, beside its settings: no setting, and never compared.
NOTES = ("endpoint", "summary")


class RecordFile:
    """Records, appended and flushed; beside them the settings that they came from, and what failed.

    `FILE.settings.json` holds the settings, and what was found out of the endpoint and the samples,
    `FILE.failures.jsonl` each request that failed for good and has not come since, with the time, and
    `FILE.lock` keeps a second process away, which is told who holds it by `FILE.holder`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings_path = beside(path, "settings.json")
        self.failures_path = beside(path, "failures.jsonl")
        # (question_id, context) → the samples there are, as bits: a million take a few MB.
        self._present: dict[tuple[str, int], int] = {}
        self._stream: io.FileIO | None = None
        self._settings: dict[str, Any] = {}

    @contextlib.contextmanager
    def opened(self, settings: Mapping[str, Any], may_grow: Sequence[str]) -> Iterator[str | None]:
        """Lock the file, check it against the settings, and mend its end.

        Args:
            settings: of this run, as JSON values.
            may_grow: those that may differ from the file's.

        Yields:
            What was mended, in a line; None where nothing was.

        Raises:
            ValueError: where another process writes to it, it cannot be written, it came from other
                settings, or a line in it is no record.
        """
        lock, holder = filelock.FileLock(beside(self.path, "lock")), beside(self.path, "holder")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A try of one's own says why where it is not another process that keeps it.
            beside(self.path, "lock").open("ab").close()
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ValueError(f"{self.path} is being written by {read_holder(holder)}") from None
        except (OSError, NotImplementedError) as error:
            raise ValueError(f"{beside(self.path, 'lock')} cannot be locked: {error}") from None
        try:
            write_text(holder, this_process())
            self._check_settings(settings, may_grow)
            mended = self._mend()
            self._read_present()
            self._forget_failures()
            with self.path.open("ab", buffering=0) as self._stream:
                yield mended
            self._forget_failures()
        finally:
            self._stream = None
            holder.unlink(missing_ok=True)
            lock.release()

    def read_present(self) -> None:
        """Learn what the file holds without opening it: nothing where there is none.

        Raises:
            ValueError: where a line in it is no record.
        """
        self._read_present(torn=True)

    def noted(self, name: str) -> Any:
        """Return what a run before found out, None where none did."""
        return self._settings.get(name)

    def note(self, name: str, value: Any) -> None:
        """Keep what this run finds out beside its settings."""
        assert name in NOTES and self._stream is not None
        if self._settings.get(name) != value:
            self._settings[name] = value
            write_json(self.settings_path, self._settings)

    def __contains__(self, key: object) -> bool:
        """Tell whether a (question_id, context, sample) is there."""
        assert isinstance(key, tuple)
        question_id, context, sample = key
        return bool(self._present.get((question_id, context), 0) >> sample & 1)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self._present.values())

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records, all of them or none.

        Raises:
            WriteFailedError: where the disk refuses them; the file is as it was.
        """
        assert self._stream is not None
        lines: dict[Key, str] = {}
        for record in records:
            key = record["question_id"], record["context"], record["sample"]
            if key not in self and key not in lines:
                lines[key] = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
        left = memoryview("".join(lines.values()).encode("utf-8", errors="replace"))
        size = os.fstat(self._stream.fileno()).st_size
        with writing(self.path):
            try:
                while left:  # a disk that fills up takes a part first
                    left = left[self._stream.write(left) :]
            except OSError:
                with contextlib.suppress(OSError):
                    self._stream.truncate(size)
                raise
        for key in lines:
            self._mark(key)

    def append_failure(self, failure: Mapping[str, Any]) -> None:
        """Add a request that failed for good to the failures beside the records, and when it did."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        path = self.failures_path
        with writing(path), path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"time": now} | dict(failure)) + "\n")

    def _forget_failures(self) -> None:
        """Leave each sample that is still missing with its last failure, and no file where there is none."""
        if not self.failures_path.exists():
            return
        last: dict[Key, dict[str, Any]] = {}
        text = ""
        for line in self.failures_path.read_text(encoding="utf-8").splitlines():
            try:
                failure = json.loads(line)
                for sample in failure["samples"]:
                    last[failure["question_id"], failure["context"], sample] = failure
            except (ValueError, KeyError, TypeError):
                text += line + "\n"  # not ours to judge
        kept: dict[int, dict[str, Any]] = {}
        for key, failure in last.items():
            if key not in self:
                kept.setdefault(id(failure), failure | {"samples": []})["samples"].append(key[2])
        text += "".join(json.dumps(failure) + "\n" for failure in kept.values())
        if text:
            write_text(self.failures_path, text)
        else:
            self.failures_path.unlink()

    def _mark(self, key: Key) -> None:
        place = key[:2]
        self._present[place] = self._present.get(place, 0) | 1 << key[2]

    def _check_settings(self, settings: Mapping[str, Any], may_grow: Sequence[str]) -> None:
        holds = self.path.exists() and self.path.stat().st_size > 0
        if not self.settings_path.exists() and holds:
            raise ValueError(
                f"{self.path} exists, and {self.settings_path.name} beside it does not: "
                "it is not known what it came from"
            )
        if not holds:  # what was left by a start that came to nothing settles nothing
            self._settings = dict(settings)
            write_json(self.settings_path, self._settings)
            return
        try:
            before = json.loads(self.settings_path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.settings_path} cannot be read: {error}") from None
        for name in sorted(settings.keys() | before.keys()):
            if name in may_grow or name in NOTES:
                continue
            newer = name not in before and settings[name] is False  # than the file, and not made use of
            if settings.get(name) != before.get(name) and not newer:
                raise ValueError(
                    f"{self.path} came from other settings: {name.replace('_', '-')} was "
                    f"{before.get(name)!r} and is {settings.get(name)!r}"
                )
        self._settings = before

    def _mend(self) -> str | None:
        """Cut off a last line that was not written to its end."""
        if not self.path.exists():
            return None
        with self.path.open("r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            end, block = size, b""
            while end > 0:
                start = max(0, end - 65_536)
                stream.seek(start)
                block = stream.read(end - start)
                if (newline := block.rfind(b"\n")) >= 0:
                    end = start + newline + 1
                    break
                end = start
            if end == size:
                return None
            stream.truncate(end)
        return f"a last line of {size - end} bytes was torn and is cut off; it is asked again"

    def _read_present(self, torn: bool = False) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if torn and not line.endswith(b"\n"):
                    return
                try:
                    record = json.loads(line)
                    self._mark((record["question_id"], record["context"], record["sample"]))
                except (ValueError, KeyError, TypeError):
                    raise ValueError(f"{self.path}:{number}: no record of a sampling run") from None


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a companion of a file of records: its name with the suffix at the end."""
    return path.with_name(f"{path.name}.{suffix}")
