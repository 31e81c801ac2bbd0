"""What is concluded of a field: counted from intervals, and kept in the result."""

import pytest

from hotmess_jax.llm.measures.groups import (
    AlongField,
    AlongForm,
    Conclusion,
    Slopes,
    conclusion_of,
    tell_along,
)
from hotmess_jax.llm.measures.parts import Curves, Parts
from hotmess_jax.statistics.estimate import Estimate, Estimates, Interval
from hotmess_jax.statistics.power_laws import Exponent


def along(metric, **intervals):
    """Return a result whose halves and two slopes have these intervals, the corrected form where it has one."""

    def form(ends):
        parts = [Interval(*(None if end is None else float(end) for end in pair)) for pair in ends]
        halves = Parts(*[Estimate(0.1, parts[0])] * 5)
        slopes = {count: Slopes(*[Exponent(0.1, of, 0.5)] * 4)
                  for count, of in zip((5, 10), parts[1:], strict=True)}  # fmt: skip
        return AlongForm(slopes, halves, Curves(*[Estimates((), ())] * 6))

    forms = [form(intervals[name]) if name in intervals else None for name in ("plugin", "corrected")]
    concluded = conclusion_of(metric, *forms)
    return AlongField("words", metric, 9, 99, None, 0, 10, 3, 5, None, *forms, concluded)


@pytest.mark.parametrize(
    ("result", "concluded", "said"),
    [
        (along("brier", plugin=[(1, 2)] * 3, corrected=[(-2, -1), (-1, 1), (0.1, 2)]),
         Conclusion("incoherence", "corrected", 3, 3, 1, 1),
         "of 3 corrected estimates (halves, and slopes in groups: 2; of the same samples), 3 have an interval: "
         "incoherence falls in 1, is not seen to change in 1, rises in 1."),
        (along("kl", plugin=[(0.5, 2), (None, None), (0.1, 2)]),
         Conclusion("incoherence", "plugin", 3, 2, 2, 0),
         "of 3 plug-in estimates (halves, and slopes in groups: 2; of the same samples), 2 have an interval: "
         "incoherence rises in 2."),
        (along("dispersion", plugin=[(1, 2)] * 3, corrected=[(None, 1)] * 3),
         Conclusion("variance", "corrected", 3, 0, 0, 0), "nothing can be said of variance."),
    ],
)  # fmt: skip
def test_intervals_that_exclude_0_are_counted_by_side(result, concluded, said):
    assert result.conclusion == concluded
    assert said in tell_along({"m": result})
