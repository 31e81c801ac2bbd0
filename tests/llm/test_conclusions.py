"""What is concluded of a field: counted from intervals, and kept in the result."""

import pytest

from hotmess_jax.llm.measures.groups import Conclusion, conclusion_of, tell_along

NAMES = ("error", "bias2", "variance", "incoherence", "accuracy")


def along(metric, **intervals):
    """Return a result whose halves and two slopes have these intervals, the corrected form where it has one."""

    def form(ends):
        rows = [
            {
                name: {
                    "value": 0.1,
                    "ci95": [None if end is None else float(end) for end in pair],
                    "r2": 0.5,
                }
                for name in NAMES
            }
            for pair in ends
        ]
        return {"halves": rows[0], "slopes": {"5": rows[1], "10": rows[2]}}

    forms = {
        name: form(intervals[name]) if name in intervals else None for name in ("plugin", "corrected")
    }
    return {"metric": metric, "field": "words", "questions": 9, "samples": 99, "splits": 10, "plugin_samples": 3,
            "no_corrected": None, "too_few": 0, "without_field": 0, "shared_contexts": 0, **forms}  # fmt: skip


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
    assert conclusion_of(result) == concluded
    kept = {name: getattr(concluded, name) for name in Conclusion.__slots__}
    assert said in tell_along({"m": result | {"conclusion": kept}})
