"""Loss surfaces, fitted curves, and their animation."""

import base64

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import make_regression
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skgd import GDGaborRegressor, GDMLPRegressor, GDRegressor
from skgd.datasets import load_gabor, make_gabor
from skgd.displays import DescentAnimation, FitDisplay, LossSurfaceDisplay

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def line():
    """Return one column, a target, and a fit of six plain steps on them."""
    X, y = make_regression(15, 1)
    return X, y, plain().fit(X, y)


def plain(epochs=6, **options):
    """Return a model that descends by so many epochs, and keeps its path."""
    common = {"optimizer": "gd", "tol": None, "center": False, "record_path": True}
    return GDRegressor(max_iter=epochs, **{**common, **options})


def packet(epochs=40, start=(1.5, 8.5), **options):
    """Return a model of a wave packet that descends by so many epochs, and keeps its path."""
    common = {"init": start, "optimizer": "gd", "learning_rate": 2.0, "tol": None}
    return GDGaborRegressor(max_iter=epochs, record_path=True, **{**common, **options})


def wave(X, offset, frequency):
    z = offset + 0.06 * (X @ np.atleast_1d(frequency))
    return np.sin(z) * np.exp(-(z**2) / 32.0)


def linear_loss(theta, X, y, alpha=1e-4):
    w, b = theta[:-1], theta[-1]
    return np.mean((X @ w + b - y) ** 2) / 2 + alpha * (w @ w) / 2


def test_the_surface_of_a_line_is_the_loss_of_slopes_and_intercepts_in_the_order_of_init(line):
    X, y, fit = line
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=7)
    expected = [[linear_loss(np.array([w, b]), X, y) for w in shown.x] for b in shown.y]
    np.testing.assert_allclose(shown.values, expected, rtol=1e-12)
    np.testing.assert_array_equal(shown.paths["path"], fit.path_)
    assert shown.axis_names == ("slope (y per x)", "intercept (y)")
    least = Ridge(len(y) * 1e-4).fit(X, y)
    np.testing.assert_allclose(shown.minima, [[least.coef_[0], least.intercept_]], rtol=1e-6)


def test_the_surface_of_a_packet_is_the_loss_of_offsets_and_frequencies():
    X, y = load_gabor(return_X_y=True)
    fit = packet().fit(X, y)
    box = [[-10.0, 10.0], [2.5, 22.5]]
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, bounds=box, grid_resolution=9)
    expected = [[np.mean((wave(X, b, w) - y) ** 2) / 2 for b in shown.x] for w in shown.y]
    np.testing.assert_allclose(shown.values, expected, rtol=1e-12)
    np.testing.assert_array_equal(shown.paths["path"], fit.path_)
    np.testing.assert_array_equal([shown.x[[0, -1]], shown.y[[0, -1]]], box)


def test_the_minima_that_are_drawn_are_those_that_were_found():
    problem = load_gabor()
    X, y = problem.data, problem.target
    good, bad = (
        packet(3000, start, learning_rate=4.0).fit(X, y)
        for start in (problem.good_start, problem.bad_start)
    )
    fits = {"good": good, "again": good, "bad": bad}
    shown = LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=5)
    np.testing.assert_allclose(shown.minima, problem.minima[:2, :2], atol=5.1e-5)
    np.testing.assert_array_equal(shown.minima_.get_xydata(), shown.minima)


def test_saddles_and_flat_places_are_not_drawn_as_minima():
    X, y = load_gabor(return_X_y=True)
    fit = packet().fit(X, y)
    point = fit.minima_[0]
    kinds = "saddle", "minimum", "flat"
    places = [np.array([float(k), 10.0 + k]) for k in range(3)]
    fit.minima_ = [point._replace(kind=k, theta=t) for k, t in zip(kinds, places)]
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=5)
    np.testing.assert_array_equal(shown.minima, [places[1]])


