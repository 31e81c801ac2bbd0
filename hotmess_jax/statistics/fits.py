"""Power laws in the number of parameters, from few sizes, with honest intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from hotmess_jax.statistics.estimate import LEVEL, Interval

EXPONENTS = (1e-3, 20.0)  # among which a law with an offset is searched


@dataclass(frozen=True)
class PowerLaw:
    """y = coefficient·N^(−exponent) + offset, with the exponent's 95 % interval over sizes."""

    exponent: float
    ci95: Interval | None
    r2: float | None  # None where two points, or equal values, leave nothing to explain
    coefficient: float
    offset: float
    sizes: int

    def to_json(self) -> dict[str, object]:
        """Return the fit as JSON values."""
        return {
            "exponent": self.exponent,
            "ci95": None if self.ci95 is None else self.ci95.to_json(),
            "r2": self.r2,
            "coefficient": self.coefficient,
            "offset": self.offset,
            "sizes": self.sizes,
        }


@dataclass(frozen=True)
class ExponentDifference:
    """How much faster one quantity falls with size than another, with its 95 % interval over sizes."""

    difference: float
    ci95: Interval | None
    sizes: int


@dataclass(frozen=True)
class LogSlope:
    """value = intercept + slope·log10 N, with the slope's 95 % interval over sizes."""

    slope: float
    ci95: Interval | None
    r2: float | None
    intercept: float
    sizes: int


def power_law(
    parameters: Float[np.ndarray, " sizes"], values: Float[np.ndarray, "sizes replicates"]
) -> PowerLaw:
    """Fit y = a·N^(−k) by least squares in the logarithm.

    Replicates of a size share that size's own deviation from the law, so their logarithms are averaged
    first and the interval is Student's t over sizes, with sizes − 2 degrees of freedom. It says how well
    a line fits these sizes, not what other draws of the problem would give: see `slopes`.

    Args:
        parameters: N of each size.
        values: positive; NaN where a replicate is missing.

    Returns:
        The fit; its interval is None for two sizes.

    Raises:
        ValueError: for values that are not positive, bad parameter counts, or fewer than two sizes.

    Source: Hägele et al. 2026, Section 3.2.2 and Figure 6.
    """
    x, y = _means(np.log, parameters, _log_of_positive(values))
    # Against −log N, so that the slope is the exponent.
    line = _least_squares(-x, y)
    return PowerLaw(line.slope, line.ci95, line.r2, float(np.exp(line.intercept)), 0.0, len(x))


def exponent_difference(
    parameters: Float[np.ndarray, " sizes"],
    first: Float[np.ndarray, "sizes replicates"],
    second: Float[np.ndarray, "sizes replicates"],
) -> ExponentDifference:
    """Return the exponent of `first` less that of `second`, measured on the same models.

    It is the exponent of their ratio, so what the two share cancels.

    Raises:
        ValueError: as `power_law` does.
    """
    ratio = power_law(parameters, np.exp(_log_of_positive(first) - _log_of_positive(second)))
    return ExponentDifference(ratio.exponent, ratio.ci95, ratio.sizes)


def linear_in_log_size(
    parameters: Float[np.ndarray, " sizes"], values: Float[np.ndarray, "sizes replicates"]
) -> LogSlope:
    """Fit a straight line in log10 N through each size's mean; the slope is per factor of ten.

    Raises:
        ValueError: for bad parameter counts or fewer than two sizes.
    """
    x, y = _means(np.log10, parameters, values)
    line = _least_squares(x, y)
    return LogSlope(line.slope, line.ci95, line.r2, line.intercept, len(x))


def power_law_with_offset(
    parameters: Float[np.ndarray, " sizes"], values: Float[np.ndarray, "sizes replicates"]
) -> PowerLaw:
    """Fit y = a·N^(−k) + c with k > 0 and c ≥ 0 by least squares in the logarithm.

    For a given k and ratio c/a the best a is known, so what is searched is a plane. The interval holds
    the exponents whose best fit is not worse than the best of all by an F-test (a profile interval):
    with few sizes it is wide, and often open towards large exponents, for a steep law with an offset
    looks much like a shallow one without.

    Returns:
        The fit; its interval is None for fewer than four sizes. Where every exponent of those searched,
        down to 0, is in the interval its lower end is 0; where it is open above, its upper end is None.

    Raises:
        ValueError: as `power_law` does, and for fewer than three sizes.

    Source: Hägele et al. 2026, Section 3.2.2, has no offset; Hoffmann et al. 2022 has.
    """
    x, y = _means(np.log, parameters, _log_of_positive(values))
    if len(x) < 3:
        raise ValueError(f"a law with an offset needs at least 3 sizes, got {len(x)}")
    centre = x.mean()
    profile = _Profile(x - centre, y)
    exponents = np.geomspace(EXPONENTS[0], EXPONENTS[1], 120)
    misfits = np.asarray([profile.at(exponent)[0] for exponent in exponents])
    best = int(np.argmin(misfits))
    low, high = exponents[max(best - 1, 0)], exponents[min(best + 1, len(exponents) - 1)]
    fine = optimize.minimize_scalar(
        lambda exponent: profile.at(exponent)[0], bounds=(low, high), method="bounded"
    )
    exponent = float(fine.x) if fine.fun <= misfits[best] else float(exponents[best])
    least, log_ratio = profile.at(exponent)
    shape = np.logaddexp(-exponent * profile.x, log_ratio)
    scale = np.exp((y - shape).mean())
    return PowerLaw(
        exponent,
        _profile_interval(profile, exponent, exponents, misfits) if len(x) > 3 else None,
        _r2(y, least),
        float(scale * np.exp(exponent * centre)),
        float(scale * np.exp(log_ratio)),
        len(x),
    )


