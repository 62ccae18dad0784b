"""The plane of a loss surface: its directions, its bounds, and the objective on it."""

import numpy as np

from skgd.displays.arguments import box, places
from skgd.displays.inspection import (
    FAILED,
    descent_in,
    minima,
    named,
    path_of,
    single_objective,
)

MARGIN = 0.15  # margin on each side, in widths of the content
EARLY = 8  # largest number of points to show of each path, if all descents diverged
HIGH = 1e4  # such points are shown up to this multiple of the objective at the start


def compute_surface(estimators, X, y, sample_weight, parameters, bounds, grid_resolution):
    """Return the data of a `LossSurfaceDisplay`, from the parameters of `from_estimators`."""
    estimators = named(estimators)
    first = next(iter(estimators.values()))
    objective = single_objective(first, X, y, sample_weight)
    if objective.d < 2:
        raise ValueError("A surface needs two parameters; the model has one.")
    paths = {name: path_of(estimator)[0] for name, estimator in estimators.items()}
    _check_common(objective, estimators, paths, X, y, sample_weight)
    diverged = {name: descent_in(e).stop_reason_ in FAILED for name, e in estimators.items()}
    converged = {name: bool(descent_in(e).converged_) for name, e in estimators.items()}
    sound = [path for name, path in paths.items() if not diverged[name]]
    sound = sound or [_beginning(objective, path) for path in paths.values()]
    origin, directions, axis_names = _plane(descent_in(first), sound, parameters)
    with np.errstate(all="ignore"):  # a path may diverge to infinity
        flat = {name: (path - origin) @ directions.T for name, path in paths.items()}
    low = np.empty((0, 2))
    if objective.d == 2:
        found = [minima(descent_in(e), objective) for e in estimators.values()]
        low = _distinct((np.concatenate(found) - origin) @ directions.T)
    bounds = box(bounds)
    if bounds is None:
        seen = [(path - origin) @ directions.T for path in sound]
        bounds = plane_bounds(np.concatenate([*seen, *(path[:1] for path in flat.values()), low]))
    x, y = (np.linspace(*side, grid_resolution) for side in bounds)
    rows = origin + y[:, None] * directions[1]
    values = [[objective.value(row + u * directions[0]) for u in x] for row in rows]
    return {
        "x": x,
        "y": y,
        "values": np.array(values),
        "axis_names": axis_names,
        "origin": origin,
        "directions": directions,
        "paths": flat,
        "minima": low,
        "diverged": diverged,
        "converged": converged,
    }


def _check_common(objective, estimators, paths, X, y, sample_weight):
    """Raise an error if the estimators do not minimise the same function."""
    probe = next(iter(paths.values()))[0]
    for name, estimator in estimators.items():
        other = single_objective(estimator, X, y, sample_weight)
        if other.d != objective.d or not np.isclose(
            other.value(probe + 1.0), objective.value(probe + 1.0), rtol=1e-9, atol=0.0
        ):
            raise ValueError(
                f"{name} minimises another objective than {next(iter(estimators))}: draw each on "
                "a surface of its own."
            )


def _beginning(objective, path):
    """Return the first points of the path of a diverged descent."""
    path = path[:EARLY]
    with np.errstate(all="ignore"):
        heights = np.array([objective.value(point) for point in path])
    return path[: np.argmin(np.append(heights <= HIGH * heights[0], False))]


def _plane(estimator, paths, parameters):
    """Return the origin of the plane, its directions and their names."""
    names, end = estimator.parameter_names(), paths[0][-1]
    if parameters is None and len(end) == 2:  # in the order of init
        parameters = estimator.parameter_order()
    if parameters is not None:
        parameters = places(parameters, "parameters", len(end), size=2)
        directions = np.eye(len(end))[parameters]
        origin = end - directions.T @ (directions @ end)
        return origin, directions, tuple(names[j] for j in parameters)
    moves = np.concatenate([*paths, end[None], end[None]]) - end
    _, lengths, directions = np.linalg.svd(moves, full_matrices=False)
    largest = directions[range(2), np.abs(directions[:2]).argmax(axis=1)]
    shares = 100.0 * lengths[:2] ** 2 / ((lengths**2).sum() or 1.0)
    titles = [f"direction {k + 1} ({share:.3g} % of the path)" for k, share in enumerate(shares)]
    return end, directions[:2] * np.sign(largest)[:, None], tuple(titles)


def plane_bounds(points):
    """Return a box around points, with a margin."""
    bottom, top = points.min(axis=0), points.max(axis=0)
    width = np.where(top > bottom, top - bottom, 1.0)
    return np.column_stack([bottom - MARGIN * width, top + MARGIN * width])


def _distinct(points):
    """Return the points without repetitions, compared to three digits."""
    unit = np.ptp(points, axis=0) if len(points) > 1 else np.ones(2)
    near = np.round(points / np.where(unit > 0.0, 1e-3 * unit, 1.0))
    return points[np.sort(np.unique(near, axis=0, return_index=True)[1])]
