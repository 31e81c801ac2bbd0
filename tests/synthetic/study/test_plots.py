"""The figures show the numbers that they are given, and are written whole and reproducibly."""

import os

import matplotlib
import numpy as np
import pytest

from hotmess_jax.presentation import plotting
from hotmess_jax.synthetic.study import plots

pytestmark = pytest.mark.filterwarnings("error")

NAMES = ["47k", "200k", "450k", "790k", "1.2M", "4.7M"]
PARAMETERS = np.array([4.7e4, 2e5, 4.5e5, 7.9e5, 1.2e6, 4.7e6])
POINTS = 40


def positive(*shape, seed=0):
    return np.exp(np.random.default_rng(seed).uniform(-9, 0, shape))


def curves(sizes=2, replicates=1, points=POINTS, seed=0):
    return {name: positive(replicates, points, seed=seed + i) for i, name in enumerate(NAMES[:sizes])}


def teachers(points=POINTS, draws=1):
    return positive(draws, points, seed=90), positive(draws, points, seed=91)


def levels(*values):
    return tuple(np.asarray([value]) for value in values)


def problem(d):
    rng = np.random.default_rng(d)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return Q * np.geomspace(0.02, 1, d) @ Q.T, rng.normal(size=d)


def line(axes, label):
    """Return the data of the one line of that label."""
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def draw(figure):
    """Draw it in full, and return its panels."""
    figure.draw_without_rendering()
    return figure.axes


def trajectory(values, d=2):
    A, b = problem(d)
    path = np.resize(values, (POINTS, d))
    return plots.trajectory(A, b, {"47k": path}, positive(POINTS, d))


def bias2_variance_by_size(table):
    return plots.bias2_variance_by_size(
        PARAMETERS[: len(table)], table, table, {}, levels(0.0, 1.0), levels(0.1, 0.2)
    )


def final_incoherence_by_size(table):
    ci95 = np.stack([table[:, 0] / 2, table[:, -1]], axis=-1)
    return plots.final_incoherence_by_size(
        PARAMETERS[: len(table)], table, ci95, *levels(0.9, 0.8), each="draws"
    )


def by_step(table):
    both = teachers(table.shape[1])
    return plots.bias2_variance_by_step(plots.Both({"47k": table}, {"47k": table}, both, both))


def by_eigen_direction(table):
    both = teachers(table.shape[1])
    return plots.by_eigen_direction(
        np.arange(1.0, 1 + table.shape[1]), plots.Both({"47k": table}, {"47k": table}, both, both)
    )


# Each figure from one table, whatever its axes mean there.
FIGURES = {
    "trajectory": trajectory,
    "trajectory, d = 1": lambda table: trajectory(table, 1),
    "trajectory, d = 4": lambda table: trajectory(table, 4),
    "loss_by_size": lambda table: plots.loss_by_size(PARAMETERS[: len(table)], table),
    "bias2_variance_by_size": bias2_variance_by_size,
    "incoherence_by_step": lambda t: plots.incoherence_by_step({"47k": t}, *teachers(t.shape[1])),
    "final_incoherence_by_size": final_incoherence_by_size,
    "bias2_variance_by_step": by_step,
    "value_along_start": lambda t: plots.value_along_start(
        {"47k": t[0]}, *(curve[0] for curve in teachers(t.shape[1]))
    ),
    "by_eigen_direction": by_eigen_direction,
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "table",
    [
        np.array([[1e-3, 0.5], [np.nan, np.nan]]),
        np.full((2, 2), np.nan),
        np.array([[0.0, 0.5], [0.0, 1e-45]]),
        np.zeros((1, 2)),
        np.array([[0.25]]),
        np.array([[np.inf, 0.5], [0.1, -np.inf]]),
    ],
    ids=["a failed replicate", "all failed", "tiny", "zeros", "one number", "infinite"],
)
def test_odd_numbers_are_drawn_without_a_warning_and_the_style_is_put_back(name, table):
    before = dict(matplotlib.rcParams)
    panels = draw(FIGURES[name](table))
    for axes in panels:
        limits = np.array([axes.get_xlim(), axes.get_ylim()])
        assert np.isfinite(limits).all() and (limits[:, 0] < limits[:, 1]).all()
        if axes.get_yscale() == "log":
            assert limits[1, 0] > 0
            # Ten decades and the margins.
            assert np.log10(limits[1, 1] / limits[1, 0]) < plots.DECADES * 1.11
    assert dict(matplotlib.rcParams) == before


