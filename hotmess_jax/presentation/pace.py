"""How long work still takes, and how often that is said."""

# Where there is no terminal (a batch job's log), a line every so often.
LINE_EVERY_S = 30.0


def minutes_left(begun: int, done: int, total: int, seconds: float) -> str:
    """Return `, 3.2 min left` at the pace from `begun` to `done`, or nothing where none is known."""
    if done <= begun or done >= total:
        return ""
    return f", {(total - done) * seconds / (done - begun) / 60:.1f} min left"
