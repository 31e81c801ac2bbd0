"""Each published claim beside a sweep's number, with a verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np

from hotmess_jax.documents import Exact
from hotmess_jax.statistics.estimate import Estimate, Interval
from hotmess_jax.synthetic.codec import VOCABULARY
from hotmess_jax.synthetic.draws import Draws, Reader, draws_of, of_final, validation_loss
from hotmess_jax.synthetic.findings import Comparison, Findings, Law, findings
from hotmess_jax.synthetic.results import ModelResult, SweepResults

Results = TypeVar("Results", bound=SweepResults)
Verdict = Literal["supported", "not supported", "inconclusive"]
CHANCE = math.log(VOCABULARY)  # the loss of a model that gives every token the same probability
LEARNED = 0.9  # below this share of it, a model has learned something


@dataclass(frozen=True, slots=True)
class Claim(Exact):
    """A published claim beside this run's number."""

    statement: str
    source: str
    measure: str
    value: float | None
    ci95: Interval | None
    verdict: Verdict
    remark: str


def judge(ci95: Interval | Sequence[float | None] | None, above: float = 0.0) -> Verdict:
    """Return whether an interval lies above a bound, below it, or across it."""
    if ci95 is None:
        return "inconclusive"
    low, high = ci95
    if low is not None and low > above:
        return "supported"
    if high is not None and high < above:
        return "not supported"
    return "inconclusive"


def worse_than_chance(sweep: SweepResults) -> tuple[ModelResult, ...]:
    """Return the models whose validation loss is above that of equal probabilities; nothing is fitted to them."""
    return tuple(model for model in sweep.models if model.validation_loss > CHANCE)


def learned(sweep: Results) -> Results:
    """Return the sweep without the models that are worse than chance; all of it where there is no other."""
    models = tuple(model for model in sweep.models if model.validation_loss <= CHANCE)
    return replace(sweep, models=models) if models else sweep


def judged_findings(sweep: SweepResults) -> Findings:
    """Return the findings of the models that are no worse than chance.

    Where all are worse, nothing is fitted to size, and curves alone are left.

    Raises:
        ValueError: where there is no model.
    """
    found = findings(learned(sweep))
    if len(worse_than_chance(sweep)) < len(sweep.models):
        return found
    return replace(
        found, laws={}, exponent_difference=None, incoherence_slope=None, incoherence_line=None,
        plateau_difference=None, plateaus=None,
    )  # fmt: skip


def claims(sweep: SweepResults, found: Findings | None = None) -> list[Claim]:
    """Return each published claim with this sweep's number, interval and verdict.

    A claim is supported where the 95 % interval of its number lies wholly on the claimed side of 0,
    not supported where it lies wholly on the other, and inconclusive otherwise, with two exceptions.
    The loss is a power law only if, besides, log loss is not curved in log N (see `_loss_power_law`);
    and that incoherence grows for *every* model is judged with Holm's correction for their number, and
    never supported where a model is missing, for it failed or is worse than chance.
    Where the largest size has not learned, every claim is inconclusive and says so.

    Args:
        sweep: what was measured.
        found: its `judged_findings`, where they are known already.
    """
    found = found or judged_findings(sweep)
    every = len(sweep.models) + len(sweep.failures)
    missing = every - sum(len(models) for draw in found.draws.draws for models in draw.models)
    judged = [
        _loss_power_law(found, sweep.config),
        _bias_falls_faster(found),
        _grows_over_steps(found, missing),
        _grows_with_size(found),
        _small_plateau_lower(found),
    ]
    largest = draws_of(sweep).names[-1]
    if largest == found.draws.names[-1]:
        reason = not_learned(found.draws)
    else:
        reason = f"not learned: every model of {largest} is worse than chance"
    return judged if reason is None else [_not_judged(claim, reason) for claim in judged]


def not_learned(draws: Draws) -> str | None:
    """Return why the largest size's models have not learned, None where they have.

    They have where, in the mean over draws, their loss is below nine tenths of chance and their rollouts
    end nearer to the minimum than they begin.
    """

    def mean(read: Reader) -> float:
        return float(np.nanmean(draws.table(read)[:, -1]))

    name = draws.names[-1]
    if mean(validation_loss) >= LEARNED * CHANCE:
        return f"not learned: the validation loss of {name} is {mean(validation_loss):.3g}, chance {CHANCE:.3g}"
    first, last = mean(lambda m, _: m.error[0]), mean(of_final("error"))
    if last >= first:
        return f"not learned: the error of {name} goes from {first:.3g} to {last:.3g} over the steps"
    return None


def _not_judged(claim: Claim, reason: str) -> Claim:
    remark = f"{reason}; {claim.remark}" if claim.remark else reason
    return replace(claim, verdict="inconclusive", remark=remark)