def test_a_path_in_the_plane_is_drawn_where_it_is():
    A, b = problem(2)
    path, teacher = positive(POINTS, 2), positive(POINTS, 2, seed=1)
    (axes,) = draw(plots.trajectory(A, b, {"47k": path}, teacher))
    np.testing.assert_allclose(line(axes, "47k"), path.T, rtol=1e-12)
    np.testing.assert_allclose(line(axes, "teacher"), teacher.T, rtol=1e-12)
    np.testing.assert_allclose(np.ravel(line(axes, "minimum")), b)
    np.testing.assert_allclose(np.ravel(line(axes, "start")), teacher[0])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x₁", "x₂")


def test_a_path_in_space_is_projected_on_the_extreme_eigenvectors():
    A, b = problem(4)
    eigenvalues, eigenvectors = np.linalg.eigh(A)
    coordinates = positive(POINTS, 4)
    path = b + coordinates @ eigenvectors.T
    (axes,) = draw(plots.trajectory(A, b, {"47k": path}, path))
    np.testing.assert_allclose(line(axes, "47k"), coordinates[:, [0, 3]].T, atol=1e-12)
    assert f"{eigenvalues[0]:.2g} (least)" in axes.get_xlabel()
    assert f"{eigenvalues[3]:.2g} (greatest)" in axes.get_ylabel()


@pytest.mark.parametrize("d", [2, 3])
def test_the_contours_are_level_sets_of_the_quadratic(d):
    A, b = problem(d)
    basis = np.eye(2) if d == 2 else np.linalg.eigh(A)[1][:, [0, -1]]
    (axes,) = plots.trajectory(A, b, {}, b + positive(POINTS, d)).axes
    (contours,) = axes.collections
    checked = 0
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        x = path.vertices @ basis.T + (0 if d == 2 else b)
        values = np.einsum("ni,ij,nj->n", x - b, A, x - b) / 2
        np.testing.assert_allclose(values, level, rtol=1e-2)
        checked += len(x)
    assert checked > 100


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_path_that_runs_away_does_not_squeeze_the_others(sign):
    A, b = problem(2)
    teacher = b + np.linspace(1, 0, POINTS)[:, None] * np.ones(2)
    (axes,) = draw(plots.trajectory(A, b, {"47k": b + sign * 1e6 * (teacher - b)}, teacher))
    assert np.ptp(axes.get_xlim()) < 5
    for limits, start, end in zip((axes.get_xlim(), axes.get_ylim()), teacher[0], b, strict=True):
        assert limits[0] < end < start < limits[1]


def test_the_loss_and_its_fit_are_drawn_as_given_on_logarithmic_axes():
    loss, fit = positive(6, 3), (PARAMETERS, PARAMETERS**-0.5)
    (axes,) = draw(plots.loss_by_size(PARAMETERS, loss, fit))
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    x, y = line(axes, "models, one of each replicate")
    np.testing.assert_array_equal(y, loss.ravel())
    np.testing.assert_array_equal(x, np.repeat(PARAMETERS, 3))  # none looks like a size of its own
    np.testing.assert_array_equal(line(axes, "power law"), fit)


def test_one_replicate_stands_at_its_size_and_no_fit_is_no_line():
    (axes,) = draw(plots.loss_by_size(PARAMETERS, positive(6, 1), None))
    assert len(axes.lines) == 1
    np.testing.assert_array_equal(line(axes, "model")[0], PARAMETERS)
    assert axes.get_xlabel() == "parameters"
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["47k", "200k", "450k", "", "1.2M", "4.7M"]


def test_axes_name_sizes_as_legends_do():
    exact = np.array([51_456.0, 200_448.0])
    (axes,) = draw(plots.loss_by_size(exact, positive(2, 1), names=["47k", "200k"]))
    assert [text.get_text() for text in axes.get_xticklabels()] == ["47k", "200k"]
    np.testing.assert_array_equal(axes.get_xticks(), exact)
    assert axes.get_xlabel() == "size, at its number of parameters"


def test_the_floor_of_the_loss_is_a_line_with_the_range_of_draws():
    floors = np.array([0.1, 0.2, 0.18])
    figure = plots.loss_by_size(PARAMETERS, 0.3 + positive(6, 3), floors=floors, each="draws")
    (axes,) = draw(figure)
    np.testing.assert_allclose(set(line(axes, "loss of a perfect model")[1]).pop(), floors.mean())
    (band,) = axes.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.1, 0.2))
    assert axes.get_ylim()[0] < 0.1
    assert "range of draws" in legend(figure)


