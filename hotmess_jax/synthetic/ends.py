"""Where rollouts end: the places that attract them, and whether a numeral changes there.

What strays seldom wanders: most of it comes to rest at a few wrong places. One wrong place that holds all
starts is bias, several are variance, so the split of the error is also one of places.
"""

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from hotmess_jax.documents import Exact
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.quadratic import Quadratic
from kernels.arrays import AnyArray

# What a numeral changes in, the coarsest first; `finer` is the third digit or one after it, or nothing.
Seam = Literal["sign", "exponent", "first digit", "second digit", "finer"]
SEAMS: tuple[Seam, ...] = ("sign", "exponent", "first digit", "second digit", "finer")
SETTLED_STEPS = 5  # a start that stays within so many step norms of its end has settled
PLACES_KEPT = 12  # in a result; what ends at others is counted together


@dataclass(frozen=True, slots=True)
class Place(Exact):
    """Where several rollouts came to rest: ends that are linked by less than a step norm."""

    share: float  # of the starts
    error_share: float  # of the error
    bias2: float  # its part of bias²; the parts add up to the whole
    between: float  # its part of the variance between places
    within: float  # its part of the variance within places
    centre: tuple[float, ...]
    along: tuple[float, ...]  # of centre − b, in each eigen-direction, eigenvalues ascending
    arrived: bool  # near the minimum
    seam: Seam  # the coarsest change of a numeral within a step norm of the centre


@dataclass(frozen=True, slots=True)
class Ends(Exact):
    """Where a model's rollouts ended.

    Shares of the starts; parts of bias² and variance, which add up to the model's own.
    """

    places: tuple[Place, ...]  # those that hold most starts, in that order
    count: int  # of places in all
    other: float  # share of the starts at places that are not listed
    unsettled: float  # share of the starts that still moved
    # Share of the strayed starts that have settled; None where none strayed.
    strayed_settled: float | None
    bias2: float
    between: float
    within: float
    # Shares by the coarsest change of a numeral within a step norm, of the ends of starts that strayed and
    # settled, and of starts that arrived; None where there is none.
    seams_strayed: dict[str, float] | None
    seams_arrived: dict[str, float] | None
    points: tuple[tuple[float, ...], ...]  # some starts' ends, for figures
    place_of_points: tuple[int, ...]  # in `places`; −1 for another place, −2 for unsettled


def seams(
    codec: FloatCodec, x: Float[AnyArray, "points d"], reach: float
) -> Int[np.ndarray, " points"]:
    """Return the coarsest change of a numeral within a reach of each point, in any coordinate.

    A coordinate's numerals at x − reach and x + reach are compared from the left: the first token in which
    they differ says what changes in between.

    Args:
        codec: the numbers' encoding.
        x: points.
        reach: in units of x.

    Returns:
        Indices into `SEAMS`.
    """
    x = np.asarray(x, np.float32)
    low, high = (np.asarray(_encode(codec, x + side)).reshape(*x.shape, -1) for side in (-reach, reach))
    differs = low != high
    first = np.where(differs.any(axis=-1), differs.argmax(axis=-1), len(SEAMS) - 1)
    found: Int[np.ndarray, " points"] = np.minimum(first, len(SEAMS) - 1).min(axis=-1)
    return found


@functools.partial(jax.jit, static_argnames="codec")
def _encode(codec: FloatCodec, x: Float[AnyArray, "points d"]) -> Int32[Array, "points tokens"]:
    return codec.encode(x)


def seam_shares(
    codec: FloatCodec, x: Float[AnyArray, "points d"], reach: float
) -> dict[str, float] | None:
    """Return the share of the points at each kind of seam, None where there is no point."""
    return _shares(seams(codec, x, reach)) if len(x) else None


def _shares(found: Int[np.ndarray, " points"]) -> dict[str, float] | None:
    counts = np.bincount(found, minlength=len(SEAMS))
    if not len(found):
        return None
    return {name: float(count) / len(found) for name, count in zip(SEAMS, counts, strict=True)}


def grouped(x: Float[AnyArray, "points d"], reach: float) -> Int[np.ndarray, " points"]:
    """Return which group each point belongs to: points nearer than a reach are of one, and so on along.

    Groups are numbered by size, the largest 0; of equal ones the one with the earliest point comes first.
    """
    x = np.asarray(x, np.float64)
    if not len(x):
        return np.zeros(0, np.int64)
    near = KDTree(x).sparse_distance_matrix(KDTree(x), reach, output_type="coo_matrix")
    near.data[:] = 1  # a distance of 0 would be no link
    _, labels = connected_components(near, directed=False)
    sizes = np.bincount(labels)
    firsts = np.unique(labels, return_index=True)[1]
    rank = np.empty(len(sizes), np.int64)
    rank[np.lexsort((firsts, -sizes))] = np.arange(len(sizes))
    found: Int[np.ndarray, " points"] = rank[labels]
    return found


