"""Where rollouts end: places and seams against plain loops, the split against the kernels."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sweeps import made_sweep, read

from hotmess_jax.documents import to_json
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.draws import draws_of
from hotmess_jax.synthetic.ends import (
    PLACES_KEPT,
    SEAMS,
    Ends,
    ends,
    grouped,
    seam_shares,
    seams,
)
from hotmess_jax.synthetic.ends_by_size import ends_by_size, on_seams
from hotmess_jax.synthetic.quadratic import Quadratic, random_quadratic
from hotmess_jax.synthetic.study.ends_figure import ends_of_rollouts, first_draw
from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.report import report
from kernels.decompositions import squared_error

CODEC = FloatCodec(3)
PROBLEM = random_quadratic(jax.random.key(0), 2, 50.0)
B = np.asarray(PROBLEM.b, np.float64)


def numeral(value, precision):
    """Sign, exponent and digits as Python writes them; `value` is a float32."""
    mantissa, _, exponent = f"{abs(float(value)):.{precision}e}".partition("e")
    if int(exponent) < -9:  # below what one digit of exponent can say
        digits = f"{abs(float(value)) * 1e9:.{precision}f}"
        return ["-" if value < 0 else "+", 9, *digits.replace(".", "")]
    return ["-" if value < 0 else "+", -int(exponent), *mantissa.replace(".", "")]


def seam_by_hand(x, reach, precision):
    coarsest = len(SEAMS) - 1
    for coordinate in np.asarray(x, np.float32):
        sides = [numeral(np.float32(coordinate + np.float32(s * reach)), precision) for s in (-1, 1)]
        for place, (one, other) in enumerate(zip(*sides, strict=True)):
            if one != other:
                coarsest = min(coarsest, place)
                break
    return coarsest


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=2),
    st.sampled_from([0.0, 1e-3, 0.02, 0.05, 0.3]),
    st.sampled_from([1, 3, 4]),
)
def test_a_seam_is_where_the_numerals_on_both_sides_differ(x, reach, precision):
    found = seams(FloatCodec(precision), np.asarray([x], np.float32), np.float32(reach).item())
    assert found[0] == seam_by_hand(x, np.float32(reach), precision)


@pytest.mark.parametrize(
    ("x", "name"),
    [
        ((0.01, 5.55), "sign"),
        ((0.98, 5.55), "exponent"),
        ((2.97, 5.55), "first digit"),
        ((2.41, 5.55), "second digit"),
        ((2.455, 5.555), "finer"),
    ],
)
def test_seams_have_the_names_of_what_changes(x, name):
    shares = seam_shares(CODEC, np.asarray([x, x]), 0.04)
    assert shares == {seam: float(seam == name) for seam in SEAMS}
    assert on_seams(shares) == (name in ("sign", "exponent"))
    assert seam_shares(CODEC, np.zeros((0, 2)), 0.04) is None and on_seams(None) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 3))
def test_groups_are_what_a_walk_from_point_to_point_reaches(seed, count, dimension):
    x = np.random.default_rng(seed).uniform(0, 1, (count, dimension)).round(1)
    reach = 0.15
    left, groups = set(range(count)), []
    while left:
        waiting, group = [min(left)], set()
        while waiting:
            at = waiting.pop()
            if at in left:
                left.remove(at)
                group.add(at)
                waiting += [o for o in left if np.linalg.norm(x[o] - x[at]) <= reach]
        groups.append(group)
    groups.sort(key=lambda group: (-len(group), min(group)))
    labels = grouped(x, reach)
    assert [set(np.flatnonzero(labels == k)) for k in range(len(groups))] == groups


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 100]))
def test_the_parts_are_those_of_the_whole_split(seed, count):
    random = np.random.default_rng(seed)
    last = B + random.choice([0.0, 0.4, -0.7], (count, 1)) + random.normal(0, 0.02, (count, 2))
    wander = random.choice([0.01, 2.0], count, p=[0.9, 0.1])
    found = ends(PROBLEM, CODEC, last, wander, 0.05, 0.25)
    split = squared_error(last.astype(np.float32), PROBLEM.b, PROBLEM.A)
    np.testing.assert_allclose(found.bias2, split.bias2, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.between + found.within, split.variance, rtol=1e-3, atol=1e-6)
    assert sum(place.share for place in found.places) + found.other + found.unsettled == pytest.approx(
        1
    )
    if not found.unsettled and found.count <= PLACES_KEPT:
        for part in ("bias2", "between", "within"):
            assert sum(getattr(p, part) for p in found.places) == pytest.approx(getattr(found, part))


def test_planted_places_are_found():
    random = np.random.default_rng(0)
    wrong, other = np.asarray([0.0, -0.4]) + B * [0, 1], np.asarray([2.55, 2.55])
    centres = np.repeat([B, wrong, other], [60, 30, 10], axis=0)
    last = centres + random.uniform(-0.01, 0.01, (100, 2))
    wander = np.zeros(100)
    wander[-2:] = 9.0
    found = ends(PROBLEM, CODEC, last, wander, 0.05, 0.25, points=100)
    assert [round(place.share, 2) for place in found.places] == [0.6, 0.3, 0.08]
    assert [place.arrived for place in found.places] == [True, False, False]
    assert found.unsettled == 0.02 and found.strayed_settled == pytest.approx(38 / 40)
    assert found.places[1].seam == "sign" and found.seams_strayed["sign"] == pytest.approx(30 / 38)
    np.testing.assert_allclose(found.places[2].centre, other, atol=0.01)
    _, eigenvectors = np.linalg.eigh(np.asarray(PROBLEM.A, np.float64))
    for place in found.places:
        along = (np.asarray(place.centre) - B) @ eigenvectors
        np.testing.assert_allclose(place.along, along, atol=1e-9)
    # One wrong place that holds all is bias; two that share them are variance.
    one = ends(PROBLEM, CODEC, np.tile(wrong, (50, 1)), np.zeros(50), 0.05, 0.25)
    assert one.between == pytest.approx(0) and one.within == pytest.approx(0) and one.bias2 > 0
    two = ends(PROBLEM, CODEC, np.tile([[2.0, 0], [-2.0, 0]], (50, 1)) + B, np.zeros(100), 0.05, 0.25)
    assert two.bias2 == pytest.approx(0, abs=1e-12) and two.between > 0
    assert found.place_of_points[-1] == -2 and found.place_of_points[0] == 0
    assert to_json(Ends, found)["places"][0]["share"] == found.places[0].share


def test_ends_of_no_start_are_refused():
    with pytest.raises(ValueError, match="no start"):
        ends(PROBLEM, CODEC, np.zeros((0, 2)), np.zeros(0), 0.05, 0.25)


def test_ends_over_draws_are_those_of_the_models():
    sweep = made_sweep(draws=4, sizes=("3k", "6k", "25k"))
    random = np.random.default_rng(1)
    expected = []
    for draw, problem in enumerate(sweep["problems"]):
        quadratic = Quadratic(*(np.asarray(problem[name], np.float32) for name in ("A", "b")))
        b = np.asarray(problem["b"])
        problem["seams_teacher"] = {seam: 0.0 for seam in SEAMS} | {"sign": 0.1 * draw, "finer": 0.4}
        for model in sweep["models"]:
            if model["problem"] == draw and model["size"] != "25k":
                # A tenth of the starts at a place on a seam, more of them in 3k; the others at b.
                wrong = 40 if model["size"] == "3k" else 20
                last = np.tile(b, (200, 1)) + random.uniform(-1e-3, 1e-3, (200, 2))
                last[:wrong] = [5.55, 0.001]
                found = ends(quadratic, CODEC, last, np.zeros(200), 0.05, 0.25)
                model["ends"] = to_json(Ends, found)
                if model["size"] == "3k":
                    expected.append(1 - 0.1 * draw)
    whole = read(sweep)
    draws = draws_of(whole)
    small, large = ends_by_size(draws)
    assert (small.name, large.name) == ("3k", "6k")
    assert small.arrived == pytest.approx((0.8,) * 4) and large.largest_wrong == pytest.approx(
        (0.1,) * 4
    )
    assert small.places == 2 and small.strayed_settled == 1 and small.on_seams == 1
    assert small.on_seams_teacher == pytest.approx(0.15) and 0.99 < small.between < 1
    assert small.excess.value == pytest.approx(np.mean(expected)) and small.excess.count == 4
    half = 3.182446 * np.std(expected, ddof=1) / 2
    np.testing.assert_allclose(list(small.excess.ci95), np.mean(expected) + np.array([-half, half]))
    written = report(conclude(whole))
    assert "## Where rollouts end" in written and "| 3k | 80.0% |" in written
    figure = ends_of_rollouts(np.asarray(sweep["problems"][0]["A"]), np.asarray(sweep["problems"][0]["b"]),
                              first_draw(whole.models))  # fmt: skip
    assert [axes.get_title() for axes in figure.axes] == [
        "3k: 80% at b, 2 places",
        "6k: 90% at b, 2 places",
    ]
    for axes in figure.axes:  # both places are inside
        (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert low < 5.55 < high and bottom < 0.001 < top
    assert "## Where rollouts end" not in report(conclude(read(made_sweep())))


def test_ends_in_four_dimensions_are_drawn_projected():
    problem = random_quadratic(jax.random.key(1), 4, 50.0)
    last = np.asarray(problem.b) + np.random.default_rng(0).normal(0, 0.3, (50, 4))
    found = ends(problem, CODEC, last, np.zeros(50), 0.05, 0.25)
    figure = ends_of_rollouts(np.asarray(problem.A), np.asarray(problem.b), {"47k": found})
    (axes,) = figure.axes
    eigenvectors = np.linalg.eigh(np.asarray(problem.A))[1]
    drawn = np.concatenate([line.get_xydata() for line in axes.lines if line.get_label() != "minimum"])
    projected = (last - np.asarray(problem.b)) @ eigenvectors[:, :2]
    nearest = np.abs(drawn[:, None] - projected[None]).max(axis=-1).min(axis=1)
    assert len(drawn) == 50 and nearest.max() < 1e-4
