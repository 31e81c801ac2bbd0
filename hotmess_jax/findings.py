"""What a finished sweep says: its scaling laws, and each published claim beside its number."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from hotmess_jax import scaling
from hotmess_jax.curves import Json

Verdict = Literal["supported", "not supported", "inconclusive"]
QUANTITIES = ("validation_loss", "bias2", "variance", "error")


class BySize(NamedTuple):
    """Sizes and their parameter counts, smallest first, and which replicates there are."""

    names: list[str]
    parameters: Float[np.ndarray, " sizes"]
    models: list[list[Json]]

    def table(self, value: Callable[[Json], float]) -> Float[np.ndarray, "sizes replicates"]:
        """Return a value of each model; NaN where a replicate is missing."""
        widest = max(len(models) for models in self.models)
        rows = [
            [value(model) for model in models] + [np.nan] * (widest - len(models))
            for models in self.models
        ]
        return np.asarray(rows, np.float64)


def by_size(models: Sequence[Json]) -> BySize:
    """Group a sweep's models by size, smallest first.

    Raises:
        ValueError: where there is no model.
    """
    if not models:
        raise ValueError("the sweep has no finished model")
    parameters = {model["size"]: model["parameters"] for model in models}
    names = sorted(parameters, key=parameters.__getitem__)
    grouped = [
        sorted((m for m in models if m["size"] == name), key=lambda m: m["replicate"]) for name in names
    ]
    return BySize(names, np.asarray([parameters[n] for n in names], np.float64), grouped)


def quantity(name: str) -> Callable[[Json], float]:
    """Return how to read one of `QUANTITIES` off a model."""
    return lambda model: model[name] if name == "validation_loss" else model["final"][name]


def fit_sweep(sweep: Mapping) -> Json:
    """Fit power laws in the parameter count; what cannot be fitted is absent.

    Returns:
        "fits", for each of `QUANTITIES` exponent, ci95, r2, coefficient, and the same `with_offset`;
        "exponent_difference", of bias2 and variance; "incoherence_slope", per factor of ten in size.

    Source: Hägele et al. 2026, Figures 6 and 26.
    """
    sizes = by_size(sweep["models"])
    fits: Json = {}
    found: Json = {"fits": fits}
    if len(sizes.names) < 2:
        return found
    tables = {name: sizes.table(quantity(name)) for name in QUANTITIES}
    for name, table in tables.items():
        if np.all(np.isnan(table) | (table > 0)):
            fits[name] = scaling.power_law(sizes.parameters, table).to_json()
            if len(sizes.names) >= 3:
                with_offset = scaling.power_law_with_offset(sizes.parameters, table)
                fits[name]["with_offset"] = with_offset.to_json()
    if "bias2" in fits and "variance" in fits:
        found["exponent_difference"] = scaling.exponent_difference(
            sizes.parameters, tables["bias2"], tables["variance"]
        ).to_json()
    found["incoherence_slope"] = scaling.linear_in_log_size(
        sizes.parameters, sizes.table(quantity("incoherence"))
    ).to_json()
    return found


class Claim(NamedTuple):
    """A published claim beside this run's number."""

    statement: str
    source: str
    measure: str
    value: float | None
    ci95: list[float | None] | None
    verdict: Verdict
    remark: str

    def to_json(self) -> Json:
        """Return the claim as JSON values."""
        return self._asdict()


def judge(ci95: Sequence[float | None] | None, above: float = 0.0) -> Verdict:
    """Return whether an interval lies above a bound, below it, or across it."""
    if ci95 is None:
        return "inconclusive"
    low, high = ci95
    if low is not None and low > above:
        return "supported"
    if high is not None and high < above:
        return "not supported"
    return "inconclusive"


