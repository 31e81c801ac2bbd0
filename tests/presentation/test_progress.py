"""Progress: where there is no terminal, a line every so often."""

import io

import pytest
from rich.console import Console

from hotmess_jax.presentation import pace
from hotmess_jax.synthetic.study import progress


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_gets_a_line_every_so_often_and_a_terminal_none(monkeypatch, terminal):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    shown = progress.SweepProgress(Console(file=stream, force_terminal=terminal, width=200))
    with shown:
        clock[0] = 5.0
        shown.begin("25k", 10_000, done=1_000)
        for step in range(1_100, 10_001, 100):
            clock[0] += 1.0
            shown.update(step, "loss 0.2")
    # 1,000 steps were there; the others take 90 s from second 5 on.
    expected = [
        "25k: 3,600 of 10,000, loss 0.2, 1.1 min left",
        "25k: 6,700 of 10,000, loss 0.2, 0.6 min left",
        "25k: 9,800 of 10,000, loss 0.2, 0.0 min left",
    ]
    lines = [line for line in stream.getvalue().splitlines() if " of " in line]
    assert lines == ([] if terminal else expected)


@pytest.mark.parametrize(
    ("begun", "done", "seconds", "text"),
    [(0, 0, 9.0, ""), (5, 5, 9.0, ""), (0, 10, 9.0, ""), (4, 7, 60.0, ", 1.0 min left")],
)
def test_minutes_left_are_those_of_the_pace_since_the_beginning(begun, done, seconds, text):
    assert pace.minutes_left(begun, done, 10, seconds) == text
