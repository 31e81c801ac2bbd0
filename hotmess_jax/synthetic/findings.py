"""What a sweep's models say: scaling laws and comparisons, each in every draw and over the draws."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from hotmess_jax.statistics.estimate import (
    Estimate,
    Interval,
    Spread,
    holm,
    jackknifed,
    mean_with_interval,
    p_value_of_interval,
    p_value_of_mean,
    spread_of,
)
from hotmess_jax.statistics.fits import (
    PowerLaw,
    curvatures,
    exponent_difference,
    gamma_exponents,
    linear_in_log_size,
    power_law,
    power_law_with_offset,
    slopes,
)
from hotmess_jax.synthetic.draws import (
    Draw,
    Draws,
    Reader,
    draws_of,
    of_final,
    quantities,
    rise_of_teacher,
)
from hotmess_jax.synthetic.found import (
    ExponentDifference,
    Fit,
    Found,
    IncoherenceSlope,
    InDraw,
    PlateauDifference,
    Rise,
    Rises,
)
from hotmess_jax.synthetic.results import ModelResult, SweepResults


@dataclass(frozen=True)
class Comparison:
    """One number that compares sizes, estimated in several ways; `headline` is the one to quote."""

    over_draws: Estimate | None  # needs two draws
    over_sizes: Estimate | None
    over_replicates: Estimate | None  # of one draw: what initialisation does, and nothing else
    of_draws: tuple[float, ...]  # one a complete draw
    spread: Spread | None = None  # where draws have several trainings each

    @property
    def headline(self) -> Estimate | None:
        """Over draws where there are two, else over sizes, else over replicates."""
        return self.over_draws or self.over_sizes or self.over_replicates

    def told(self) -> dict[str, Any]:
        """Return the fields of `Compared`, and nothing of what the headline's value is called.

        Raises:
            ValueError: where nothing was estimated.
        """
        headline = self.headline
        if headline is None:
            raise ValueError("nothing was estimated")
        estimates = {
            name: getattr(self, name) for name in ("over_draws", "over_sizes", "over_replicates")
        }
        return {"ci95": headline.ci95, "over": headline.over, **estimates, "spread": self.spread}

    @property
    def value(self) -> float:
        """The headline's value, of which it is known that there is one."""
        assert self.headline is not None
        return self.headline.known


@dataclass(frozen=True)
class Law:
    """A quantity's power law in the number of parameters, and whether one fits at all."""

    exponent: Comparison
    line: PowerLaw  # through each size's geometric mean
    with_offset: PowerLaw | None  # needs three sizes
    curvature: Estimate | None  # of log y against log N: lack of fit where its interval excludes 0
    curvature_of_draws: tuple[float, ...]
    of_means: Estimate | None  # the exponent of the means, see `gamma_exponents`; needs two draws

    @property
    def rejected(self) -> bool | None:
        """Whether no plain power law fits, by the curvature; None where that cannot be tested."""
        if self.curvature is None or self.curvature.ci95 is None:
            return None
        low, high = self.curvature.ci95
        return low is not None and high is not None and not low <= 0 <= high

    def told(self) -> Fit:
        """Return the law as it is written and told."""
        line = self.line
        return Fit(
            **self.exponent.told(),
            exponent=self.exponent.value,
            coefficient=line.coefficient,
            offset=line.offset,
            r2=line.r2,
            sizes=line.sizes,
            with_offset=self.with_offset,
            curvature=self.curvature,
            of_means=self.of_means,
        )