def test_many_parameters_are_seen_in_the_plane_of_the_leading_directions():
    X, y = make_regression(30, 4)
    fits = [plain().fit(X, y), plain(optimizer="momentum").fit(X, y)]
    shown = LossSurfaceDisplay.from_estimators(fits, X, y, grid_resolution=5)
    end = fits[0].path_[-1]
    moves = np.concatenate([fit.path_ for fit in fits]) - end
    sizes, axes = np.linalg.eigh(moves.T @ moves)
    np.testing.assert_allclose(np.abs(shown.directions @ axes[:, [-1, -2]]), np.eye(2), atol=1e-7)
    shares = [f"{100 * size / sizes.sum():.3g} %" for size in sizes[[-1, -2]]]
    assert [name.split("(")[1][:6].split(" %")[0] + " %" for name in shown.axis_names] == shares
    np.testing.assert_allclose(
        shown.paths["optimizer=momentum"], (fits[1].path_ - end) @ shown.directions.T
    )
    u, v = shown.x[1], shown.y[3]
    point = end + u * shown.directions[0] + v * shown.directions[1]
    assert shown.values[3, 1] == pytest.approx(linear_loss(point, X, y), rel=1e-12)
    assert len(shown.minima) == 0


def test_random_directions_are_as_long_as_the_weights_of_each_unit():
    X, y = make_regression(30, 4)
    net = GDMLPRegressor((3, 2), batch_norm=[True, False], record_path=True, random_state=0)
    net.set_params(max_iter=3, tol=None, batch_size=None).fit(X, y)
    shown = LossSurfaceDisplay.from_estimator(net, X, y, directions="random", grid_resolution=5)
    for direction in shown.directions:
        start = 0
        for W in net.coefs_:
            change = direction[start : start + W.size].reshape(W.shape)
            lengths = [np.linalg.norm(part, axis=0) for part in (change, W)]
            np.testing.assert_allclose(*lengths, rtol=1e-12)
            start += W.size
        assert not direction[start:].any()
    np.testing.assert_array_equal([shown.x[[0, -1]], shown.y[[0, -1]]], [[-1.0, 1.0]] * 2)
    assert shown.values[2, 2] == pytest.approx(net.loss_curve_[-1], rel=1e-9)
    np.testing.assert_allclose(shown.paths["path"][-1], 0.0, atol=1e-12)
    point = net.parameters() + shown.x[1] * shown.directions[0] + shown.y[3] * shown.directions[1]
    assert shown.values[3, 1] == pytest.approx(net.objective(X, y).value(point), rel=1e-12)
    again = LossSurfaceDisplay.from_estimator(
        net, X, y, directions="random", random_state=1, grid_resolution=2
    )
    assert np.abs(again.directions - shown.directions).max() > 0.1


def test_given_directions_span_the_plane_and_paths_are_projected_on_it():
    X, y = make_regression(30, 3)
    fit = plain().fit(X, y)
    given = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, directions=given, grid_resolution=5)
    moves = fit.path_ - fit.path_[-1]
    np.testing.assert_allclose(shown.paths["path"] @ given, moves * [1, 1, 0, 0], atol=1e-12)
    for wrong in ({"directions": "sideways"}, {"directions": "random", "parameters": (0, 1)}):
        with pytest.raises(ValueError, match=r"must be one of|not by both"):
            LossSurfaceDisplay.from_estimator(fit, X, y, **wrong)


def test_two_chosen_parameters_leave_the_others_where_the_fit_ended():
    X, y = make_regression(30, 3)
    fit = plain().fit(X, y)
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, parameters=(2, 0), grid_resolution=5)
    theta = fit.path_[-1].copy()
    theta[[2, 0]] = shown.x[4], shown.y[1]
    assert shown.values[1, 4] == pytest.approx(linear_loss(theta, X, y), rel=1e-12)
    np.testing.assert_array_equal(shown.paths["path"], fit.path_[:, [2, 0]])
    assert shown.axis_names == ("weight of x2 (y per unit)", "weight of x0 (y per unit)")


