"""Each direct solver, forced by its tuning, finds the minimum of scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model
from sklearn.linear_model import Lasso, Ridge

from skgd.descent.outcome import Outcome
from skgd.estimators.minimizers import direct
from skgd.kernels.moments import column_means
from skgd.kernels.rows import are_even, even_weights
from skgd.losses import SquaredError
from skgd.models import Linear
from skgd.objective.objective import Objective
from skgd.penalties import L1, L2, ElasticNet
from skgd.solvers.auto import Tuning
from skgd.solvers.cholesky import Tuning as Cholesky
from skgd.solvers.columns import Tuning as Columns
from skgd.solvers.conjugate_gradient import Tuning as ConjugateGradient
from skgd.solvers.products import products
from skgd.solvers.smooth import Tuning as Smooth
from skgd.solvers.working_set import Tuning as WorkingSet

NOT_FIRST = {"cheap_seconds": -1.0, "cheap_passes": -1.0}  # a Cholesky factor
NEVER = {**NOT_FIRST, "max_unknowns": 0}  # a factor
SOON = ConjugateGradient(forecast_start=1, forecast_share=0.0, forecast_doubt=-np.inf)
SMOOTH = {
    "factor": Smooth(cheap_seconds=np.inf),
    "conjugate gradients": Smooth(**NEVER),
    "singular values": Smooth(
        **NOT_FIRST, conjugate_gradient=SOON, cholesky=Cholesky(min_pivot=np.inf)
    ),
    "gradients, then a factor": Smooth(
        **NOT_FIRST,
        conjugate_gradient=ConjugateGradient(forecast_share=0.0, forecast_doubt=-np.inf),
    ),
    "a descent": Smooth(**NEVER, conjugate_gradient=ConjugateGradient(restarts=0)),
}
L1_TUNINGS = {
    "Gram matrix": WorkingSet(columns=Columns(gram_sweeps=np.inf)),
    "residuals": WorkingSet(columns=Columns(max_gram_columns=-1, gram_sweeps=-1.0)),
    "residuals, then a Gram matrix": WorkingSet(columns=Columns(gram_sweeps=-1.0)),
    "a descent": WorkingSet(max_columns=0),
}
STORAGES = {
    "C": np.ascontiguousarray,
    "CSR": sparse.csr_array,
    "float32": lambda X: X.astype(np.float32),
}


def make_rows(n, p, seed=0, zeros=0.3):
    """Return rows whose entries float32 holds, a target and weights."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n, p)) * (rng.random((n, p)) > zeros) / 4.0
    y = 2.0 + X @ (rng.standard_normal(p) * (rng.random(p) < 0.3)) + rng.standard_normal(n)
    return X, y, rng.integers(1, 5, n) / 2.5


def solve(X, y, weight, tuning, penalty, alpha, tol=1e-9, start=None, **options):
    """Return the direct solver at its end."""
    weight = weight if are_even(weight) else weight / weight.mean()
    centre, level = None, 0.0
    if options.pop("intercept", True):
        centre, level = column_means(X, weight), weight @ y / len(y)
    objective = Objective.of_rows(
        X, y - level, weight, model=Linear(False), loss=SquaredError(), penalty=penalty,
        alpha=alpha, centre=centre, null_objective=0.5 * (weight @ (y - level) ** 2) / len(y),
        **options,
    )  # fmt: skip
    solver = direct(objective, tol, start, tuning=tuning)
    solver.minimize(20_000)
    return solver


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(60, 8), (12, 30)], ids=str)
@pytest.mark.parametrize("name", SMOOTH)
def test_every_solver_of_a_smooth_problem_finds_the_minimum_of_ridge(name, shape, storage):
    X, y, weight = make_rows(*shape)
    solver = solve(STORAGES[storage](X), y, weight, Tuning(smooth=SMOOTH[name]), L2(), 0.05)
    ridge = Ridge(alpha=0.05 * weight.sum(), tol=1e-12).fit(X, y, weight)
    assert solver.outcome.settled
    tolerance = 1e-4 if storage == "float32" else 1e-6
    np.testing.assert_allclose(solver.theta, ridge.coef_, atol=tolerance)
    assert np.isnan(solver.learning_rate) == (name != "a descent")
    assert len(solver.record.curve) == solver.record.n_epochs + 1
    if name != "a descent":  # which is accelerated, and may rise
        assert (np.diff(solver.record.curve) <= 1e-12 * solver.record.curve[0]).all()


@pytest.mark.parametrize("apart", [1.0, 2.0**-6], ids=["independent", "nearly dependent"])
@pytest.mark.parametrize("penalty", [L1(), L2(), ElasticNet(0.5)], ids=["l1", "l2", "elasticnet"])
def test_float32_rows_of_equal_weight_have_the_minimum_of_their_float64_copy(penalty, apart):
    X, y, _ = make_rows(400, 30)
    X[:, 15:] = X[:, :15] + apart * X[:, 15:]
    solvers = [
        solve(X.astype(dtype), y, even_weights(400), Tuning(), penalty, 0.01)
        for dtype in (np.float32, np.float64)
    ]
    single, double = (solver.objective for solver in solvers)
    assert all(solver.outcome is Outcome.CONVERGED for solver in solvers)
    np.testing.assert_allclose(*(solver.theta for solver in solvers), atol=1e-6)
    ends = double.value(solvers[0].theta), double.value(solvers[1].theta)
    np.testing.assert_allclose(*ends, rtol=1e-12)
    assert single.X.dtype == np.float32