@dataclass(frozen=True)
class Findings:
    """Everything that is estimated from a sweep's models; None or absent where it cannot be."""

    draws: Draws
    laws: dict[str, Law]
    exponent_difference: Comparison | None
    exponent_difference_of_means: Estimate | None
    incoherence_slope: Comparison | None
    incoherence_line: tuple[float, float | None] | None  # intercept and R² of the same
    plateau_difference: Comparison | None
    plateaus: tuple[float, float] | None  # of the smallest and the largest size
    rises: Rises | None

    def told(self) -> Found:
        """Return the findings as they are written and told."""
        sizes = len(self.draws.names)
        difference = slope = plateau = None
        if (of := self.exponent_difference) is not None:
            of_means = self.exponent_difference_of_means
            difference = ExponentDifference(
                **of.told(), difference=of.value, sizes=sizes, of_means=of_means
            )
        if (of := self.incoherence_slope) is not None and self.incoherence_line is not None:
            intercept, r2 = self.incoherence_line
            slope = IncoherenceSlope(
                **of.told(), slope=of.value, r2=r2, intercept=intercept, sizes=sizes
            )
        if (of := self.plateau_difference) is not None and self.plateaus is not None:
            small, large = self.plateaus
            plateau = PlateauDifference(**of.told(), difference=of.value, smallest=small, largest=large)
        return Found(
            fits={name: law.told() for name, law in self.laws.items()},
            exponent_difference=difference,
            incoherence_slope=slope,
            plateau_difference=plateau,
            rises=self.rises,
            draws=self._in_draws(),
            draws_left_out=self.draws.left_out,
        )

    def _in_draws(self) -> tuple[InDraw, ...]:
        rows: list[InDraw] = []
        place = 0  # among the complete draws
        for draw in self.draws.draws:
            missing = tuple(n for n, m in zip(self.draws.names, draw.models, strict=True) if not m)
            row = InDraw(problem=draw.problem, seed=draw.seed, missing_sizes=missing)
            if draw.complete:
                row = replace(row, **self._of_draw(place))
                place += 1
            rows.append(row)
        return tuple(rows)

    def _of_draw(self, place: int) -> dict[str, Any]:
        """Return what was estimated in the complete draw at a place, fields of `InDraw`."""

        def own(comparison: Comparison | None) -> float | None:
            return None if comparison is None or not comparison.of_draws else comparison.of_draws[place]

        return {
            "exponents": {n: law.exponent.of_draws[place] for n, law in self.laws.items()},
            "curvatures": {
                n: law.curvature_of_draws[place]
                for n, law in self.laws.items()
                if law.curvature_of_draws
            },
            "exponent_difference": own(self.exponent_difference),
            "incoherence_slope": own(self.incoherence_slope),
            "plateau_difference": own(self.plateau_difference),
        }


def findings(sweep: SweepResults) -> Findings:
    """Estimate everything that a sweep's models tell about size and about steps.

    With two draws of the problem or more, each number is estimated in each draw by itself (replicates
    of a size within a draw averaged first, in the logarithm for power laws) and the headline is the mean
    over draws with Student's t interval. A draw that lacks a size is left out of everything that
    compares sizes. With one draw the headline's interval is over sizes, which says nothing of other
    problems.

    Raises:
        ValueError: where there is no model.

    Source: Hägele et al. 2026, Figures 2d, 4c, 6 and 26.
    """
    draws = draws_of(sweep)
    complete = draws.complete
    comparable = len(draws.names) > 1 and len(complete.draws) > 0
    laws: dict[str, Law] = {}
    difference = of_means = slope = plateau = plateaus = line = None
    if comparable:
        for name, read in quantities(sweep.config).items():
            if (law := _law(complete, read)) is not None:
                laws[name] = law
        if "bias2" in laws and "variance" in laws:
            difference = _difference(complete)
            of_means = _difference_of_means(complete)
        slope, line = _slope(complete)
        plateau, plateaus = _plateau(complete)
    return Findings(draws, laws, difference, of_means, slope, line, plateau, plateaus, _rises(draws))


def bias_at_floor(draws: Draws, starts: int) -> tuple[str, ...]:
    """Return the models whose bias² is hardly told from 0: at most twice the share of variance that it holds.

    A plug-in bias² holds 1/starts of the variance, for the mean is over that many starts; of these models the
    corrected bias² is less than that.
    """
    return tuple(
        model.name
        for place in range(len(draws.names))
        for draw in draws.draws
        for model in draw.models[place]
        if model.final.corrected.bias2 < model.final.variance / starts
    )


def _mean(values: Float[np.ndarray, "draws sizes replicates"]) -> Float[np.ndarray, "draws sizes"]:
    """Return means over the replicates that are there, of draws that have every size."""
    return np.nanmean(values, axis=2)


def _compare(
    of_draws: Float[np.ndarray, " draws"],
    over_sizes: Estimate | None,
    of_replicates: Float[np.ndarray, " replicates"] | None,
    of_models: Float[np.ndarray, "draws replicates"] | None = None,
) -> Comparison:
    return Comparison(
        mean_with_interval(of_draws, "draws") if len(of_draws) > 1 else None,
        over_sizes,
        (
            mean_with_interval(of_replicates, "replicates")
            if of_replicates is not None and len(of_replicates) > 1
            else None
        ),
        tuple(of_draws.tolist()),
        None if of_models is None else spread_of(of_models),
    )