def test_everything_of_interest_is_in_the_picture(line):
    X, y, fit = line
    wild = plain(100, learning_rate=20.0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        wild.fit(X, y)
    shown = LossSurfaceDisplay.from_estimators({"a": fit, "wild": wild}, X, y, grid_resolution=5)
    alone = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=5)
    np.testing.assert_allclose(shown.values, alone.values, rtol=1e-12)
    for points in (*alone.paths.values(), alone.minima):
        assert ((points > [alone.x[0], alone.y[0]]) & (points < [alone.x[-1], alone.y[-1]])).all()
    ends = [end.get_marker() for end in shown.ends_]
    assert (ends, shown.diverged) == (["*", "X"], {"a": False, "wild": True})
    drawn = shown.lines_[1].get_xydata()
    assert len(drawn) < len(wild.path_)
    np.testing.assert_array_equal(drawn, shown.paths["wild"][: len(drawn)])


def test_if_every_descent_diverges_the_first_steps_are_shown(line):
    X, y, _ = line
    wild = plain(100, learning_rate=2.5)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        wild.fit(X, y)
    shown = LossSurfaceDisplay.from_estimator(wild, X, y, grid_resolution=5)
    seen = shown.lines_[0].get_xydata()
    assert 4 <= len(seen) < len(wild.path_)
    np.testing.assert_array_equal(seen, wild.path_[: len(seen)])


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_paths_are_drawn_from_their_starts_to_their_ends(line, kind):
    X, y, fit = line
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, kind=kind, grid_resolution=9)
    for artist, rows in ((shown.lines_[0], slice(None)), (shown.starts_[0], [0])):
        side = artist.get_data_3d()[:2] if kind == "surface" else artist.get_data()
        np.testing.assert_array_equal(np.transpose(side), shown.paths["path"][rows])
    if kind == "surface":
        np.testing.assert_allclose(
            shown.lines_[0].get_data_3d()[2], shown.heights(shown.paths["path"])
        )
        assert shown.ax_.get_zlabel() == "objective"
    assert (shown.colorbar_ is None) == (kind == "surface")


def test_levels_run_from_the_lowest_to_the_highest_value_and_lie_closer_where_it_is_low(line):
    X, y, fit = line
    shown = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=9)
    levels = shown.contour_.levels
    np.testing.assert_allclose(levels[[0, -1]], [shown.values.min(), shown.values.max()])
    assert (np.diff(levels, 2) > 0.0).all()
    given = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=9, levels=[1.0, 2.0, 9.0])
    np.testing.assert_array_equal(given.contour_.levels, [1.0, 2.0, 9.0])


def test_heights_are_the_values_at_the_grid_and_linear_between():
    x, y = np.array([0.0, 1.0, 3.0]), np.array([-1.0, 1.0])
    values = 2.0 * x - 3.0 * y[:, None] + 1.0
    shown = LossSurfaceDisplay(
        x=x, y=y, values=values, axis_names=("x", "y"), origin=np.zeros(2), directions=np.eye(2),
        paths={}, minima=np.empty((0, 2)),
    )  # fmt: skip
    points = np.array([[0.0, -1.0], [3.0, 1.0], [2.5, 0.3], [4.0, 0.0]])
    expected = 2.0 * points[:, 0] - 3.0 * points[:, 1] + 1.0
    expected[-1] = np.nan
    np.testing.assert_allclose(shown.heights(points), expected)


def test_a_pipeline_shows_the_surface_that_its_last_step_descends_on():
    X, y = make_regression(20, 1)
    pipe = make_pipeline(StandardScaler(), plain()).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    one = LossSurfaceDisplay.from_estimator(pipe, X, y, grid_resolution=5)
    other = LossSurfaceDisplay.from_estimator(pipe[-1], scaled, y, grid_resolution=5)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-12)


