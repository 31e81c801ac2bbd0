"""How far work is: a live line on a terminal, how long it still takes, and how often that is said elsewhere."""

from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# Where there is no terminal (a batch job's log), a line every so often.
LINE_EVERY_S = 30.0

Line = TypeVar("Line", bound="LiveLine")


def minutes_left(begun: int, done: int, total: int, seconds: float) -> str:
    """Return `, 3.2 min left` at the pace from `begun` to `done`, or nothing where none is known."""
    if done <= begun or done >= total:
        return ""
    return f", {(total - done) * seconds / (done - begun) / 60:.1f} min left"


class LiveLine:
    """Live lines with a bar, what is done of how much, a detail and the time left; none without a terminal."""

    def __init__(self, console: Console, name: str, detail: str) -> None:
        """Begin without a line.

        Args:
            console: where to.
            name: of a line, as rich formats it of a task.
            detail: likewise; of the task's field `detail`.
        """
        self.console = console
        self._live = Progress(
            TextColumn(name),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn(detail),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self: Line) -> Line:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        if not self.console.is_terminal:
            self.say_last()

    def say_last(self) -> None:
        """Say how it ended where there is no terminal; nothing, where work does not say it otherwise."""

    def say(self, text: str) -> None:
        """Print a line that stays, also where there is no terminal."""
        self.console.print(text, highlight=False, soft_wrap=True)