def test_bias2_and_variance_by_size():
    bias2, variance = positive(6, 2), positive(6, 2, seed=1)
    fits = {"variance": (PARAMETERS, PARAMETERS**-0.5)}
    figure = plots.bias2_variance_by_size(
        PARAMETERS,
        bias2,
        variance,
        fits,
        levels(1e-6, 20.0),
        levels(1e-5, 2.0),
        {"variance": "0.5 [0.4, 0.6]"},
    )
    (axes,) = draw(figure)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(line(axes, "bias²")[1], bias2.ravel())
    np.testing.assert_array_equal(line(axes, "variance, exponent\n0.5 [0.4, 0.6]")[1], variance.ravel())
    shown = {
        "teacher: bias²": 1e-6,
        "teacher: variance": 20.0,
        "teacher, rounded: bias²": 1e-5,
        "teacher, rounded: variance": 2.0,
    }
    for label, level in shown.items():
        assert set(line(axes, label)[1]) == {level}
        assert axes.get_ylim()[0] < level < axes.get_ylim()[1]
    # A circle is bias², a square variance, for models and teachers.
    markers = {drawn.get_label(): drawn.get_marker() for drawn in axes.lines}
    for name in shown:
        whose = "bias²" if "bias²" in name else "variance, exponent\n0.5 [0.4, 0.6]"
        assert markers[name] == markers[whose]
    assert markers["bias²"] != markers["variance, exponent\n0.5 [0.4, 0.6]"]
    (fitted,) = [drawn for drawn in axes.lines if drawn.get_label().startswith("_")]
    np.testing.assert_array_equal(fitted.get_ydata(), fits["variance"][1])


@pytest.mark.parametrize("replicates", [1, 3])
def test_incoherence_by_step_is_the_mean_of_replicates_with_their_range(replicates):
    given, (teacher, codec_teacher) = curves(2, replicates), teachers()
    (axes,) = draw(plots.incoherence_by_step(given, teacher, codec_teacher))
    for name, values in given.items():
        x, y = line(axes, name)
        np.testing.assert_array_equal(x, np.arange(POINTS))
        np.testing.assert_allclose(y, values.mean(axis=0), rtol=1e-14)
    np.testing.assert_array_equal(line(axes, "teacher")[1], teacher[0])
    np.testing.assert_array_equal(line(axes, "teacher, rounded")[1], codec_teacher[0])
    assert axes.get_ylim() == (0, 1)
    # One a size, and the entry in the legend that says what they are.
    assert len(axes.collections) == (0 if replicates == 1 else 3)
    for band, values in zip(axes.collections, given.values(), strict=False):
        at = band.get_paths()[0].vertices
        at = at[at[:, 0] == 7][:, 1]
        assert (at.min(), at.max()) == (values[:, 7].min(), values[:, 7].max())


def test_several_draws_have_the_mean_of_their_teachers_and_a_band_of_their_range():
    teacher, codec_teacher = teachers(draws=3)
    figure = plots.incoherence_by_step(curves(1, 3), teacher, codec_teacher, each="draws")
    (axes,) = draw(figure)
    np.testing.assert_allclose(line(axes, "teacher")[1], teacher.mean(axis=0))
    at = axes.collections[1].get_paths()[0].vertices
    at = at[at[:, 0] == 7][:, 1]
    assert (at.min(), at.max()) == (teacher[:, 7].min(), teacher[:, 7].max())
    assert legend(figure)[-3:] == ["range of draws", "teacher", "teacher, rounded"]


def test_a_failed_replicate_leaves_the_mean_of_the_others():
    given = curves(1, 3)
    given["47k"][1] = np.nan
    (axes,) = draw(plots.incoherence_by_step(given, *teachers()))
    np.testing.assert_allclose(line(axes, "47k")[1], given["47k"][[0, 2]].mean(axis=0))


def test_the_interval_of_a_single_model_need_not_hold_its_estimate():
    values = positive(6, 1)
    ci95 = np.concatenate([values * 1.1, values * 1.2], axis=1)
    (axes,) = draw(plots.final_incoherence_by_size(PARAMETERS, values, ci95, *levels(0.9, 0.8)))
    x, y = line(axes, "model")
    np.testing.assert_array_equal(y, values.ravel())
    (intervals,) = axes.collections
    segments = np.array(intervals.get_segments())
    np.testing.assert_array_equal(segments[:, :, 0], np.stack([x, x], axis=1))
    np.testing.assert_array_equal(segments[:, :, 1], ci95)
    assert set(line(axes, "teacher")[1]) == {0.9}
    assert set(line(axes, "teacher, rounded")[1]) == {0.8}
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylim()) == ("log", "linear", (0, 1))


