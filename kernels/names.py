"""Names of choices, checked where they come in."""

import difflib
from collections.abc import Iterable


def check_name(what: str, given: str, names: Iterable[str]) -> None:
    """Check that a name is one of those there are.

    Args:
        what: of which choice; the message begins with it.
        given: the name.
        names: all there are, such as `typing.get_args` gives them of a Literal.

    Raises:
        ValueError: where it is none of them; the message names all, and the nearest.
    """
    known = tuple(names)
    if isinstance(given, str) and given in known:
        return
    raise ValueError(f"{what} must be one of {', '.join(known)}, got {given!r}{nearest(given, known)}")


def check_names(what: str, given: Iterable[str], names: Iterable[str]) -> None:
    """Check each of several names, as `check_name` does.

    Raises:
        ValueError: also where a text stands for a sequence of them: it would be taken letter by letter.
    """
    if isinstance(given, str):
        raise ValueError(f"{what} must be a sequence of names, got the text {given!r}: ({given!r},)")
    known = tuple(names)
    for name in given:
        check_name(what, name, known)


def nearest(given: object, names: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the nearest of the names, "" where none is near."""
    near = difflib.get_close_matches(str(given), tuple(names), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