def claims(sweep: Mapping) -> list[Claim]:
    """Return each published claim with this sweep's number, interval and verdict.

    A claim is supported where the 95 % interval of its number lies wholly on the claimed side of 0,
    not supported where it lies wholly on the other, and inconclusive otherwise. The loss is a power
    law only if, besides, R² is at least 0.9.
    """
    sizes = by_size(sweep["models"])
    return [
        _loss_power_law(sweep),
        _bias_falls_faster(sweep),
        _grows_over_steps(sizes, sweep),
        _grows_with_size(sweep),
        _small_plateau_lower(sizes),
    ]


def _loss_power_law(sweep: Mapping) -> Claim:
    fit = sweep["fits"].get("validation_loss")
    verdict: Verdict = "inconclusive" if fit is None else judge(fit["ci95"])
    remark = "" if fit is None else f"R² {fit['r2']:.3f}"
    if fit and verdict == "supported" and fit["r2"] < 0.9:
        verdict, remark = "inconclusive", f"{remark}, below 0.9"
    return Claim(
        "The loss follows a power law in model size",
        "Fig. 6 middle, 26a",
        "exponent of the validation loss",
        fit and fit["exponent"],
        fit and fit["ci95"],
        verdict,
        remark,
    )


def _bias_falls_faster(sweep: Mapping) -> Claim:
    difference = sweep.get("exponent_difference")
    fits = sweep["fits"]
    return Claim(
        "Bias² falls faster with size than variance",
        "Fig. 6 right",
        "exponent of bias² less that of variance",
        difference and difference["difference"],
        difference and difference["ci95"],
        judge(difference and difference["ci95"]),
        (
            difference
            and f"bias² {fits['bias2']['exponent']:.2f}, variance {fits['variance']['exponent']:.2f}"
        )
        or "",
    )


def _grows_over_steps(sizes: BySize, sweep: Mapping) -> Claim:
    finals = [model["final"] for models in sizes.models for model in models]
    verdicts = [judge(final["rise_ci95"]) for final in finals]
    least = min(finals, key=lambda final: final["rise"])
    verdict: Verdict = "inconclusive"
    if set(verdicts) == {"supported"}:
        verdict = "supported"
    elif "not supported" in verdicts:
        verdict = "not supported"
    teacher = sweep["teacher"]["incoherence"]
    return Claim(
        "Incoherence grows over the steps, for every model",
        "Fig. 2d",
        "least rise of any model, step 0 to last",
        least["rise"],
        least["rise_ci95"],
        verdict,
        f"{verdicts.count('supported')} of {len(verdicts)} models rise; the teacher's own rise is "
        f"{teacher[-1] - teacher[0]:.3f}",
    )


def _grows_with_size(sweep: Mapping) -> Claim:
    slope = sweep.get("incoherence_slope")
    return Claim(
        "Incoherence grows with model size",
        "Fig. 4c",
        "final incoherence per factor of ten in size",
        slope and slope["slope"],
        slope and slope["ci95"],
        judge(slope and slope["ci95"]),
        "",
    )


def _small_plateau_lower(sizes: BySize) -> Claim:
    plateaus = sizes.table(lambda model: model["final"]["plateau"])
    small, large = (row[~np.isnan(row)] for row in (plateaus[0], plateaus[-1]))
    value: float | None = None
    ci95: list[float | None] | None = None
    remark = "needs two sizes"
    if len(sizes.names) > 1:
        value = float(large.mean() - small.mean())
        remark = f"{sizes.names[-1]} {large.mean():.3f}, {sizes.names[0]} {small.mean():.3f}"
        if min(len(small), len(large)) >= 2 and np.ptp(small) + np.ptp(large) > 0:
            interval = stats.ttest_ind(large, small, equal_var=False).confidence_interval(0.95)
            ci95 = [float(interval.low), float(interval.high)]
        else:
            remark += "; an interval needs replicates"
    return Claim(
        "Small models plateau lower",
        "Fig. 2d",
        "mean incoherence of the last tenth of the steps, largest size less smallest",
        value,
        ci95,
        judge(ci95),
        remark,
    )
