"""How often a fit reads the data, counted at the functions that do."""

import numpy as np
import pytest

from skgd import GDRegressor
from skgd.estimators import data, rows
from skgd.objective import curvature, least_squares, rowwise

READERS = [  # what reads X once whenever it is called, and the module that calls it
    (rows, "means_and_variances"),
    (data, "assert_all_finite"),
    (rowwise, "matvec"),
    (rowwise, "rmatvec"),
    (rowwise, "gram"),
    (rowwise, "column_squares"),
    (rowwise, "column_means"),
    (rowwise.RowwiseTerm, "value_and_gradient"),
    (curvature, "row_squares"),
    (least_squares, "triangle"),
]


def make_rows(n=5000, p=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1.0
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n)


@pytest.fixture
def readings(monkeypatch):
    """Return the names of all readings from here on, but for those of the loop."""
    noted = []

    def noting(function):
        def noted_function(*args, **options):
            noted.append(function.__name__)
            return function(*args, **options)

        return noted_function

    for owner, name in READERS:
        monkeypatch.setattr(owner, name, noting(getattr(owner, name)))
    return noted


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 100.0},
        {"alpha": 100.0, "fit_intercept": False},
        {"alpha": 1e-4},
        {"alpha": 0.01, "penalty": "l1"},
        {"alpha": 0.01, "penalty": "l1", "positive": True},
        {"penalty": None},
        {"alpha": 0.01, "penalty": "elasticnet", "fit_intercept": False},
    ],
    ids=str,
)
def test_four_accelerated_iterations_take_at_most_nine_readings(readings, options, dtype, order):
    X, y = make_rows()
    model = GDRegressor(optimizer="nesterov", max_iter=4, tol=None, **options)
    model.fit(np.asarray(X, dtype, order=order), y)
    at_start_and_epochs = len(model.loss_curve_)
    assert at_start_and_epochs == 5
    assert len(readings) + at_start_and_epochs <= 9, readings


@pytest.mark.parametrize(("optimizer", "n_moments"), [("nesterov", 1), ("auto", 0)])
def test_whether_the_data_is_finite_is_told_by_the_first_reading_that_is_needed_anyway(
    readings, optimizer, n_moments
):
    X, y = make_rows()
    model = GDRegressor(optimizer=optimizer, max_iter=2000).fit(X, y)
    assert "assert_all_finite" not in readings
    assert readings.count("means_and_variances") == n_moments
    X[17, 3] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(X, y)
    assert readings[-1] == "assert_all_finite"


def test_the_curvature_from_products_of_columns_is_that_of_products_with_vectors(monkeypatch):
    X, y = make_rows()
    weight = np.random.default_rng(1).uniform(0.0, 2.0, len(y))
    for options in ({}, {"fit_intercept": False}, {"center": False}):
        model = GDRegressor(**options)
        found = model.objective(X, y, weight).curvature
        monkeypatch.setattr(rowwise, "MAX_GRAM_COLUMNS", 0)
        objective = model.objective(X, y, weight)
        np.testing.assert_allclose(found, objective.curvature, rtol=1e-10)
        monkeypatch.undo()
        A = np.column_stack([X - (objective.centre if objective.centre is not None else 0.0)])
        A = np.column_stack([A, np.ones(len(y))]) if objective.d > objective.p else A
        H = A.T @ (A * (weight / weight.sum())[:, None])
        largest = np.linalg.eigvalsh(H)[-1]
        assert largest * (1.0 - 1e-12) <= found <= 1.02 * largest
