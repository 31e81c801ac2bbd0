"""What the logs and runs that records come from say of themselves, in Markdown."""

from collections.abc import Sequence

from hotmess_jax.llm.importers.reconcile import Compared
from hotmess_jax.llm.origins import Origin
from hotmess_jax.presentation.tables import table

# Of each file: figures that agree, and questions of one that parts.
MOST_AGREEING = 20
MOST_NAMED = 20


def origins_section(origins: Sequence[Origin]) -> str:
    """Return the section of a report on where its records come from.

    Args:
        origins: each file's.
    """
    return "\n\n".join(["## What the records' sources say of themselves", *map(_text, origins)])


def _text(origin: Origin) -> str:
    file = f"`{origin.file}`"
    if origin.compared is not None:
        return _imported(file, origin, origin.compared)
    if origin.sampled is not None:
        note = origin.sampled.budget_note(origin.budget)
        return f"{file}: sampled; {origin.sampled.line()}." + (f"\n\n**{note}**" if note else "")
    return (
        f"{file}: there is neither an importer's comparison with a log's own figures "
        f"(`{origin.file}.reconciled.json`) nor a finished run's own shares "
        f"(`{origin.file}.settings.json`) beside it."
    )


def _imported(file: str, origin: Origin, figures: Sequence[Compared]) -> str:
    compared = sorted(figures, key=lambda one: one.agrees)
    parted = [one for one in compared if not one.agrees]
    agree = len(compared) - len(parted)
    if compared:
        said = f"{file}: imported; {agree} of {len(compared)} figures agree with the logs' own"
        said += f", **{len(parted)} part**" if parted else ""
    else:
        said = f"{file}: imported; the logs have no figures of their own"
    if origin.unread:
        said += f"; {origin.unread} samples, lines or files could not be read"
    if compared and origin.without_figures:
        said += f"; {len(origin.without_figures)} logs have no figures of their own"
    lines = [f"{said}."]
    shown = compared[: len(parted) + MOST_AGREEING]
    if shown:
        rows = [
            [one.benchmark, one.model, one.figure, f"{one.log:g}", f"{one.read:g}",
             "" if one.agrees else _questions(one.questions)]
            for one in shown
        ]  # fmt: skip
        lines.append(table(["task", "model", "figure", "log", "read", "parts"], rows))
    if len(shown) < len(compared):
        lines.append(f"{len(compared) - len(shown)} more agree.")
    return "\n\n".join(lines)


def _questions(names: Sequence[str]) -> str:
    if not names:
        return "yes"
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
