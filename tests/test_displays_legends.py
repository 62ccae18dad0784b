"""Legends are outside of the data; overlapping lines and marks stay visible."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_regression
from test_displays import MAKERS, diverging, line_problem, plain

from skgd import GDGaborRegressor, GDRegressor
from skgd.datasets import load_gabor
from skgd.displays import (
    DescentAnimation,
    FitDisplay,
    LossCurveDisplay,
    LossSurfaceDisplay,
    PenaltyGeometryDisplay,
    StepDisplay,
)
from skgd.displays.legends import nested, ranks

matplotlib.use("Agg")
UNIT = [[0.0, 1.0], [0.0, 1.0]]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def several(kind):
    """Return a display of several things that has a legend."""
    X, y, fit = line_problem()
    fits = {"one": fit, "the other": plain(learning_rate=0.05).fit(X, y)}
    if kind == "surface":
        return LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=7)
    if kind == "surface in three dimensions":
        return LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=7, kind="surface")
    if kind == "curves":
        return LossCurveDisplay.from_estimators(fits)
    if kind == "fits":
        return FitDisplay.from_estimators(fits, X, y)
    return StepDisplay.from_schedules(["cosine", "step", "inverse_time"])


KINDS = ["surface", "surface in three dimensions", "curves", "fits", "steps"]


def assert_clear(display):
    """Assert that the legend is inside of the figure and outside of the axes."""
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend()
    box, room = legend.get_window_extent(), display.ax_.get_window_extent()
    assert not box.overlaps(room)
    assert not any(box.overlaps(axis.label.get_window_extent()) for axis in axes_of(display.ax_))
    whole = display.figure_.bbox
    assert box.x0 >= whole.x0
    assert box.y0 >= whole.y0
    assert box.x1 <= whole.x1


def axes_of(ax):
    return [ax.xaxis, ax.yaxis]


@pytest.mark.parametrize("make", MAKERS)
def test_the_legend_of_every_display_is_beside_its_data(make):
    display = make()
    if display.ax_.get_legend() is not None and not hasattr(display, "coefs"):
        assert_clear(display)


@pytest.mark.parametrize("kind", KINDS)
def test_a_legend_of_several_lines_is_beside_their_data(kind):
    display = several(kind)
    assert display.ax_.get_legend() is not None
    if "three" in kind:
        display.figure_.canvas.draw()
        box = display.ax_.get_legend().get_window_extent()
        points = np.vstack([line.get_xydata() for line in display.lines_])
        assert box.y1 < display.ax_.transData.transform(points)[:, 1].min()
    else:
        assert_clear(display)


def test_a_legend_has_the_columns_that_its_axes_have_room_for_in_a_part_of_a_figure_too():
    fit = line_problem()[2]
    fits = {f"a long name of fit {k}": fit for k in range(4)}
    whole = plt.figure(figsize=(4.0, 4.0)).subplots()
    part = plt.figure(figsize=(8.0, 4.0)).subfigures(1, 2)[0].subplots()
    columns = [
        LossCurveDisplay.from_estimators(fits, ax=ax).ax_.get_legend()._ncols
        for ax in (whole, part)
    ]
    assert columns[0] == columns[1] < 4


def test_start_end_and_minimum_stand_in_the_legend_and_kinds_of_ends_differ():
    X, y, _ = line_problem()
    model = plain(learning_rate=0.05)
    fits = {
        "arrived": plain(500, learning_rate=0.5, tol=1e-6).fit(X, y),
        "short": model.fit(X, y),
        "wild": diverging(X, y),
    }
    shown = LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=7)
    said = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    kinds = ["start", "end", "end, not converged", "diverged", "minimum"]
    assert said == [*fits, *kinds]
    arrived, short, wild = shown.ends_
    assert arrived.get_marker() == short.get_marker() == "*"
    assert arrived.get_markerfacecolor() == shown.lines_[0].get_color()
    assert short.get_markerfacecolor() == "white"
    assert wild.get_marker() == "X"
    marks = LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=7, legend="marks")
    assert [text.get_text() for text in marks.ax_.get_legend().get_texts()] == kinds
    bare = LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=7, legend=False)
    assert bare.ax_.get_legend() is None


def test_the_legend_of_one_path_names_its_marks_too():
    X, y, fit = line_problem()
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=7)
    said = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert said == ["start", "end, not converged", "minimum"]


def test_a_path_over_another_is_dashed_and_its_marks_are_smaller():
    X, y, fit = line_problem()
    apart = plain(init=[3.0, -2.0]).fit(X, y)
    fits = {"one": fit, "again": fit, "a third time": fit, "apart": apart}
    shown = LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=7)
    styles = [line._unscaled_dash_pattern for line in shown.lines_]
    assert styles[0] == styles[3] == (0, None)
    assert len({str(style) for style in styles[:3]}) == 3
    sizes = [mark.get_markersize() for mark in shown.starts_]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[3] == sizes[0]
    ends = [mark.get_markersize() for mark in shown.ends_]
    assert ends[0] > ends[1] > ends[2]


def test_overlapping_curves_are_dashed_and_given_dashes_are_kept():
    X, y, fit = line_problem()
    fits = {"one": fit, "again": fit, "other": plain(learning_rate=0.05).fit(X, y)}
    lines = LossCurveDisplay.from_estimators(fits).lines_
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-"]
    lines = LossCurveDisplay.from_estimators(fits, line_kwargs={"ls": ":"}).lines_
    assert [line.get_linestyle() for line in lines] == [":"] * 3


def test_ranks_count_the_lines_beneath():
    t = np.linspace(0.0, 1.0, 40)
    up, down = np.column_stack([t, t]), np.column_stack([t, 1.0 - t])
    near, beside = up + np.array([0.004, 0.0]), up + np.array([0.1, 0.0])
    assert ranks([up, down, up[::3], near, beside], UNIT) == [0, 0, 1, 2, 0]
    wide = np.array([[0.0, 1000.0], [0.0, 1e-3]])
    scaled = [line * [1000.0, 1e-3] for line in (up, down, up)]
    assert ranks(scaled, wide) == [0, 0, 1]
    half = np.vstack([up[:10], up[10:] * [1.0, 0.2]])  # together for less than half of the way
    assert ranks([up, half], UNIT) == [0, 0]
    assert ranks([up, np.full((3, 2), np.nan), up[:1]], UNIT)[1] == 0


def test_nested_marks_shrink_on_top_of_each_other():
    sizes = nested([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.501, 0.5]], UNIT)
    assert sizes[0] == sizes[2] == 1.0
    assert sizes[0] > sizes[1] > sizes[3]


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
@pytest.mark.parametrize("seed", range(4))
def test_the_touching_contour_is_never_cut_off(penalty, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 2)) @ [[1.0, 0.8], [0.0, 1.0]]
    y = X @ rng.normal(size=2) + rng.normal(size=40)
    fit = GDRegressor(penalty=penalty, alpha=0.3, tol=1e-8).fit(X, y)
    shown = PenaltyGeometryDisplay.from_estimator(fit, X, y, grid_resolution=41)
    rim = np.concatenate([shown.values[[0, -1]].ravel(), shown.values[:, [0, -1]].ravel()])
    assert rim.min() > shown.level
    for ring in shown.touching_.allsegs[0]:
        np.testing.assert_allclose(ring[0], ring[-1], rtol=1e-9)  # closed


def test_the_legend_of_the_geometry_names_minima_and_the_constraint_set():
    X, y = make_regression(20, 2)
    fit = GDRegressor(alpha=0.5, tol=1e-6).fit(X, y)
    shown = PenaltyGeometryDisplay.from_estimator(fit, X, y, grid_resolution=9)
    said = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert said == ["constraint set", "unpenalised minimum", "minimum"]


@pytest.mark.parametrize("model", [GDRegressor(optimizer="gd"), GDGaborRegressor()], ids=str)
def test_the_axes_name_parameters_in_the_order_of_init(model):
    problem = load_gabor()
    init = [3.0, 11.0]
    model.set_params(init=init, record_path=True, max_iter=3, tol=None)
    fit = model.fit(problem.data, problem.target)
    shown = LossSurfaceDisplay.from_estimator(fit, problem.data, problem.target)
    np.testing.assert_allclose(shown.paths["path"][0], init)
    names = [name.split()[0] for name in shown.axis_names]
    assert names in (["slope", "intercept"], ["offset", "frequency"])


def test_an_animation_in_a_page_has_two_pixels_for_each_of_its_width():
    import base64
    import io
    import re

    from PIL import Image

    X, y, fit = line_problem()
    motion = DescentAnimation.from_estimator(fit, X, y, n_frames=2, grid_resolution=5)
    page = motion._repr_html_()
    width = int(re.search(r'width="(\d+)"', page)[1])
    data = base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])
    assert Image.open(io.BytesIO(data)).width == pytest.approx(2 * width, abs=2)