@pytest.mark.parametrize("centred", [0.0, 5.0])
def test_dual_conjugate_gradients_find_the_solution_of_primal_ones(centred):
    X, y, weight = make_rows(15, 40)
    X = X + centred
    options = Tuning(smooth=Smooth(**NEVER)), L2(), 0.05
    rows = solve(X, y, weight, *options)
    columns = solve(X, y, weight, *options, start=1e-6 * np.ones(40))
    ridge = Ridge(alpha=0.05 * weight.sum(), solver="svd").fit(X, y, weight)
    for solver in (rows, columns):
        assert solver.outcome.settled
        np.testing.assert_allclose(solver.theta, ridge.coef_, atol=1e-7)
    assert 4 < rows.record.n_epochs < 100


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", L1_TUNINGS)
def test_every_solver_of_an_l1_problem_finds_the_minimum_of_lasso(name, storage):
    X, y, weight = make_rows(40, 90)
    solver = solve(
        STORAGES[storage](X), y, weight, Tuning(working_set=L1_TUNINGS[name]), L1(), 0.1
    )
    lasso = Lasso(alpha=0.1, tol=1e-13, max_iter=100_000).fit(X, y, weight)
    assert solver.outcome.settled
    tolerance = 1e-4 if storage == "float32" else 1e-6
    np.testing.assert_allclose(solver.theta, lasso.coef_, atol=tolerance)
    descends = name == "a descent" and storage != "CSR"
    assert np.isnan(solver.learning_rate) != descends


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", ["Gram matrix", "residuals", "residuals, then a Gram matrix"])
def test_every_solver_on_sparse_columns_finds_the_minimum_of_the_elastic_net(name, intercept):
    X, y, weight = make_rows(40, 90)
    tuning = Tuning(working_set=L1_TUNINGS[name])
    solver = solve(
        sparse.csr_array(X), y, weight, tuning, ElasticNet(0.4), 0.1, intercept=intercept
    )
    peer = linear_model.ElasticNet(
        alpha=0.1, l1_ratio=0.4, fit_intercept=intercept, tol=1e-13, max_iter=100_000
    ).fit(X, y, weight)
    assert solver.outcome.settled
    np.testing.assert_allclose(solver.theta, peer.coef_, atol=1e-7)


def test_a_descent_that_takes_over_starts_at_the_end_of_the_direct_solver():
    X, y, weight = make_rows(60, 8)
    given = solve(X, y, weight, Tuning(smooth=SMOOTH["factor"]), L2(), 0.05).theta
    solver = solve(
        X, y, weight, Tuning(smooth=SMOOTH["a descent"]), L2(), 0.05, start=given + 1e-3
    )
    value = solver.objective.value
    np.testing.assert_allclose(solver.record.curve[0], value(np.array(given) + 1e-3), rtol=1e-12)
    np.testing.assert_allclose(solver.record.curve[-1], value(solver.theta), rtol=1e-12)
    np.testing.assert_allclose(solver.theta, given, atol=1e-7)


def test_a_factor_that_does_not_resolve_its_columns_is_not_used():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3))
    X = np.c_[X, X[:, 0] + 1e-7 * rng.standard_normal(50)]
    y = X @ [1.0, 2.0, -1.0, 1.0] + 1e3 * (X[:, 3] - X[:, 0]) + 0.1 * rng.standard_normal(50)
    solver = solve(X, y, np.ones(50), Tuning(), L2(), 0.0)
    coef = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    least = solver.objective.value(coef)
    np.testing.assert_allclose(solver.objective.value(solver.theta), least, rtol=1e-9)
    np.testing.assert_allclose(solver.theta, coef, rtol=1e-5)
    # a prediction is a sum of terms ten thousand times as large, whose rounding no gap is below
    rounding = 32.0 * np.finfo(float).eps * (np.abs(X) @ np.abs(coef)).max()
    gap = solver.objective.dual_gap(solver.theta, solver.certificate)
    assert 0.0 <= gap <= 1e-9 * least + rounding * np.sqrt(2.0 * least)


def test_weights_held_to_be_positive_leave_no_residual_where_the_sign_is_wrong():
    X, y, weight = make_rows(60, 8)
    solver = solve(X, y, weight, Tuning(), L1(), 0.1, positive=True)
    peer = Lasso(alpha=0.1, positive=True, tol=1e-13, max_iter=100_000).fit(X, y, weight)
    free = Lasso(alpha=0.1, tol=1e-13).fit(X, y, weight)
    assert (free.coef_ < 0.0).any()
    assert solver.outcome.settled
    assert solver.record.n_epochs == 1
    assert solver.record.residual <= 1e-9
    np.testing.assert_allclose(solver.theta, peer.coef_, atol=1e-7)


