"""What a person sees while samples come in."""

import time

from rich.console import Console

from hotmess_jax.llm.sampling.collect import Counts
from hotmess_jax.presentation.pace import LINE_EVERY_S, LiveLine, minutes_left


class SamplingProgress(LiveLine):
    """One live line: samples done, failed, retried, tokens/s and time left."""

    def __init__(self, console: Console, wanted: int, present: int, counts: Counts) -> None:
        """Begin with what is there already.

        Args:
            console: where to.
            wanted: samples in all.
            present: samples in the file.
            counts: what the run does, kept up to date by others.
        """
        super().__init__(console, "samples", "{task.fields[detail]}")
        self._counts = counts
        self._wanted, self._present = wanted, present
        self._task = self._live.add_task("samples", total=wanted, completed=present, detail="")
        self._start = self._last = time.monotonic()

    def update(self) -> None:
        """Show the counts as they are now."""
        self._live.update(
            self._task, completed=self._present + self._counts.done, detail=self._detail()
        )
        if not self.console.is_terminal and time.monotonic() - self._last > LINE_EVERY_S:
            self.say_last()

    def _detail(self) -> str:
        counts = self._counts
        rate = counts.tokens / max(time.monotonic() - self._start, 1e-9)
        detail = f"{counts.failed} failed, {counts.retried} retried, {rate:,.0f} tokens/s"
        return f"{detail}, {counts.held_back}" if counts.held_back else detail

    def say_last(self) -> None:
        """Say the counts as they are now."""
        self._last = time.monotonic()
        done = self._present + self._counts.done
        seconds = time.monotonic() - self._start
        left = minutes_left(self._present, done, self._wanted, seconds)
        self.say(f"{done:,} of {self._wanted:,} samples, {self._detail()}{left}")