class _PlaceSplit(NamedTuple):
    """Each place's share of the starts and of the error, its parts of bias² and variance, and its centre."""

    share: Float[np.ndarray, " places"]
    error_share: Float[np.ndarray, " places"]
    bias2: Float[np.ndarray, " places"]
    between: Float[np.ndarray, " places"]
    within: Float[np.ndarray, " places"]
    centres: Float[np.ndarray, "places d"]


def _places_of(
    last: Float[np.ndarray, "starts d"], settled: Bool[np.ndarray, " starts"], step_norm: float
) -> tuple[Int[np.ndarray, " starts"], int]:
    """Return each end's place, and how many there are; what has not settled has one of its own after these."""
    place = np.empty(len(last), np.int64)
    place[settled] = grouped(last[settled], step_norm)
    count = int(place[settled].max()) + 1 if settled.any() else 0
    place[~settled] = count + np.arange((~settled).sum())
    return place, count


def _split_by_place(
    A: Float[np.ndarray, "d d"],
    b: Float[np.ndarray, " d"],
    last: Float[np.ndarray, "starts d"],
    place: Int[np.ndarray, " starts"],
) -> _PlaceSplit:
    """Split bias² and variance of ends exactly into places, each end's given; the parts add up to the whole."""
    share = np.bincount(place) / len(last)
    centres = np.stack([np.bincount(place, x) for x in last.T], axis=-1) / (share * len(last))[:, None]
    mean = last.mean(axis=0)

    def norm(v: np.ndarray) -> np.ndarray:
        return np.einsum("...i,ij,...j->...", v, A, v)

    errors = norm(last - b)
    return _PlaceSplit(
        share,
        np.bincount(place, errors) / errors.sum() if errors.sum() > 0 else 0 * share,
        share * np.einsum("ki,ij,j->k", centres - b, A, mean - b),
        share * norm(centres - mean),
        np.bincount(place, norm(last - centres[place])) / len(last),
        centres,
    )


def _listed(
    split: _PlaceSplit,
    kept: int,
    seam: Int[np.ndarray, " listed"],
    b: Float[np.ndarray, " d"],
    eigenvectors: Float[np.ndarray, "d d"],
    radius: float,
) -> tuple[Place, ...]:
    """Return the places that hold most starts."""
    return tuple(
        Place(
            float(split.share[k]),
            float(split.error_share[k]),
            float(split.bias2[k]),
            float(split.between[k]),
            float(split.within[k]),
            tuple(centre.tolist()),
            tuple(((centre - b) @ eigenvectors).tolist()),
            bool(np.linalg.norm(centre - b) <= radius),
            SEAMS[seam[k]],
        )
        for k, centre in enumerate(split.centres[:kept])
    )


def ends(
    problem: Quadratic,
    codec: FloatCodec,
    last: Float[AnyArray, "starts d"],
    wander: Float[AnyArray, " starts"],
    step_norm: float,
    radius: float,
    points: int = 200,
) -> Ends:
    """Tell where rollouts ended, and split bias² and variance into between and within those places.

    Args:
        problem: whose minimum and norm are meant.
        codec: of the numbers.
        last: each start's end.
        wander: how far each start was from its end, at most, over the last steps.
        step_norm: the teacher's; the scale on which ends belong together.
        radius: further than this from b, in units of x, a start has strayed.
        points: ends to keep, of the first starts.

    Raises:
        ValueError: where there is no start.
    """
    last, wander = np.asarray(last, np.float64), np.asarray(wander, np.float64)
    if not len(last):
        raise ValueError("ends of no start")
    A, b = (np.asarray(part, np.float64) for part in (problem.A, problem.b))
    strayed: Bool[np.ndarray, " starts"] = np.linalg.norm(last - b, axis=-1) > radius
    settled = wander <= SETTLED_STEPS * step_norm
    group, count = _places_of(last, settled, step_norm)
    split = _split_by_place(A, b, last, group)
    kept = min(count, PLACES_KEPT)
    # Of one shape whatever is found, so that the codec is compiled once.
    padded = np.resize(split.centres[: max(kept, 1)], (PLACES_KEPT, last.shape[1]))
    seam, seam_of_ends = seams(codec, padded, step_norm), seams(codec, last, step_norm)
    places = _listed(split, kept, seam, b, np.linalg.eigh(A)[1], radius)
    shown = np.where(settled, np.where(group < kept, group, -1), -2)[:points]
    return Ends(
        places,
        count,
        float(split.share[kept:count].sum()),
        float((~settled).mean()),
        float(settled[strayed].mean()) if strayed.any() else None,
        float(split.bias2.sum()),
        float(split.between.sum()),
        float(split.within.sum()),
        _shares(seam_of_ends[strayed & settled]),
        _shares(seam_of_ends[~strayed]),
        tuple(tuple(round(v, 5) for v in row) for row in last[:points].tolist()),
        tuple(shown.tolist()),
    )
