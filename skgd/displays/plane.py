"""The plane of a loss surface: its directions, its bounds, and the objective on it."""

import numpy as np
from sklearn.utils import check_random_state

from skgd.displays.arguments import box, places
from skgd.displays.inspection import (
    FAILED,
    descent_in,
    minima,
    named,
    path_of,
    single_objective,
)
from skgd.displays.style import one_of
from skgd.estimators.validation import numbers

MARGIN = 0.15  # margin on each side, in widths of the content
EARLY = 8  # largest number of points to show of each path, if all descents diverged
HIGH = 1e4  # such points are shown up to this multiple of the objective at the start


def compute_surface(estimators, X, y, sample_weight, plane, bounds, grid_resolution):
    """Return the data of a `LossSurfaceDisplay`, from the parameters of `from_estimators`.

    The plane is given by its parameters, directions and random state.
    """
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
    origin, directions, axis_names = _plane(descent_in(first), objective, sound, *plane)
    across = directions.T  # which takes a point to its place in the plane
    if not np.allclose(directions @ across, np.eye(2), rtol=0.0, atol=1e-12):
        across = np.linalg.pinv(directions)
    with np.errstate(all="ignore"):  # a path may diverge to infinity
        flat = {name: (path - origin) @ across for name, path in paths.items()}
    low = np.empty((0, 2))
    if objective.d == 2:
        found = [minima(descent_in(e), objective) for e in estimators.values()]
        low = _distinct((np.concatenate(found) - origin) @ across)
    bounds = box(bounds)
    if bounds is None and _are_random(plane[1]):
        bounds = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    elif bounds is None:
        seen = [(path - origin) @ across for path in sound]
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


def _plane(estimator, objective, paths, parameters, directions, random_state):
    """Return the origin of the plane, its directions and their names."""
    names, end = estimator.parameter_names(), paths[0][-1]
    if parameters is not None and directions is not None:
        raise ValueError("The plane is spanned by parameters or by directions, not by both.")
    if parameters is None and directions is None and len(end) == 2:  # in the order of init
        parameters = estimator.parameter_order()
    if parameters is not None:
        parameters = places(parameters, "parameters", len(end), size=2)
        directions = np.eye(len(end))[parameters]
        origin = end - directions.T @ (directions @ end)
        return origin, directions, tuple(names[j] for j in parameters)
    if _are_random(directions):
        found = random_directions(end, objective.term.groups, random_state)
        return end, found, ("random direction 1", "random direction 2")
    if directions is not None and one_word(directions) is None:
        shape = {(2, len(end)): "two directions in the order of `objective`"}
        found = numbers(directions, "directions", shape)
        return end, found, ("direction 1", "direction 2")
    moves = np.concatenate([*paths, end[None], end[None]]) - end
    _, lengths, leading = np.linalg.svd(moves, full_matrices=False)
    largest = leading[range(2), np.abs(leading[:2]).argmax(axis=1)]
    shares = 100.0 * lengths[:2] ** 2 / ((lengths**2).sum() or 1.0)
    titles = [f"direction {k + 1} ({share:.3g} % of the path)" for k, share in enumerate(shares)]
    return end, leading[:2] * np.sign(largest)[:, None], tuple(titles)


def one_word(directions):
    """Return the word that names directions, or None where they are numbers."""
    if not isinstance(directions, str):
        return None
    return one_of("directions", directions, ("leading", "random"))


def _are_random(directions):
    return one_word(directions) == "random"


def random_directions(point, groups, random_state):
    """Return two random directions, in which the weights of each unit are as long as they are.

    Other parameters stay where they are (Li et al., 2018, section 4).

    Parameters
    ----------
    point : ndarray of shape (d,)
    groups : ndarray of shape (d,), int
        The unit that each weight leads to; -1 for parameters that are no weights.
    random_state : int, RandomState instance or None

    Returns
    -------
    ndarray of shape (2, d)
    """
    groups = groups if groups.max() >= 0 else np.zeros_like(groups)
    found = check_random_state(random_state).standard_normal((2, len(point)))
    found[:, groups < 0] = 0.0
    weights = groups >= 0

    def lengths(values):
        return np.sqrt(np.bincount(groups[weights], values[weights] ** 2))

    for direction in found:
        factor = lengths(point) / np.maximum(lengths(direction), np.finfo(float).tiny)
        direction[weights] *= factor[groups[weights]]
    return found


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