def _replicates_of_one(
    values: Float[np.ndarray, "draws sizes replicates"],
) -> Float[np.ndarray, "replicates sizes"] | None:
    """Return the replicates that have every size, where there is one draw; None otherwise."""
    if len(values) > 1:
        return None
    rows = values[0].T
    return rows[~np.isnan(rows).any(axis=1)]


def _law(draws: Draws, read: Reader) -> Law | None:
    """Fit a quantity's law; None where a model has no such value, or one that is not positive."""
    if draws.lacks(read):
        return None
    values = draws.table(read)
    present = values[~np.isnan(values)]
    if not (np.isfinite(present) & (present > 0)).all():
        return None
    x, logs = np.log(draws.parameters), np.log(values)
    means, alone = _mean(logs), _replicates_of_one(logs)
    line = power_law(draws.parameters, np.exp(means.T))
    sizes = len(draws.names)
    curved: np.ndarray = np.zeros(0)
    curvature = with_offset = None
    if sizes > 2:
        with_offset = power_law_with_offset(draws.parameters, np.exp(means.T))
        curved = curvatures(x, means)
        if len(means) > 1:
            curvature = mean_with_interval(curved, "draws")
        elif alone is not None and len(alone) > 1:
            curvature = mean_with_interval(curvatures(x, alone), "replicates")
    return Law(
        _compare(
            -slopes(x, means),
            Estimate(line.exponent, line.ci95, "sizes", sizes),
            None if alone is None else -slopes(x, alone),
        ),
        line,
        with_offset,
        curvature,
        tuple(curved.tolist()),
        _of_means(x, np.nanmean(values, axis=2)[..., None]),
    )


def _of_means(
    x: Float[np.ndarray, " sizes"], values: Float[np.ndarray, "draws sizes parts"]
) -> Estimate | None:
    """Return the exponent of the means over draws, or of the first of two parts less that of the second."""
    if len(values) < 2:
        return None

    def exponent(rows: Float[np.ndarray, "draws sizes parts"]) -> float:
        first, *second = gamma_exponents(x, np.moveaxis(rows, -1, 0))
        return float(first - sum(second))

    return jackknifed(exponent, values, "draws")


def _difference_of_means(draws: Draws) -> Estimate | None:
    """Return the exponent of the means of bias² less that of variance, the draws left out being the same."""
    both = [np.nanmean(draws.table(of_final(name)), axis=2) for name in ("bias2", "variance")]
    return _of_means(np.log(draws.parameters), np.stack(both, axis=-1))


def _difference(draws: Draws) -> Comparison:
    """Return the exponent of bias² less that of variance, paired model by model."""
    bias2, variance = (np.log(draws.table(of_final(name))) for name in ("bias2", "variance"))
    x, means = np.log(draws.parameters), _mean(bias2 - variance)
    alone = _replicates_of_one(bias2 - variance)
    both = (np.exp(_mean(part).T) for part in (bias2, variance))
    over_sizes = exponent_difference(draws.parameters, *both)
    return _compare(
        -slopes(x, means),
        Estimate(over_sizes.difference, over_sizes.ci95, "sizes", over_sizes.sizes),
        None if alone is None else -slopes(x, alone),
        -slopes(x, (bias2 - variance).swapaxes(1, 2)),
    )


def _slope(draws: Draws) -> tuple[Comparison, tuple[float, float | None]]:
    """Return the slope of final incoherence against log10 N, and the line's intercept and R²."""
    values = draws.table(of_final("incoherence"))
    x, means = np.log10(draws.parameters), _mean(values)
    alone = _replicates_of_one(values)
    line = linear_in_log_size(draws.parameters, means.T)
    comparison = _compare(
        slopes(x, means),
        Estimate(line.slope, line.ci95, "sizes", line.sizes),
        None if alone is None else slopes(x, alone),
        slopes(x, values.swapaxes(1, 2)),
    )
    return comparison, (line.intercept, line.r2)