def _loss_power_law(found: Findings, config: Mapping[str, Any]) -> Claim:
    """Judge whether the loss that is trained on follows a plain power law in size.

    It does where the exponent's interval is above 0 and log loss is not curved in log N: over draws, or
    over the replicates of one draw, whose interval then speaks for this problem alone. Curvature rejects
    the plain law whatever its exponent. Where curvature cannot be tested, for want of draws and
    replicates or of a third size, nothing supports the law, for a straight line fits any two sizes.
    """
    name = "validation_loss"
    if config.get("loss_on") == "all" and "validation_loss_all" in found.laws:
        name = "validation_loss_all"
    law = found.laws.get(name)
    headline = None if law is None else law.exponent.headline
    verdict: Verdict = "inconclusive"
    remarks = []
    if law is not None and headline is not None:
        verdict = judge(headline.ci95)
        if law.rejected:
            verdict = "not supported"
            remarks.append(f"a plain law is rejected: {_curved(law)}")
        elif law.rejected is None:
            verdict = "inconclusive" if verdict == "supported" else verdict
            missing = "three sizes" if len(found.draws.names) < 3 else "two draws or replicates"
            remarks.append(f"whether it is curved cannot be tested without {missing}")
        else:
            remarks.append(f"not seen to be curved: {_curved(law)}")
        above = found.laws.get("validation_loss_above_floor")
        if above is not None and above.exponent.headline is not None:
            fits = {True: "; a plain law is rejected there too", False: "; a plain law fits there"}
            remarks.append(
                f"above the floor of a perfect model the exponent is {_said(above.exponent.headline)}"
                + (fits[above.rejected] if above.rejected is not None else "")
            )
        if law.rejected and law.with_offset is not None:
            other = law.with_offset
            remarks.append(
                f"with an offset {_said(Estimate(other.exponent, other.ci95, 'sizes', other.sizes))}, "
                f"offset {other.offset:.3g}"
            )
        if law.line.r2 is not None:
            remarks.append(f"R² of the plain law {law.line.r2:.3f}")
    tokens = "all tokens" if name.endswith("all") else "the update's tokens"
    return Claim(
        "The loss follows a power law in model size",
        "Fig. 6 middle, 26a",
        f"exponent of the validation loss ({tokens})",
        None if headline is None else headline.value,
        None if headline is None else headline.ci95,
        verdict,
        "; ".join(remarks),
    )


def _curved(law: Law) -> str:
    assert law.curvature is not None
    return f"log loss has the curvature {_said(law.curvature)} in log N"


def _said(estimate: Estimate) -> str:
    """Return an estimate with its interval as a remark says it."""
    if estimate.ci95 is None:
        return f"{estimate.value:.3g}"
    low, high = estimate.ci95
    ends = ("−∞" if low is None else f"{low:.3g}", "∞" if high is None else f"{high:.3g}")
    return f"{estimate.value:.3g} [{', '.join(ends)}]"


def _from_comparison(
    statement: str, source: str, measure: str, comparison: Comparison | None, remark: str
) -> Claim:
    headline = None if comparison is None else comparison.headline
    ci95 = None if headline is None else headline.ci95
    value = None if headline is None else headline.value
    return Claim(statement, source, measure, value, ci95, judge(ci95), remark)


def _bias_falls_faster(found: Findings) -> Claim:
    remark = ""
    if found.exponent_difference is not None:
        both = (found.laws[name].exponent.headline for name in ("bias2", "variance"))
        bias2, variance = (0.0 if estimate is None else estimate.value for estimate in both)
        remark = f"bias² {bias2:.2f}, variance {variance:.2f}"
        if found.exponent_difference_of_means is not None:
            remark += f"; of the means {_said(found.exponent_difference_of_means)}"
    return _from_comparison(
        "Bias² falls faster with size than variance",
        "Fig. 6 right",
        "exponent of bias² less that of variance",
        found.exponent_difference,
        remark,
    )


def _grows_over_steps(found: Findings, missing: int) -> Claim:
    rises = found.rises
    named = (
        "Incoherence grows over the steps, for every model",
        "Fig. 2d",
        "rise from step 0 to the last, mean of all models",
    )
    if rises is None:
        reason = (
            "a model or a teacher has no error at the first or the last step: its incoherence is 0/0"
        )
        return Claim(*named, None, None, "inconclusive", reason)
    signs = [rise.sign for rise in rises.each]
    verdict: Verdict = "inconclusive"
    if all(sign > 0 for sign in signs) and not missing:
        verdict = "supported"
    elif any(sign < 0 for sign in signs):
        verdict = "not supported"
    teacher = Estimate(rises.less_teacher, rises.less_teacher_ci95, "draws", len(found.draws.draws))
    over = " over draws" if rises.of == "size" else ""
    return Claim(
        *named,
        rises.mean,
        rises.ci95,
        verdict,
        f"{signs.count(1)} of {len(signs)} {rises.of}s rise{over}, {signs.count(-1)} fall (Holm); least of "
        f"any model {rises.least:.3f}; mean rise less that of the own draw's teacher {_said(teacher)}"
        + (
            f"; {missing} model{'s are' if missing > 1 else ' is'} missing (failed, or worse than chance), "
            "so that nothing is said of every model"
            if missing
            else ""
        ),
    )


def _grows_with_size(found: Findings) -> Claim:
    return _from_comparison(
        "Incoherence grows with model size",
        "Fig. 4c",
        "final incoherence per factor of ten in size",
        found.incoherence_slope,
        "",
    )


def _small_plateau_lower(found: Findings) -> Claim:
    remark = "needs two sizes"
    if found.plateaus is not None and found.plateau_difference is not None:
        small, large = found.plateaus
        remark = f"{found.draws.names[-1]} {large:.3f}, {found.draws.names[0]} {small:.3f}"
        headline = found.plateau_difference.headline
        if headline is not None and headline.ci95 is None:
            remark += "; an interval needs draws or replicates"
    return _from_comparison(
        "Small models plateau lower",
        "Fig. 2d",
        "mean incoherence of the last tenth of the steps, largest size less smallest",
        found.plateau_difference,
        remark,
    )
