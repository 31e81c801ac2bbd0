"""What an importer hands back: records, what it could not read, and what the log says of itself."""

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hotmess_jax.llm.importers.reconcile import Compared
from hotmess_jax.llm.records import SETTINGS, TASK_SETTINGS

Record = dict[str, Any]
# Right and wrong as options, where a sample has none of its own.
OUTCOME = ("correct", "incorrect")
_LFS = b"version https://git-lfs"


class Imported:
    """Records gathered from logs, with everything that could not be read by file and reason."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        # (file, reason) → how many samples, or lines, or files; and where the first of them stands.
        self.unread: Counter[tuple[str, str]] = Counter()
        self.first: dict[tuple[str, str], str] = {}
        # What was read, but not as it stood: "why" → how many.
        self.notes: Counter[str] = Counter()
        # The logs' own figures beside those of what was read, and logs that have none.
        self.compared: list[Compared] = []
        self.without_figures: list[str] = []
        self._samples: dict[tuple, set[int]] = {}

    def add(self, record: Record, sample: int | None = None) -> None:
        """Add a record, without what is None.

        Args:
            record: without `sample`.
            sample: its number, where the log has one and no other record has it; else the next.
        """
        names = ("benchmark", "model", "question_id", *SETTINGS, *TASK_SETTINGS)
        taken = self._samples.setdefault(tuple(record.get(name) for name in names), set())
        if sample is None or sample in taken:
            sample = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(sample)
        record["sample"] = sample
        self.records.append({name: value for name, value in record.items() if value is not None})

    def leave_out(self, file: Path | str, reason: str, where: str | None = None) -> None:
        """Count something of a file that could not be read."""
        key = (str(file), " ".join(reason.split()))
        self.unread[key] += 1
        if where is not None:
            self.first.setdefault(key, where)

    def compare(
        self,
        file: Path | str,
        benchmark: str,
        model: str,
        figure: str,
        log: int | float,
        read: int | float,
        parted: tuple[str, ...] = (),
        over: int | None = None,
    ) -> None:
        """Hold a figure of what was read against the log's own, as `Compared` has them."""
        self.compared.append(Compared(str(file), benchmark, model, figure, log, read, parted, over))

    @property
    def parted(self) -> list[Compared]:
        """The figures that part from the log's own."""
        return [one for one in self.compared if not one.agrees]


def outcome(right: bool | None) -> Record:
    """Return right, wrong, or what could not be told, as the choice of a sample without options."""
    answer = "" if right is None else OUTCOME[0] if right else OUTCOME[1]
    return {"options": list(OUTCOME), "target": OUTCOME[0], "answer": answer, "outcome": right}


def files_below(paths: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files that paths name, each once: themselves, or those in folders, in order.

    Raises:
        ValueError: where a path is nowhere, or a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        below = sorted(p for p in path.rglob("*") if p.name.endswith(suffixes)) if path.is_dir() else []
        if not below:
            raise ValueError(f"{path} is neither a log nor a folder with {' or '.join(suffixes)}")
        found += below
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, unpacked where it is gzip.

    Raises:
        ValueError: where it cannot be read, or is Git LFS's pointer to a file.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise ValueError(f"cannot be read: {error}") from None
    if content.startswith(_LFS):
        raise ValueError("is a Git LFS pointer: the file itself was not fetched (git lfs pull)")
    return content


def label_of(answer: str, labels: Sequence[str], options: Sequence[str]) -> str | None:
    """Return the label that a text names: a label, also in brackets, or an option's own text."""
    text = answer.strip()
    bare = text.strip("()[]. ")
    if bare in labels:
        return bare
    for said in (text, bare):
        same = [label for label, option in zip(labels, options, strict=True) if option.strip() == said]
        if same:
            return same[0] if len(same) == 1 else None
    return None


def told_apart(options: Sequence[str], right: int | None) -> list[str]:
    """Return options' texts with those that stand twice numbered, the right one before others."""
    texts = [option.strip() for option in options]
    found = list(texts)
    for text in {text for text in texts if texts.count(text) > 1}:
        places = sorted((i for i, other in enumerate(texts) if other == text), key=lambda i: i != right)
        for number, place in enumerate(places[1:], start=2):
            found[place] = f"{text} [{number}]"
    return found
