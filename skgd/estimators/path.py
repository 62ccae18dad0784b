"""Paths: the coefficients as the strength of the penalty falls."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skgd.estimators._sklearn import Interval, validate_params
from skgd.estimators.data import pieces_of, validated_rows
from skgd.estimators.docstrings import documented
from skgd.estimators.minimizers import direct
from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.piece_rows import rows_in_pieces
from skgd.estimators.regressor import GDRegressor
from skgd.estimators.user_warnings import warn
from skgd.estimators.validation import MatrixLike, numbers
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.objective.piece_facts import MAX_COLUMNS
from skgd.penalties import Penalty
from skgd.pieces import Pieces
from skgd.solvers.active_set_path import minima_along
from skgd.solvers.gram_path import minima_on_gram

MOST = 100_000  # alphas of a path


class Path(NamedTuple):
    """The minima for a falling sequence of alphas.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        The largest first.
    coefs : ndarray of shape (n_features, n_alphas)
    intercepts : ndarray of shape (n_alphas,)
        Zeros without an intercept.
    gaps : ndarray of shape (n_alphas,)
        Upper bounds of the distance to the minimum, in the unit of the objective.
    n_iters : ndarray of shape (n_alphas,)
        Passes over the data for each.
    """

    alphas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    gaps: np.ndarray
    n_iters: np.ndarray


@documented
@validate_params(
    {
        "X": ["array-like", "sparse matrix", Pieces],
        "y": ["array-like", None],
        "penalty": GDRegressor._parameter_constraints["penalty"],
        "l1_ratio": GDRegressor._parameter_constraints["l1_ratio"],
        "alphas": ["array-like", None],
        "n_alphas": [Interval(Integral, 1, MOST, closed="both")],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "fit_intercept": ["boolean"],
        "sample_weight": ["array-like", Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": GDRegressor._parameter_constraints["max_iter"],
    },
    prefer_skip_nested_validation=True,
)
def path(
    X: MatrixLike,
    y: ArrayLike | None = None,
    *,
    penalty: str | Penalty = "l1",
    l1_ratio: float = 0.5,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    eps: float = 1e-3,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 1000,
) -> Path:
    """Return the minima over a falling sequence of alphas, each started at the one before.

    The working set of columns, and its Gram matrix, are kept from alpha to alpha.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Or `skgd.pieces.Pieces` with targets and weights of their own, or a dask array or
        dataframe: one reading tells the products of the columns, and these the whole path.
    y : array-like of shape (n_samples,)
    {penalty}
    {l1_ratio}
    alphas : array-like of shape (n_alphas,) or None, default=None
        In any order; None for ``n_alphas`` in equal ratios from the smallest that leaves no
        weight down to ``eps`` times that; from 1 where no column is correlated with y, as where
        y is constant.
    n_alphas : int, default=100
    eps : float, default=1e-3
        In (0, 1).
    {fit_intercept}
    sample_weight : array-like of shape (n_samples,), float or None, default=None
    tol : float, default=1e-4
        Of the scaled residual, as in `GDRegressor`.
    max_iter : int, default=1000
        Passes over the data for each alpha, at most.

    Returns
    -------
    Path

    Warns
    -----
    ConvergenceWarning
        Where ``max_iter`` was not enough.

    See Also
    --------
    sklearn.linear_model.lasso_path : The same, by coordinate descent on the rows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> import skgd
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = skgd.path(X, y, n_alphas=5, eps=0.01, tol=1e-8)
    >>> found.alphas.round(3)
    array([2.148, 0.679, 0.215, 0.068, 0.021])
    >>> (found.coefs != 0.0).sum(axis=0)
    array([0, 4, 5, 7, 8])
    >>> bool((found.gaps < 1e-8 * y.var()).all())
    True
    """
    tol, eps = plain(tol), plain(eps)
    model = GDRegressor(
        penalty=penalty, l1_ratio=l1_ratio, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter
    )
    alphas = None if alphas is None else given_alphas(alphas)
    rows = _rows_of_path(model, X, y, sample_weight)
    with rows.held():
        return _path_of(model, rows, alphas, n_alphas, eps)


def _rows_of_path(model, X, y, sample_weight):
    """Return the rows, in memory or in pieces, if a path is known of their kind."""
    wrong = "path takes one target at a time; y has 2 dimensions."
    X = pieces_of(X, y, sample_weight)
    if not isinstance(X, Pieces):
        rows = validated_rows(model, X, y, sample_weight)
        if not rows.is_single:
            raise ValueError(wrong)
        return rows
    if X.n_targets is not None:
        raise ValueError(wrong)
    if X.n_features > MAX_COLUMNS:
        raise ValueError(
            f"X has {X.n_features} columns. path on rows in pieces keeps their products, of at "
            f"most {MAX_COLUMNS} columns."
        )
    return rows_in_pieces(model, X, True)


def _path_of(model, rows, alphas, n_alphas, eps):
    """Return the `Path` of a model of which alpha is of no account."""
    tol, max_iter = model.tol, model.max_iter
    objective, level = _centred_objective(model, rows)
    solver = direct(objective, tol, for_path=True)
    alphas = _grid(solver.problem, n_alphas, eps) if alphas is None else alphas
    coefs, gaps, n_iters = np.zeros((objective.p, len(alphas))), np.zeros(len(alphas)), []
    swept, n_passes = minima_on_gram(solver, alphas), np.ones(len(alphas), dtype=int)
    if not swept.reached.any():
        swept = minima_along(solver, alphas, max_iter)
        n_passes = swept.n_passes
    for k, alpha in enumerate(alphas):
        if swept.reached[k]:
            coefs[:, k], gaps[k] = swept.coefs[k], swept.gaps[k]
            n_iters.append(n_passes[k])
            continue
        solver.set_alpha(alpha, swept.coefs[k - 1] if k and swept.reached[k - 1] else None)
        solver.minimize(max_iter)
        coefs[:, k] = solver.theta
        gaps[k] = solver.objective.dual_gap(solver.theta, solver.certificate)
        n_iters.append(solver.record.n_epochs)
        if not solver.outcome.settled:
            warn(
                f"At alpha={alpha:.3g} the path has not converged in max_iter={max_iter} passes "
                f"over the data: the scaled residual is {solver.record.residual:.1e}, and tol is "
                f"{tol:.1e}."
            )
    centre = np.zeros(objective.p) if objective.centre is None else objective.centre
    intercepts = level - centre @ coefs
    return Path(np.array(alphas, dtype=float), coefs, intercepts, gaps, np.array(n_iters))


def _centred_objective(model, rows):
    """Return the objective at alpha = 1, of rows and targets less their means, and that of y."""
    intercept, loss = bool(model.fit_intercept), part_of(model, "loss")
    columns, (constant,) = rows.columns(intercept), rows.constants(loss, intercept)
    centre, level = (columns.mean, rows.levels[0]) if intercept else (None, 0.0)
    (term,) = rows.terms(Linear(False), loss, centre, columns, np.array([level]))
    return Objective(term, part_of(model, "penalty"), 1.0, null_objective=constant.unit), level


def given_alphas(alphas):
    """Return the alphas that were given, the largest first."""
    found = numbers(alphas, "alphas", {np.shape(alphas): "one number for each"})
    if found.ndim != 1 or not found.size or found.min() < 0.0:
        raise ValueError(
            f"alphas must be a list of numbers that are not negative. Got {alphas!r} instead."
        )
    return np.sort(found)[::-1]


def _grid(problem, n_alphas, eps):
    """Return alphas in equal ratios, from the smallest that leaves no weight."""
    strengths = problem.l1_strength > 0.0
    if not strengths.any():
        raise ValueError("A penalty without an l1 part leaves no weight at no alpha: give alphas.")
    largest = float(np.abs(problem.q[strengths] / problem.l1_strength[strengths]).max())
    if largest == 0.0:  # no column is correlated with y: every weight is zero at every alpha
        largest = 1.0
    if largest * eps < np.finfo(float).tiny:
        raise ValueError(
            f"The 'eps' parameter of path must be larger: {eps} of the largest alpha is 0."
        )
    return np.geomspace(largest, largest * eps, n_alphas)
