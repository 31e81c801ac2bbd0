"""Each published claim, supported, not supported and inconclusive, on findings that are made for it."""

import dataclasses

import numpy as np
import pytest
from made_sweeps import made_sweep, read

from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.synthetic.findings import Comparison, findings
from hotmess_jax.synthetic.results import Failed, FailedModel
from hotmess_jax.synthetic.verdicts import CHANCE, LEARNED, claims, judge

SWEEP = read(made_sweep(draws=3, tau=0.05, noise=0.02))
FOUND = findings(SWEEP)
LOSS, FALLS, STEPS, SIZE, PLATEAU = range(5)
ABOVE, BELOW, ACROSS = (0.1, 0.5), (-0.5, -0.1), (-0.1, 0.5)
OPEN_ABOVE, OPEN_BELOW, TOUCHES = (0.1, None), (None, -0.1), (0.0, 0.5)
NONE = None
JUDGED = [
    (ABOVE, "supported"), (OPEN_ABOVE, "supported"), (BELOW, "not supported"), (OPEN_BELOW, "not supported"),
    (ACROSS, "inconclusive"), (TOUCHES, "inconclusive"), ((-0.5, 0.0), "inconclusive"),
    ((None, None), "inconclusive"), (NONE, "inconclusive"),
]  # fmt: skip


def estimate(ends, value=0.2, over="draws"):
    return Estimate(value, None if ends is None else Interval(*ends), over, 3)


def over_draws(ends, value=0.2):
    return Comparison(estimate(ends, value), None, None, (value,) * 3)


def law(ends, curvature, value=0.2):
    """The law of the loss with an exponent and a curvature; None where the curvature was not tested."""
    bent = None if curvature is None else estimate(curvature, float(np.mean(curvature)))
    return dataclasses.replace(
        FOUND.laws["validation_loss"], exponent=over_draws(ends, value), curvature=bent
    )


def verdict(place, sweep=SWEEP, **changes):
    """The claim at a place, on the findings with some of them changed."""
    return claims(sweep, dataclasses.replace(FOUND, **changes))[place]


def of_loss(ends, curvature, **others):
    laws = FOUND.laws | {"validation_loss": law(ends, curvature)} | others
    return verdict(LOSS, laws=laws)


def rises(*each, of="size"):
    """Rises of given (value, p); the mean and its interval are those of the first."""
    first = FOUND.rises.each[0]
    made = tuple(dataclasses.replace(first, value=value, p_holm=p) for value, p in each)
    return dataclasses.replace(FOUND.rises, each=made, of=of, least=min(value for value, _ in each))


@pytest.mark.parametrize(("ends", "said"), JUDGED)
def test_an_interval_is_judged_by_the_side_on_which_it_lies_whole(ends, said):
    assert judge(None if ends is None else Interval(*ends)) == judge(ends) == said
    if ends is not None and None not in ends:
        moved = tuple(end + 1 for end in ends)
        assert judge(moved, above=1.0) == judge(ends) and judge(moved) == "supported"


@pytest.mark.parametrize(("ends", "said"), JUDGED)
@pytest.mark.parametrize(
    ("place", "name"),
    [(FALLS, "exponent_difference"), (SIZE, "incoherence_slope"), (PLATEAU, "plateau_difference")],
)
def test_a_claim_of_a_comparison_is_judged_by_its_interval_over_draws(place, name, ends, said):
    claim = verdict(place, **{name: over_draws(ends, 0.25)})
    assert claim.verdict == said and claim.value == 0.25
    assert claim.ci95 == (None if ends is None else Interval(*ends))
    others = [c.verdict for i, c in enumerate(claims(SWEEP, FOUND)) if i != place]
    changed = claims(SWEEP, dataclasses.replace(FOUND, **{name: over_draws(ends, 0.25)}))
    assert others == [c.verdict for i, c in enumerate(changed) if i != place]


@pytest.mark.parametrize(
    ("place", "name"),
    [(FALLS, "exponent_difference"), (SIZE, "incoherence_slope"), (PLATEAU, "plateau_difference")],
)
def test_a_comparison_that_could_not_be_made_says_nothing(place, name):
    claim = verdict(place, **{name: None})
    assert (claim.verdict, claim.value, claim.ci95) == ("inconclusive", None, None)


def test_with_one_draw_the_interval_over_sizes_is_the_one_that_counts():
    over_sizes = estimate(BELOW, -0.3, "sizes")
    alone = Comparison(None, over_sizes, estimate(ABOVE, 0.3, "replicates"), (0.3,))
    claim = verdict(SIZE, incoherence_slope=alone)
    assert claim.verdict == "not supported" and claim.value == -0.3