def test_final_incoherence_of_draws_has_the_interval_of_their_mean():
    values = positive(6, 3)
    ci95 = np.stack([values.min(axis=1), values.max(axis=1)], axis=1)
    teacher = np.array([0.7, 0.9, 0.8])
    figure = plots.final_incoherence_by_size(PARAMETERS, values, ci95, teacher, teacher, each="draws")
    (axes,) = draw(figure)
    x, y = line(axes, "models, one of each draw")
    np.testing.assert_array_equal(x, np.repeat(PARAMETERS, 3))
    np.testing.assert_array_equal(y, values.ravel())
    np.testing.assert_allclose(line(axes, "mean")[1], values.mean(axis=1))
    np.testing.assert_allclose(set(line(axes, "teacher")[1]).pop(), 0.8)
    assert "95 % over draws" in legend(figure)


def test_bias2_and_variance_have_a_panel_each_on_the_same_axes():
    bias2, variance = curves(3, 2), curves(3, 2, seed=10)
    teacher, codec_teacher = teachers(), teachers()[::-1]
    upper, lower = draw(
        plots.bias2_variance_by_step(plots.Both(bias2, variance, teacher, codec_teacher))
    )
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("bias²", "variance")
    assert upper.get_yscale() == lower.get_yscale() == "log"
    assert upper.get_ylim() == lower.get_ylim()
    for axes, given, i in ((upper, bias2, 0), (lower, variance, 1)):
        for name in given:
            geometric = np.sqrt(given[name][0] * given[name][1])
            np.testing.assert_allclose(line(axes, name)[1], geometric, rtol=1e-12)
        np.testing.assert_array_equal(line(axes, "teacher")[1], teacher[i][0])
        np.testing.assert_array_equal(line(axes, "teacher, rounded")[1], codec_teacher[i][0])


@pytest.mark.parametrize("d", [1, 2, 8, 40])
def test_eigen_directions_stand_in_order_beneath_their_eigenvalues(d):
    eigenvalues = np.geomspace(0.02, 1, d)
    bias2, variance = curves(6, 1, d), curves(6, 1, d, seed=10)
    teacher = teachers(d)
    upper, lower = draw(
        plots.by_eigen_direction(eigenvalues, plots.Both(bias2, variance, teacher, teacher))
    )
    for axes, given, i in ((upper, bias2, 0), (lower, variance, 1)):
        x, y = line(axes, "4.7M")
        np.testing.assert_array_equal(x, np.arange(d))
        np.testing.assert_array_equal(y, given["4.7M"][0])
        np.testing.assert_array_equal(line(axes, "teacher")[1], teacher[i][0])
        assert axes.get_yscale() == "log"
    labels = {
        tick: text.get_text()
        for tick, text in zip(lower.get_xticks(), lower.get_xticklabels(), strict=True)
    }
    assert len(labels) == min(d, 8)
    assert all(text == f"{eigenvalues[int(tick)]:.2g}" for tick, text in labels.items())


@pytest.mark.parametrize("sizes", [1, 2, 3, 4, 5, 6])
def test_values_have_a_panel_a_size_with_both_teachers(sizes):
    values = {name: replicates[0] for name, replicates in curves(sizes).items()}
    teacher, codec_teacher = (curve[0] for curve in teachers())
    panels = draw(plots.value_along_start(values, teacher, codec_teacher, window=1))
    assert [axes.get_title() for axes in panels] == NAMES[:sizes]
    for axes, (name, value) in zip(panels, values.items(), strict=True):
        np.testing.assert_array_equal(line(axes, name)[1], value)
        np.testing.assert_array_equal(line(axes, "teacher")[1], teacher)
        np.testing.assert_array_equal(line(axes, "teacher, rounded")[1], codec_teacher)
        assert (axes.get_yscale(), axes.get_ylim()) == ("log", panels[0].get_ylim())


def test_values_are_averaged_over_a_window_that_narrows_on_both_sides_alike():
    value = np.asarray([1.0, 4.0, 1.0, 2.0, 6.0, 3.0])
    (axes,) = draw(plots.value_along_start({"47k": value}, value, 2 * value, window=5))
    expected = [1.0, (1 + 4 + 1) / 3, (1 + 4 + 1 + 2 + 6) / 5, (4 + 1 + 2 + 6 + 3) / 5, 11 / 3, 3.0]
    np.testing.assert_allclose(line(axes, "47k")[1], expected)
    np.testing.assert_allclose(line(axes, "teacher, rounded")[1], 2 * line(axes, "47k")[1])


def test_a_straight_descent_has_no_kinks_at_its_ends():
    value = np.linspace(5.0, 1.0, 30)
    (axes,) = draw(plots.value_along_start({"47k": value}, value, value, window=9))
    np.testing.assert_allclose(line(axes, "47k")[1], value)


