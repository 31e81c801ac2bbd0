"""Whether the samples of one request are drawn apart, or all with one seed."""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import comb

# How unlikely it has to be that samples drawn apart are all the same in a request, and differ across requests.
SURE = 0.01
# After so many requests whose samples were all the same it is no matter why.
MOST_LOOKS = 10


class Variety:
    """Compares the samples of one request, all the same, with as many of their own requests.

    Were all drawn apart, any of them might have been those of the one request: the chance that it got
    equal ones, given what was drawn in all, is exact, and chances of several questions multiply.
    """

    def __init__(self) -> None:
        self.open = True
        """Whether it is not known yet."""
        self._chance, self._looks = 1.0, 0

    def differ(self) -> None:
        """Take in that a request's samples differed: they are drawn apart."""
        self.open = False

    def same(self, together: Sequence[Hashable], alone: Sequence[Hashable]) -> None:
        """Take in a request's samples, all the same, and others of the same prompt, a request each."""
        self._looks += 1
        self._chance *= chance_of_equal(len(together), [*together, *alone])

    def verdict(self) -> str | None:
        """Return why samples are asked for one by one from now on, None where they are not."""
        if not self.open:
            return None
        if self._chance < SURE:
            self.open = False
            return (
                "samples are asked for one by one: those of one request are all the same, "
                "and those of several are not"
            )
        if self._looks >= MOST_LOOKS:
            self.open = False
            return (
                f"samples are asked for one by one: in each of {self._looks} requests all were the same, "
                "by one seed or since the model is sure"
            )
        return None


def chance_of_equal(size: int, drawn: Sequence[Hashable]) -> float:
    """Return the chance that `size` of the drawn, picked at random, are all equal."""
    return sum(comb(count, size) for count in Counter(drawn).values()) / comb(len(drawn), size)