def test_what_has_no_common_surface_is_refused(line):
    X, y, fit = line
    make = LossSurfaceDisplay.from_estimators
    with pytest.raises(ValueError, match="other minimises another objective than one"):
        make({"one": fit, "other": plain(alpha=1.0).fit(X, y)}, X, y)
    with pytest.raises(ValueError, match="record_path=True"):
        make([plain(record_path=False).fit(X, y)], X, y)
    with pytest.raises(ValueError, match="the model has one"):
        make([plain(fit_intercept=False).fit(X, y)], X, y)
    with pytest.raises(ValueError, match="y has 2 dimensions"):
        make([fit], X, np.column_stack([y, y]))
    with pytest.raises(TypeError, match="LinearRegression is not trained by skgd"):
        make([LinearRegression().fit(X, y)], X, y)


# Fits


def test_the_curves_are_those_of_points_on_the_path(line):
    X, y, fit = line
    shown = FitDisplay.from_estimator(fit, X, y, updates=[0, 1, 4, 6])
    np.testing.assert_array_equal(shown.updates, [0, 1, 4, 6])
    for t, curve, drawn in zip(shown.updates, shown.curves, shown.lines_):
        slope, intercept = fit.path_[t]
        np.testing.assert_allclose(curve, slope * shown.grid + intercept, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(drawn.get_xydata(), np.column_stack([shown.grid, curve]))
    np.testing.assert_allclose(shown.curves[-1], fit.predict(shown.grid[:, None]), rtol=1e-12)
    np.testing.assert_array_equal(shown.points_.get_offsets(), np.column_stack([X[:, 0], y]))


def test_the_curves_of_a_packet_are_waves():
    X, y = make_gabor(20, 2, random_state=3)
    fit = packet(5, [-1.0, 4.0, 9.0], learning_rate=0.1).fit(X, y)
    shown = FitDisplay.from_estimator(fit, X, y, feature=1, n_curves=3)
    rows = np.column_stack([np.full(len(shown.grid), X[:, 0].mean()), shown.grid])
    for t, curve in zip(shown.updates, shown.curves):
        np.testing.assert_allclose(curve, wave(rows, fit.path_[t, 0], fit.path_[t, 1:]))
    assert shown.axis_names == ("x1", "y")


def test_stages_are_about_as_far_from_one_another():
    X, y = load_gabor(return_X_y=True)
    fit = packet(400).fit(X, y)
    shown = FitDisplay.from_estimator(fit, X, y, n_curves=5)
    assert (shown.updates[0], shown.updates[-1], len(shown.updates)) == (0, 400, 5)
    every = np.array([wave(shown.grid[:, None], *theta) for theta in fit.path_])
    gone = np.append(0.0, np.sqrt(np.mean(np.diff(every, axis=0) ** 2, axis=1)).cumsum())
    apart = np.abs(gone[shown.updates] - np.linspace(0.0, gone[-1], 5))
    assert apart.max() <= np.diff(gone).max()  # to an update


def test_a_kept_row_stands_for_as_many_updates_as_were_made(line):
    X, y, fit = line
    thin = plain(7, record_path=3).fit(X, y)
    shown = FitDisplay.from_estimator(thin, X, y, updates=[0, 4, 7])
    np.testing.assert_array_equal(shown.updates, [0, 3, 6])
    every = FitDisplay.from_estimator(fit, X, y, updates=[0, 3, 6])
    np.testing.assert_array_equal(shown.curves, every.curves)


def test_without_a_path_there_is_the_last_curve(line):
    X, y, fit = line
    shown = FitDisplay.from_estimator(plain(record_path=False).fit(X, y), X, y)
    expected = [fit.predict(shown.grid[:, None])]
    np.testing.assert_allclose(shown.curves, expected, rtol=1e-12, atol=1e-12)
    assert shown.updates is None


def test_a_link_is_part_of_the_curve():
    X, _ = make_regression(15, 1)
    y = np.exp(0.3 * X[:, 0]).round()
    fit = plain(loss="poisson", learning_rate=0.1).fit(X, y)
    shown = FitDisplay.from_estimator(fit, X, y)
    np.testing.assert_allclose(shown.curves[-1], fit.predict(shown.grid[:, None]), rtol=1e-12)


def test_several_fits_are_what_they_predict():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"depth": rng.uniform(-1.0, 1.0, 25)})
    y = pd.Series(frame["depth"] ** 2, name="load")
    models = {d: make_pipeline(PolynomialFeatures(d), plain()).fit(frame, y) for d in (1, 2)}
    models["straight"] = LinearRegression().fit(frame, y)
    shown = FitDisplay.from_estimators(models, frame, y)
    assert (shown.names, shown.axis_names) == (["1", "2", "straight"], ("depth", "load"))
    asked = pd.DataFrame({"depth": shown.grid})
    np.testing.assert_allclose(shown.curves, [m.predict(asked) for m in models.values()])
    staged = FitDisplay.from_estimator(models[2], frame, y)
    np.testing.assert_allclose(staged.curves[-1], shown.curves[1], rtol=1e-9)