@pytest.mark.parametrize(
    ("ends", "curvature", "said", "remark"),
    [
        (ABOVE, ACROSS, "supported", "not seen to be curved"),
        (BELOW, ACROSS, "not supported", "not seen to be curved"),
        (ACROSS, ACROSS, "inconclusive", "not seen to be curved"),
        (None, ACROSS, "inconclusive", "not seen to be curved"),
        # Curvature rejects the plain law, to either side, whatever its exponent.
        (ABOVE, ABOVE, "not supported", "a plain law is rejected"),
        (ABOVE, BELOW, "not supported", "a plain law is rejected"),
        (ACROSS, ABOVE, "not supported", "a plain law is rejected"),
        # Where it cannot be tested nothing supports the law, but a wrong sign speaks against it.
        (ABOVE, None, "inconclusive", "cannot be tested without two draws or replicates"),
        (BELOW, None, "not supported", "cannot be tested"),
        (ACROSS, None, "inconclusive", "cannot be tested"),
    ],
)
def test_the_loss_is_a_power_law_where_it_falls_and_is_not_curved(ends, curvature, said, remark):
    claim = of_loss(ends, curvature)
    assert claim.verdict == said and remark in claim.remark
    assert "the update's tokens" in claim.measure


def test_without_a_law_of_the_loss_nothing_is_said_of_it():
    others = {name: law for name, law in FOUND.laws.items() if name != "validation_loss"}
    claim = verdict(LOSS, laws=others)
    assert (claim.verdict, claim.value, claim.remark) == ("inconclusive", None, "")


def test_the_loss_that_is_trained_on_is_the_one_that_is_judged():
    sweep = dataclasses.replace(SWEEP, config=SWEEP.config | {"loss_on": "all"})
    laws = FOUND.laws | {
        "validation_loss": law(ABOVE, ACROSS), "validation_loss_all": law(BELOW, ACROSS, -0.2)
    }  # fmt: skip
    claim = claims(sweep, dataclasses.replace(FOUND, laws=laws))[LOSS]
    assert claim.verdict == "not supported" and "all tokens" in claim.measure
    assert verdict(LOSS, laws=laws).verdict == "supported"


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ([(0.3, 0.001), (0.2, 0.04)], "supported"),
        ([(0.3, 0.001), (0.2, 0.06)], "inconclusive"),  # the second may rise, or not
        ([(0.3, 0.001), (-0.2, 0.06)], "inconclusive"),
        ([(0.3, 0.001), (-0.2, 0.04)], "not supported"),
        ([(-0.3, 0.001), (-0.2, 0.04)], "not supported"),
    ],
)
def test_incoherence_grows_for_every_model_only_where_each_is_sure(each, said):
    claim = verdict(STEPS, rises=rises(*each))
    assert claim.verdict == said
    up, down = (sum(p < 0.05 and sign * value > 0 for value, p in each) for sign in (1, -1))
    assert f"{up} of 2 sizes rise over draws, {down} fall" in claim.remark


def test_a_model_that_is_missing_keeps_every_model_from_being_said():
    sure, falls = rises((0.3, 0.001), (0.2, 0.001)), rises((0.3, 0.001), (-0.2, 0.001))
    why = Failed(step=3, reason="made")
    failed = FailedModel(size="3k", replicate=9, git_commit=None, failed=why)
    holed = dataclasses.replace(SWEEP, failures=(failed,))
    claim = verdict(STEPS, holed, rises=sure)
    assert claim.verdict == "inconclusive" and "1 model is missing" in claim.remark
    assert verdict(STEPS, holed, rises=falls).verdict == "not supported"


def test_without_rises_nothing_is_said_of_steps():
    claim = verdict(STEPS, rises=None)
    assert (claim.verdict, claim.value) == ("inconclusive", None) and "0/0" in claim.remark


@pytest.mark.parametrize(("loss", "learns"), [(0.89, True), (0.91, False)])
def test_a_largest_size_that_has_not_learned_takes_every_verdict_away(loss, learns):
    assert LEARNED == 0.9
    largest = FOUND.draws.names[-1]
    models = tuple(
        dataclasses.replace(model, validation_loss=loss * CHANCE) if model.size == largest else model
        for model in SWEEP.models
    )
    sweep = dataclasses.replace(SWEEP, models=models)
    found = dataclasses.replace(findings(sweep), incoherence_slope=over_draws(ABOVE))
    judged = claims(sweep, found)
    assert judged[SIZE].verdict == ("supported" if learns else "inconclusive")
    if not learns:
        assert all(claim.verdict == "inconclusive" for claim in judged)
        assert all(claim.remark.startswith("not learned") for claim in judged)
        assert judged[SIZE].value == 0.2  # the number stands