@pytest.mark.parametrize("alpha", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("seed", range(6))
def test_a_gap_is_never_negative(alpha, seed):
    X, y, weight = make_rows(60, 8, seed)
    for penalty in (L1(), L2()):
        solver = solve(X, y, weight, Tuning(), penalty, alpha, tol=1e-13)
        for shift in (0.0, 1e-9):
            assert solver.objective.dual_gap(solver.theta + shift, solver.certificate) >= 0.0


@pytest.mark.parametrize("storage", ["C", "CSR"])
@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_float32_is_refined_to_the_solution_of_its_numbers_in_float64(alpha, storage):
    rng = np.random.default_rng(0)
    single = rng.standard_normal((200, 8)).astype(np.float32)
    X, y, weight = single.astype(float), rng.standard_normal(200), np.ones(200)
    exact = solve(STORAGES[storage](X), y, weight, Tuning(), L2(), alpha)
    solver = solve(STORAGES[storage](single), y, weight, Tuning(), L2(), alpha)
    np.testing.assert_allclose(solver.theta, exact.theta, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(80, 6), (12, 30)], ids=str)
def test_for_columns_far_from_zero_the_first_step_of_a_factor_is_the_solution(
    shape, dtype, weighted
):
    X, y, weight = make_rows(*shape)
    weight = weight if weighted else np.ones(len(y))
    shift, tuning = 2.0 ** (21 if dtype == np.float64 else 16), Tuning(smooth=SMOOTH["factor"])
    near = solve(X, y, weight, tuning, L2(), 0.05)
    far = solve((X + shift).astype(dtype), y, weight, tuning, L2(), 0.05, tol=1e-5)
    assert far.outcome.settled
    assert abs(far.record.curve[1] - near.record.curve[-1]) <= 1e-9 * near.record.curve[0]
    np.testing.assert_allclose(far.theta, near.theta, atol=1e-5)


@pytest.mark.parametrize(("penalty", "passes"), [(L1(), 4), (L2(), 20)], ids=repr)
def test_a_solver_that_is_continued_finds_the_minimum_of_one_call(penalty, passes):
    X, y, weight = make_rows(40, 90)
    whole = solve(X, y, weight, Tuning(smooth=SMOOTH["conjugate gradients"]), penalty, 0.01)
    parts = direct(whole.objective, 1e-9, tuning=whole.tuning)
    for k in range(1, 50):
        if parts.minimize(passes).settled:
            break
        assert parts.record.n_epochs == passes * k
    assert k > 1
    value = whole.objective.value
    assert abs(value(parts.theta) - value(whole.theta)) <= whole.gap_goal
    assert len(parts.record.curve) == parts.record.n_epochs + 1


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("scale", [1.0, 1e60], ids=["near one", "beyond float32"])
def test_products_in_single_precision_are_those_in_double_to_its_digits(order, scale):
    X, y, _ = make_rows(10_000, 12)
    single, double = (
        solve(X.astype(dtype, order=order), y, even_weights(len(y)), Tuning(), L2(), 0.1).problem
        for dtype in (np.float32, np.float64)
    )
    fast, exact = products(single, goal=1e-4), (double.matvec, double.rmatvec)
    rng = np.random.default_rng(0)
    for multiply, reference, size in zip(fast, exact, (12, 10_000)):
        v = scale * rng.standard_normal(size)
        wanted = reference(v)
        np.testing.assert_allclose(multiply(v), wanted, atol=1e-6 * np.abs(wanted).max())
    assert products(single, goal=1e-8) == (single.matvec, single.rmatvec)


@pytest.mark.parametrize("p", [5, 80], ids=["tall", "wide"])
def test_conjugate_gradients_on_float32_rows_end_at_the_minimum_of_ridge(p):
    X, y, _ = make_rows(60, p)
    options = Tuning(smooth=Smooth(**NEVER)), L2(), 0.05
    solver = solve(X.astype(np.float32), y, even_weights(60), *options)
    assert solver.outcome is Outcome.CONVERGED
    np.testing.assert_allclose(
        solver.theta, Ridge(0.05 * 60, solver="svd").fit(X, y).coef_, atol=1e-7
    )


@pytest.mark.parametrize("storage", [sparse.csr_array, sparse.csc_array])
def test_products_with_sparse_rows_are_those_with_dense_ones(storage):
    X, y, weight = make_rows(40, 12)
    some, dense = (
        solve(f(X), y, weight, Tuning(), L2(), 0.1).problem for f in (storage, np.array)
    )
    for multiply, reference, size in zip(products(some, 0.0), products(dense, 0.0), (12, 40)):
        v = np.random.default_rng(0).standard_normal(size)
        np.testing.assert_allclose(multiply(v), reference(v), atol=1e-12)
