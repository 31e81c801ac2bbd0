"""What a person sees while a sweep runs: live lines on a terminal, now and then one elsewhere."""

import time

from rich.console import Console
from rich.progress import TaskID

from hotmess_jax.presentation.pace import LINE_EVERY_S, LiveLine, minutes_left


class SweepProgress(LiveLine):
    """One live line for each model, with step, loss, pairs/s and time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "{task.description:<14}", "{task.fields[detail]:<34}")
        self._task: TaskID | None = None
        self._name, self._total, self._begun = "", 0, 0
        self._start = self._last = time.monotonic()

    def begin(self, name: str, total: int, done: int = 0, detail: str = "") -> None:
        """Start a line; the one before stays as it ended."""
        self._task = self._live.add_task(name, total=total, completed=done, detail=detail)
        self._name, self._total, self._begun = name.strip(), total, done
        self._start = time.monotonic()

    def update(self, done: int, detail: str) -> None:
        """Move the current line on."""
        assert self._task is not None
        self._live.update(self._task, completed=done, detail=detail)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._last > LINE_EVERY_S:
            self._last = now
            left = minutes_left(self._begun, done, self._total, now - self._start)
            self.say(f"{self._name}: {done:,} of {self._total:,}, {detail}{left}")
