"""Tables, in Markdown and on the terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from hotmess_jax.statistics.coverage import KINDS, Seen


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def right_aligned_table(title: str, header: Sequence[str]) -> Table:
    """Return an empty table of numbers that is narrow enough for 80 columns."""
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for i, name in enumerate(header):
        # Where it is narrow still, the names in the first column give way.
        table.add_column(name, justify="right", no_wrap=i > 0, overflow="fold")
    return table


def coverage_table(seen: Sequence[Seen]) -> str:
    """Return a Markdown table of what was seen, with Monte-Carlo errors."""
    rows = [
        [of.printed, of.case, KINDS[of.kind], _share(of), str(of.runs), str(of.without or "–")]
        for of in seen
    ]
    return table(["printed", "data", "what", "seen ± Monte-Carlo error", "runs", "runs without"], rows)


def _share(of: Seen) -> str:
    if not of.runs:
        return "–"
    if of.kind == "bias":
        return f"{of.share:+.4f} ± {of.standard_error:.4f}"
    return f"{100 * of.share:.1f} ± {100 * of.standard_error:.1f} %"