@dataclass(frozen=True)
class _Profile:
    """The least misfit of y = log(a·(N^(−k) + c/a)) at any exponent k, over a and c/a."""

    x: Float[np.ndarray, " sizes"]  # log N, centred
    y: Float[np.ndarray, " sizes"]

    def misfit(
        self, exponent: float, log_ratios: Float[np.ndarray, " ratios"]
    ) -> Float[np.ndarray, " ratios"]:
        """Return the sum of squares at each log of c/a, a being the best there."""
        residual = self.y - np.logaddexp(-exponent * self.x, log_ratios[:, None])
        return ((residual - residual.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)

    def at(self, exponent: float) -> tuple[float, float]:
        """Return the least misfit at an exponent, and the log ratio that has it."""
        ratios = np.concatenate([[-np.inf], np.linspace(-12, 12, 97)])
        coarse = self.misfit(exponent, ratios)
        best = int(np.argmin(coarse))
        low, high = ratios[max(best - 1, 1)], ratios[min(best + 1, len(ratios) - 1)]
        fine = optimize.minimize_scalar(
            lambda ratio: self.misfit(exponent, np.asarray([ratio]))[0],
            bounds=(low, high),
            method="bounded",
        )
        return min((float(coarse[best]), float(ratios[best])), (float(fine.fun), float(fine.x)))


def _profile_interval(
    profile: _Profile,
    exponent: float,
    exponents: Float[np.ndarray, " searched"],
    misfits: Float[np.ndarray, " searched"],
) -> Interval:
    """Return the exponents whose misfit an F-test does not tell from the least; an open side is 0 or None."""
    freedom = len(profile.x) - 3
    # Rounding keeps an exact fit from shutting its own interval.
    limit = max(profile.at(exponent)[0], 1e-20) * (1 + stats.f.ppf(LEVEL, 1, freedom) / freedom)

    def excess(k: float) -> float:
        return profile.at(k)[0] - limit

    def edge(inner: float, outer: float) -> float:
        """Return where the misfit crosses the limit: at once, where the fit is exact."""
        return float(inner if excess(inner) >= 0 else optimize.brentq(excess, inner, outer))

    inside = np.flatnonzero(misfits <= limit)
    best = int(np.argmin(misfits))
    lower, upper = (inside[0], inside[-1]) if len(inside) else (best, best)
    return Interval(
        0.0 if lower == 0 else edge(min(exponent, exponents[lower]), exponents[lower - 1]),
        None
        if upper == len(exponents) - 1
        else edge(max(exponent, exponents[upper]), exponents[upper + 1]),
    )


def slopes(
    x: Float[np.ndarray, " sizes"], y: Float[np.ndarray, "*draws sizes"]
) -> Float[np.ndarray, "*draws"]:
    """Return the slope of the least-squares line through each draw's values.

    Raises:
        ValueError: for fewer than two different x.
    """
    if len(np.unique(x)) < 2:
        raise ValueError(f"a line needs at least 2 sizes, got {len(np.unique(x))}")
    centred = x - x.mean()
    return np.asarray(y @ centred / (centred @ centred))


def curvatures(
    x: Float[np.ndarray, " sizes"], y: Float[np.ndarray, "*draws sizes"]
) -> Float[np.ndarray, "*draws"]:
    """Return the quadratic coefficient of the least-squares parabola through each draw's values.

    Of log y against log N it is 0 for a power law, and positive where the law has a floor. Judged by
    Student's t over draws, a law of exponent 0.3 whose floor is its value at the largest of four sizes
    (3k to 83k) is rejected in 49, 79 and 100 % for 3, 4 and 8 draws whose log losses vary by 0.01 about
    the law, in 19, 33 and 71 % for 0.02, and in 7, 10 and 18 % for 0.05; a plain law in 5 % throughout.

    Raises:
        ValueError: for fewer than three different x.
    """
    if len(np.unique(x)) < 3:
        raise ValueError(f"a parabola needs at least 3 sizes, got {len(np.unique(x))}")
    centred = x - x.mean()
    line = np.stack([np.ones_like(centred), centred], axis=1)
    # What of x² no line explains; the coefficient is the slope along it.
    square = centred**2 - line @ np.linalg.lstsq(line, centred**2, rcond=None)[0]
    return np.asarray(y @ square / (square @ square))


def gamma_exponents(
    x: Float[np.ndarray, " sizes"], y: Float[np.ndarray, "*many draws sizes"], steps: int = 500
) -> Float[np.ndarray, "*many"]:
    """Return the exponent k of E[y] = a·exp(−k·x), one k for all draws and an a for each.

    The Gamma model with a log link: it weighs each value by its relative deviation from the law, and so
    is about means. The mean of logarithms is not: where few starts hold the error, and fewer at larger
    sizes, most values lie below their mean and the slope of their logarithms is too steep. In a
    simulation of 512 starts, 5 % of which stray at the smallest of four sizes and fewer at larger ones in
    proportion to N^−1.03, the slopes of logarithms have the mean 1.69 and this exponent 1.23.

    Args:
        x: of each size, such as log N.
        y: positive.
        steps: of Fisher scoring, at most.

    Raises:
        ValueError: for fewer than two different x, or values that are not positive.

    Source: McCullagh and Nelder 1989, Chapter 8.
    """
    if not (np.isfinite(y) & (y > 0)).all():
        raise ValueError("a Gamma model needs positive values")
    slope = slopes(x, np.log(y)).mean(axis=-1)
    centred = x - x.mean()
    level = np.log(y).mean(axis=-1)
    for _ in range(steps):
        # The expected information is diagonal, for x is centred.
        off = y * np.exp(-level[..., None] - slope[..., None, None] * centred) - 1
        moves = off.mean(axis=-1), (off @ centred).mean(axis=-1) / (centred @ centred)
        level, slope = level + np.clip(moves[0], -1, 1), slope + np.clip(moves[1], -0.5, 0.5)
        if max(np.abs(move).max() for move in moves) < 1e-10:
            break
    return np.asarray(-slope)


@dataclass(frozen=True)
class _Line:
    slope: float
    intercept: float
    ci95: Interval | None
    r2: float | None


def _least_squares(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> _Line:
    # By hand: SciPy's linregress has no standard error where y is constant.
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    intercept = float(y.mean() - slope * x.mean())
    misfit = float(((y - intercept - slope * x) ** 2).sum())
    ci95: Interval | None = None
    if len(x) > 2:
        error = np.sqrt(misfit / (len(x) - 2) / spread)
        half = float(stats.t.ppf((1 + LEVEL) / 2, len(x) - 2) * error)
        ci95 = Interval(slope - half, slope + half)
    return _Line(slope, intercept, ci95, _r2(y, misfit))


def _r2(y: Float[np.ndarray, " n"], misfit: float) -> float | None:
    """Return the share of the variation that is explained, None where it says nothing."""
    total = float(((y - y.mean()) ** 2).sum())
    return 1 - misfit / total if total > 0 and len(y) > 2 else None


def _means(
    scale: Callable[[np.ndarray], np.ndarray],
    parameters: Float[np.ndarray, " sizes"],
    values: Float[np.ndarray, "sizes replicates"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the scaled N, and the mean over replicates, of each size that has any.

    The values are expected on the scale on which they are to be averaged.
    """
    if values.ndim != 2 or len(values) != len(parameters):
        raise ValueError(
            f"values must be sizes × replicates for {len(parameters)} sizes, got the shape {values.shape}"
        )
    if not (np.isfinite(parameters) & (parameters > 0)).all():
        raise ValueError(f"parameter counts must be positive and finite, got {parameters.tolist()}")
    present = ~np.isnan(values).all(axis=1)
    if len(np.unique(parameters[present])) < 2:
        raise ValueError(
            f"a fit needs at least 2 sizes with values, got {len(np.unique(parameters[present]))}"
        )
    return scale(parameters[present]), np.nanmean(values[present], axis=1)


def _log_of_positive(values: Float[np.ndarray, "sizes replicates"]) -> np.ndarray:
    bad = np.argwhere(~(np.isnan(values) | ((values > 0) & np.isfinite(values))))
    if len(bad):
        size, *replicate = bad[0]
        raise ValueError(
            f"a power law needs positive values, got {values[tuple(bad[0])]} for size {size}"
            + (f", replicate {replicate[0]}" if replicate else "")
        )
    return np.log(values)
