"""The table of open choices as files: what is read for it, and what is written."""

import json
from collections.abc import Sequence
from pathlib import Path

from hotmess_jax.machine.files import write_json, write_text
from hotmess_jax.presentation import plotting
from hotmess_jax.synthetic.study.choices import TITLE, choices, markdown
from hotmess_jax.synthetic.study.choices_figure import choices_figure
from hotmess_jax.synthetic.study.outputs import read_json, read_sweep
from hotmess_jax.synthetic.study.sweep_document import ConcludedSweep

FIGURE = (
    "Bias², variance and incoherence at the last step of each row's smallest and largest size, dotted lines "
    "through the base's; and the verdicts on the claims, by their numbers above."
)


class TableError(ValueError):
    """There is no table to make, or no place for it."""


def write_choices(folders: Sequence[Path], out: Path) -> Path:
    """Write the table of all sweeps under the folders as Markdown and JSON, and its figure; return its path.

    Raises:
        TableError: where a folder has no finished sweep, or a file that is no such table is in the way.
        NoSweepError: where a sweep.json is broken.
        PoolingError: where sweeps of the same settings cannot be pooled.
    """
    check_place(out)
    found = choices(*read_sweeps(folders))
    write_json(out.with_suffix(".json"), found.to_document())
    plotting.save(
        plotting.signed(choices_figure(found), out.absolute().parent.name), out.with_suffix("")
    )
    write_text(out, f"{markdown(found)}\n![The rows, drawn]({out.stem}.png)\n\n{FIGURE}\n")
    return out


def check_place(out: Path) -> None:
    """Check that a table may be written there, and its JSON beside it.

    Raises:
        TableError: where the name is not Markdown's, or a file that is no such table is in the way.
    """
    if out.suffix != ".md":
        raise TableError(f"out must be a file that ends in .md, got {out}")
    beside = out.with_suffix(".json")
    if out.exists() and not (out.is_file() and out.read_text().startswith(TITLE)):
        raise TableError(f"{out} exists and is no table of choices; choose another --out")
    for figure in (out.with_suffix(f".{kind}") for kind in ("png", "pdf")):
        if figure.exists() and not out.exists():
            raise TableError(f"{figure} exists, without a table of choices; choose another --out")
    if beside.exists() and not _is_table(beside):
        raise TableError(f"{beside} exists and is no table of choices; choose another --out")


def _is_table(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text())["kind"] == "choices")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_sweeps(folders: Sequence[Path]) -> tuple[list[ConcludedSweep], list[str]]:
    """Return every finished sweep under the folders, in order, `base` first, and where each lies.

    Raises:
        TableError: where a folder has none, or one has no model.
        NoSweepError: where one is broken.
    """
    if not folders:
        raise TableError("folders: at least one is needed")
    paths: dict[Path, Path] = {}
    for folder in folders:
        found = sorted(folder.rglob("sweep.json"), key=lambda p: (p.parent.name != "base", p))
        if not found:
            raise TableError(f"{folder} holds no finished sweep (sweep.json)")
        paths |= {path.resolve(): path for path in found}
    sweeps = []
    for path in paths.values():
        needs = ("config", "models", "fits", "claims")
        if not read_json(path, needs)["models"]:
            raise TableError(f"{path} has no finished model")
        sweeps.append(read_sweep(path, needs))
    return sweeps, [str(path.parent) for path in paths.values()]