def test_sizes_are_told_apart_without_colour():
    figure = plots.incoherence_by_step(curves(6), *teachers())
    (axes,) = figure.axes
    models = [drawn for drawn in axes.lines if drawn.get_label() in NAMES]
    luminance = [np.dot(matplotlib.colors.to_rgb(m.get_color()), [0.299, 0.587, 0.114]) for m in models]
    assert [m.get_label() for m in models] == NAMES
    assert (np.diff(luminance) > 0.04).all() and luminance[-1] < 0.75
    assert len({m.get_marker() for m in models}) == 6
    assert legend(figure) == [*NAMES, "teacher", "teacher, rounded"]


def test_value_panels_share_one_legend_with_the_teachers_last():
    values = {name: replicates[0] for name, replicates in curves(4).items()}
    figure = plots.value_along_start(values, *(curve[0] for curve in teachers()))
    assert legend(figure) == [*NAMES[:4], "teacher", "teacher, rounded"]


def two():
    return tuple(curve[0] for curve in teachers())


LONG = {"bias2": "2.17 [−∞, 2.42]", "variance": "0.878 [−0.651, 1.12]"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: plots.incoherence_by_step(curves(6, 2), *teachers()),
        lambda: plots.bias2_variance_by_step(plots.Both(curves(6), curves(6), teachers(), teachers())),
        lambda: plots.bias2_variance_by_step(
            plots.Both(curves(6, 3), curves(6, 3), teachers(draws=3), teachers(draws=3), each="draws")
        ),
        lambda: plots.loss_by_size(
            PARAMETERS, positive(6, 3), (PARAMETERS, PARAMETERS**-0.1), positive(3), NAMES, "draws"
        ),
        lambda: plots.value_along_start({name: c[0] for name, c in curves(6).items()}, *two()),
        lambda: plots.value_along_start({name: c[0] for name, c in curves(2).items()}, *two()),
        lambda: plots.bias2_variance_by_size(
            PARAMETERS, positive(6, 2), positive(6, 2), {}, levels(0.1, 0.2), levels(0.3, 0.4), LONG
        ),
        lambda: plots.bias2_variance_by_size(
            PARAMETERS,
            positive(6, 3),
            positive(6, 3),
            {},
            tuple(positive(2, 3)),
            tuple(positive(2, 3)),
            LONG,
        ),
        lambda: plots.final_incoherence_by_size(
            PARAMETERS, positive(6, 3), positive(6, 2), np.full(3, 0.9), np.full(3, 0.8), each="draws"
        ),
    ],
    ids=[
        "incoherence",
        "by step",
        "by step of draws",
        "loss",
        "six values",
        "two values",
        "by size",
        "by size of draws",
        "final incoherence",
    ],
)
def test_the_legend_is_on_the_page_and_above_the_data(make):
    figure = make()
    panels = draw(figure)
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    assert all(axes.get_window_extent().y1 <= box.y0 for axes in panels)


def drawing():
    return plots.incoherence_by_step(curves(2, 2), *teachers())


def test_a_figure_is_saved_twice_over_in_the_same_bytes(tmp_path, monkeypatch):
    figure = drawing()
    plotting.save(figure, tmp_path / "run.1" / "once.d2")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    plotting.save(figure, tmp_path / "run.1" / "again.d2")
    plotting.save(drawing(), tmp_path / "run.1" / "anew.d2")
    kinds = ("pdf", "png")
    names = [f"{name}.d2.{kind}" for name in ("again", "anew", "once") for kind in kinds]
    assert sorted(os.listdir(tmp_path / "run.1")) == names
    starts = {"pdf": b"%PDF", "png": b"\x89PNG"}
    for kind in kinds:
        once, again, anew = (
            (tmp_path / "run.1" / f"{name}.d2.{kind}").read_bytes()
            for name in ("once", "again", "anew")
        )
        assert once == again == anew
        assert once.startswith(starts[kind])


@pytest.mark.parametrize("broken", [".png", ".pdf"])
def test_a_figure_that_fails_midway_leaves_what_was_there(tmp_path, monkeypatch, broken):
    (tmp_path / "figure.png").write_bytes(b"old")
    figure = drawing()
    whole = figure.savefig

    def savefig(path, **options):
        whole(path, **options)
        if path.suffix == broken:
            raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", savefig)
    with pytest.raises(OSError, match="disk full"):
        plotting.save(figure, tmp_path / "figure")
    assert os.listdir(tmp_path) == ["figure.png"]
    assert (tmp_path / "figure.png").read_bytes() == b"old"
