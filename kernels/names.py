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
    if given in known:
        return
    near = difflib.get_close_matches(str(given), known, n=1)
    guess = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"{what} must be one of {', '.join(known)}, got {given!r}{guess}")