def test_a_descent_to_infinity_is_shown_as_far_as_it_is_finite(line):
    X, y, fit = line
    wild = plain(learning_rate=1e200)
    with pytest.raises(ValueError, match="diverged"):
        wild.fit(X, y)
    both = {"sound": fit, "wild": wild}
    surface = LossSurfaceDisplay.from_estimators(both, X, y, grid_resolution=5)
    alone = LossSurfaceDisplay.from_estimator(fit, X, y, grid_resolution=5)
    np.testing.assert_allclose(surface.values, alone.values, rtol=1e-12)
    lone = LossSurfaceDisplay.from_estimator(wild, X, y, grid_resolution=5)
    assert lone.values.max() < 1e4 * wild.loss_curve_[0]
    for shown in (
        surface,
        lone,
        FitDisplay.from_estimator(wild, X, y),
        DescentAnimation.from_estimators(both, X, y, n_frames=3, grid_resolution=5),
    ):
        shown.figure_.canvas.draw()
        assert np.isfinite(shown.ax_.get_xlim()).all()


# Motion


def test_each_picture_shows_every_descent_at_the_same_update(line):
    X, y, fit = line
    fits = {"short": plain(3).fit(X, y), "long": fit}
    motion = DescentAnimation.from_estimators(fits, X, y, updates=[0, 2, 6], grid_resolution=5)
    np.testing.assert_array_equal(motion.places["short"], [0, 2, 3])
    np.testing.assert_array_equal(motion.places["long"], [0, 2, 6])
    for k, updates in enumerate([{"short": 0, "long": 0}, {"short": 2, "long": 2}]):
        assert motion.draw(k) is motion
        for name, t in updates.items():
            path = fits[name].path_
            np.testing.assert_array_equal(motion.lines_[name].get_xydata(), path[: t + 1])
            np.testing.assert_array_equal(motion.heads_[name].get_xydata(), path[[t]])
            curve = path[t, 0] * motion.grid + path[t, 1]
            np.testing.assert_allclose(motion.curves_[name].get_ydata(), curve, atol=1e-12)


def test_the_file_has_every_picture_once(line, tmp_path):
    X, y, fit = line
    figure, axes = plt.subplots(1, 2)
    motion = DescentAnimation.from_estimator(
        fit, X, y, n_frames=4, grid_resolution=5, feature=0, ax=axes
    )
    assert motion.figure_ is figure
    np.testing.assert_array_equal(motion.updates, [0, 1, 3, 6])
    path = motion.save(tmp_path / "descent.gif", fps=4, dpi=40)
    width, height = (40 * figure.get_size_inches()).astype(int)
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.size) == (4, (width, height))
        times = []
        for k in range(4):
            picture.seek(k)
            times.append(picture.info["duration"])
    assert times == [250, 250, 250, 1500]


def test_a_notebook_is_shown_the_same_file(line):
    X, y, fit = line
    page = DescentAnimation.from_estimator(fit, X, y, n_frames=2, grid_resolution=5)._repr_html_()
    text = page.partition("base64,")[2].partition('"')[0]
    assert base64.b64decode(text)[:6] == b"GIF89a"