def _plateau(draws: Draws) -> tuple[Comparison, tuple[float, float]]:
    """Return the mean plateau of the largest size less that of the smallest, paired within draws."""
    values = draws.table(of_final("plateau"))
    means = _mean(values)
    of_draws = means[:, -1] - means[:, 0]
    unpaired = None
    if len(of_draws) == 1:
        # Replicate for replicate the sizes have nothing in common but the problem: Welch's test.
        small, large = (row[~np.isnan(row)] for row in (values[0, 0], values[0, -1]))
        ci95 = None
        if min(len(small), len(large)) > 1 and np.ptp(small) + np.ptp(large) > 0:
            welch = stats.ttest_ind(large, small, equal_var=False).confidence_interval(0.95)
            ci95 = Interval(float(welch.low), float(welch.high))
        unpaired = Estimate(float(of_draws[0]), ci95, "replicates", min(len(small), len(large)))
    comparison = Comparison(
        mean_with_interval(of_draws, "draws") if len(of_draws) > 1 else None,
        None,
        unpaired,
        tuple(of_draws.tolist()),
        spread_of(values[:, -1] - values[:, 0]),
    )
    return comparison, (float(means[:, 0].mean()), float(means[:, -1].mean()))


def _rises(draws: Draws) -> Rises | None:
    """Return the rise of incoherence of each size over draws or, with one draw, of each model.

    It compares no sizes, so that draws which lack one count for the others. None where a model or a teacher
    has no error at the first or the last step, so that its incoherence is 0/0 there.
    """
    rise = draws.table(of_final("rise"))
    teachers = {draw.problem: own for draw in draws.draws if (own := rise_of_teacher(draw)) is not None}
    if draws.lacks(of_final("rise")) or len(teachers) < len(draws.draws):
        return None

    def against_teacher(model: ModelResult, draw: Draw) -> float:
        return _known_rise(model) - teachers[draw.problem]

    beside = draws.table(against_teacher)
    if len(draws.draws) > 1:
        return _rises_over_draws(draws, rise, beside)
    models = [model for models in draws.draws[0].models for model in models]
    intervals = [_rise_ci95(model) for model in models]
    teacher = teachers[draws.draws[0].problem]
    p = holm(
        np.asarray(
            [
                p_value_of_interval(_known_rise(model), ci95)
                for model, ci95 in zip(models, intervals, strict=True)
            ]
        )
    )
    each = tuple(
        Rise(
            model.name,
            _known_rise(model),
            ci95,
            float(p[i]),
            _known_rise(model) - teacher,
            None,
        )
        for i, (model, ci95) in enumerate(zip(models, intervals, strict=True))
    )
    # Models share their starts and resamples: at worst their errors are one and the same, and the mean
    # of the intervals is that of the mean.
    ends = np.asarray([list(ci95) for ci95 in intervals], np.float64)
    ci95 = Interval(*(float(end) for end in ends.mean(axis=0)))
    mean, least = float(np.nanmean(rise)), float(np.nanmin(rise))
    return Rises(each, "model", mean, ci95, least, mean - teacher, None)


def _known_rise(model: ModelResult) -> float:
    assert model.final.rise is not None  # `_rises` has looked
    return model.final.rise


def _rise_ci95(model: ModelResult) -> Interval:
    assert model.final.rise_ci95 is not None
    return model.final.rise_ci95


def _rises_over_draws(
    draws: Draws,
    rise: Float[np.ndarray, "draws sizes replicates"],
    beside: Float[np.ndarray, "draws sizes replicates"],
) -> Rises:
    def of_size(values: Float[np.ndarray, "draws sizes replicates"], j: int) -> np.ndarray:
        rows = values[:, j][~np.isnan(values[:, j]).all(axis=1)]
        return np.nanmean(rows, axis=1)

    def of_draws(values: Float[np.ndarray, "draws sizes replicates"]) -> np.ndarray:
        rows = [row for row in values if not np.isnan(row).all()]
        return np.asarray([np.nanmean(row) for row in rows])

    sizes = range(len(draws.names))
    p = holm(np.asarray([p_value_of_mean(of_size(rise, j)) for j in sizes]))
    each = []
    for j in sizes:
        own = mean_with_interval(of_size(rise, j), "draws")
        other = mean_with_interval(of_size(beside, j), "draws")
        each.append(Rise(draws.names[j], own.known, own.ci95, float(p[j]), other.known, other.ci95))
    mean = mean_with_interval(of_draws(rise), "draws")
    less = mean_with_interval(of_draws(beside), "draws")
    return Rises(
        tuple(each), "size", mean.known, mean.ci95, float(np.nanmin(rise)), less.known, less.ci95
    )
