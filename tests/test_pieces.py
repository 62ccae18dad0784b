"""Rows in pieces: fits equal those of the whole, and sums do not depend on who adds them."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skgd import GDRegressor
from skgd.engines.tree import Tree, Verb, ask_all
from skgd.kernels.row_kernels import loss_terms
from skgd.losses import AbsoluteError, EpsilonInsensitive, Quantile
from skgd.objective.line_pieces import LinePieces
from skgd.optimizers import OPTIMIZERS
from skgd.pieces import from_callables

RNG = np.random.default_rng(1)
MIX = np.eye(8) + 0.3 * RNG.standard_normal((8, 8))
X = RNG.standard_normal((500, 8)) @ MIX + 1.0
Y = X[:, ::3].sum(axis=1) + 3.0 + RNG.standard_normal(500)
WEIGHT = RNG.uniform(0.0, 2.0, 500)
CUTS = [0, 70, 70, 190, 193, 333, 500]  # uneven, one of them empty
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
FEW = {"normalized": 3}  # epochs: at zero its sign amplifies the rounding of sums
LIMIT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def in_pieces(X, y, weight=None, cuts=CUTS):
    def loader(a, b):
        return lambda: (X[a:b], y[a:b], None if weight is None else weight[a:b])

    return from_callables([loader(a, b) for a, b in itertools.pairwise(cuts)])


def assert_equal_fits(one, other):
    np.testing.assert_allclose(one.coef_, other.coef_, **CLOSE)
    np.testing.assert_allclose(one.intercept_, other.intercept_, **CLOSE)
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, **CLOSE)
    np.testing.assert_array_equal(one.n_iter_, other.n_iter_)
    np.testing.assert_array_equal(one.stop_reason_, other.stop_reason_)


@LIMIT
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_descent_on_pieces_is_that_on_the_whole(optimizer, penalty, weight):
    options = {"optimizer": optimizer, "penalty": penalty, "alpha": 0.1, "tol": None}
    options |= {"max_iter": FEW.get(optimizer, 30), "record_path": True}
    whole = GDRegressor(**options).fit(X, Y, weight)
    pieces = GDRegressor(**options).fit(in_pieces(X, Y, weight))
    assert_equal_fits(pieces, whole)
    np.testing.assert_allclose(pieces.path_, whole.path_, **CLOSE)
    np.testing.assert_allclose(pieces.dual_gap_, whole.dual_gap_, rtol=1e-8, atol=1e-10)


@LIMIT
@pytest.mark.parametrize(
    "loss", ["huber", "absolute_error", "poisson", "squared_epsilon_insensitive"]
)
def test_every_loss_descends_on_pieces_as_on_the_whole(loss):
    options = {"loss": loss, "optimizer": "nesterov", "tol": None, "max_iter": 20}
    y = np.abs(Y)
    whole = GDRegressor(**options).fit(X, y, WEIGHT)
    assert_equal_fits(GDRegressor(**options).fit(in_pieces(X, y, WEIGHT)), whole)


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": None},
        {"alpha": 0.1},
        {"penalty": "l1", "alpha": 0.3},
        {"penalty": "elasticnet", "alpha": 0.3},
        {"penalty": "l1", "alpha": 0.3, "positive": True},
        {"penalty": "l1", "alpha": 0.3, "fit_intercept": False},
        {"optimizer": "adam", "penalty": "l1", "alpha": 0.1},
        {"optimizer": "lbfgs"},
        {"optimizer": "newton", "loss": "huber"},
    ],
    ids=str,
)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
def test_a_fit_that_converges_on_the_whole_does_so_on_pieces(options, weight):
    whole = GDRegressor(**options, tol=1e-8).fit(X, Y, weight)
    pieces = GDRegressor(**options, tol=1e-8).fit(in_pieces(X, Y, weight))
    assert pieces.converged_
    np.testing.assert_allclose(pieces.coef_, whole.coef_, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(pieces.coef_ == 0.0, whole.coef_ == 0.0)
    unit = 0.5 * np.var(Y)
    assert pieces.dual_gap_ <= 1e-8 * unit or "huber" in options.values()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize(
    "options",
    [
        {"penalty": None},
        {"alpha": 0.1},
        {"penalty": "l1", "alpha": 0.05},
        {"penalty": "elasticnet", "alpha": 0.05, "positive": True},
        {"penalty": "l1", "alpha": 0.05, "optimizer": "adam"},
        {"fit_intercept": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_epsilon_insensitive"])
def test_smooth_losses_are_certified_on_pieces(loss, options, weight):
    y = np.abs(Y)
    whole = GDRegressor(loss=loss, tol=1e-9, **options).fit(X, y, weight)
    pieces = GDRegressor(loss=loss, tol=1e-6, **options).fit(in_pieces(X, y, weight))
    objective = whole.objective(X, y, weight)
    excess = objective.value(pieces.parameters()) - objective.value(whole.parameters())
    unit = objective.null_objective
    assert pieces.converged_
    assert pieces.dual_gap_ <= 1e-6 * unit
    assert excess <= pieces.dual_gap_ + 1e-12 * unit  # the gap is a bound, and the truth is near


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize(
    "options",
    [
        {"penalty": None},
        {"alpha": 0.1},
        {"penalty": "l1", "alpha": 0.05},
        {"penalty": "elasticnet", "alpha": 0.05, "positive": True},
        {"penalty": "l1", "alpha": 0.05, "fit_intercept": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "epsilon_insensitive"])
def test_losses_whose_slope_jumps_are_certified_on_pieces(loss, options, weight):
    whole = GDRegressor(loss=loss, tol=1e-6, **options).fit(X, Y, weight)
    assert whole.converged_
    pieces = GDRegressor(loss=loss, **options).fit(in_pieces(X, Y, weight))
    objective = whole.objective(X, Y, weight)
    excess = objective.value(pieces.parameters()) - objective.value(whole.parameters())
    unit = objective.null_objective
    assert pieces.converged_
    assert pieces.dual_gap_ <= 1e-6 * unit
    assert excess <= pieces.dual_gap_ + 1e-9 * unit


@pytest.mark.parametrize("loss", [AbsoluteError(), Quantile(0.2), EpsilonInsensitive(0.3)])
def test_smoothed_losses_have_the_slopes_of_differences_and_tend_to_the_losses(loss):
    f = np.linspace(-2.0, 2.0, 401)
    lines, h = LinePieces(loss, np.full(401, 0.123)), 1e-6
    for smoothing in (1.0, 0.1):
        value, slope, second = lines.smoothed(f, smoothing)
        (above, up, _), (below, down, _) = (lines.smoothed(f + s, smoothing) for s in (h, -h))
        np.testing.assert_allclose((above - below) / (2.0 * h), slope, atol=1e-8)
        np.testing.assert_allclose((up - down) / (2.0 * h), second, atol=1e-6)
        exact = loss_terms(loss, f, lines.y)[0]
        assert (value >= exact).all()
        assert (value <= exact + smoothing).all()


def test_weights_whose_squares_are_no_numbers_are_those_of_any_size():
    for loss in ("huber", "absolute_error"):
        one = GDRegressor(loss=loss).fit(in_pieces(X, Y, WEIGHT))
        other = GDRegressor(loss=loss).fit(in_pieces(X, Y, 2.0**600 * WEIGHT))
        np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-6, atol=1e-6)


def test_columns_far_from_zero_are_fitted_on_pieces_as_on_the_whole():
    for loss in ("huber", "poisson", "absolute_error"):
        near = GDRegressor(loss=loss, tol=1e-6).fit(in_pieces(X, np.abs(Y)))
        far = GDRegressor(loss=loss, tol=1e-6).fit(in_pieces(X + 2.0**17, np.abs(Y)))
        assert far.converged_
        np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-3, atol=1e-3)


def solved(A, r):
    """Return the solution of linear equations in fractions, by Gauss and Jordan."""
    rows = [[*row, right] for row, right in zip(A, r)]
    for k, pivot in enumerate(rows):
        rows[k] = [value / pivot[k] for value in pivot]
        for i in [i for i in range(len(rows)) if i != k]:
            rows[i] = [v - rows[i][k] * u for v, u in zip(rows[i], rows[k])]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("far", [2.0**14, 2.0**20, 2.0**23])
@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
def test_columns_far_from_zero_are_solved_without_an_intercept(far, penalty):
    rows, alpha = X[:60, :4] + far * np.array([1.0, -2.0, 0.5, 3.0]), 0.1 if penalty else 0.0
    model = GDRegressor(penalty=penalty, alpha=alpha, fit_intercept=False)
    model.fit(in_pieces(rows, Y[:60], cuts=[0, 20, 20, 45, 60]))
    x, y = [[*map(Fraction, row)] for row in rows.tolist()], [*map(Fraction, Y[:60].tolist())]
    G = [[sum(row[i] * row[j] for row in x) / 60 for j in range(4)] for i in range(4)]
    q = [sum(row[i] * t for row, t in zip(x, y)) / 60 for i in range(4)]
    w, a = [*map(Fraction, model.coef_.tolist())], Fraction(alpha)
    l1, l2 = (a, 0) if penalty == "l1" else (0, a)

    def value(w):
        left = [sum(u * v for u, v in zip(row, w)) - t for row, t in zip(x, y)]
        square = sum(v * v for v in left) / 120
        return square + l1 * sum(map(abs, w)) + Fraction(l2) / 2 * sum(v * v for v in w)

    S = [i for i in range(4) if w[i]]
    H = [[G[i][j] + (l2 if i == j else 0) for j in S] for i in S]
    least = [Fraction(0)] * 4
    for i, v in zip(S, solved(H, [q[i] - l1 * (1 if w[i] > 0 else -1) for i in S])):
        least[i] = v
    for i in set(range(4)) - {*S}:  # the conditions of a minimum, exactly
        assert abs(q[i] - sum(G[i][j] * least[j] for j in S)) <= l1
    assert all(least[i] * w[i] > 0 for i in S)
    unit = 0.5 * np.mean(Y[:60] ** 2)
    assert model.converged_
    assert model.dual_gap_ <= 1e-6 * unit
    assert float(value(w) - value(least)) <= model.dual_gap_ + 1e-9 * unit


def test_the_gap_of_a_fit_that_was_cut_short_bounds_what_is_left():
    options = {"loss": "huber", "penalty": "l1", "alpha": 0.05}
    least = GDRegressor(**options, tol=1e-10).fit(X, Y)
    with pytest.warns(ConvergenceWarning):
        model = GDRegressor(**options, optimizer="gd", max_iter=20).fit(in_pieces(X, Y))
    objective = least.objective(X, Y)
    excess = objective.value(model.parameters()) - objective.value(least.parameters())
    assert excess <= model.dual_gap_ <= 1.5 * excess


def test_the_direct_solver_reads_the_pieces_once():
    readings = []

    def loader(a, b):
        def load():
            readings.append(a)
            return X[a:b], Y[a:b]

        return load

    pieces = from_callables([loader(a, a + 100) for a in range(0, 500, 100)])
    readings.clear()
    GDRegressor(penalty="l1", alpha=0.1).fit(pieces)
    assert sorted(readings) == [0, 100, 200, 300, 400]


def test_pieces_that_are_kept_are_loaded_once_for_each_fit():
    loaded = []

    def load():
        loaded.append(1)
        return X, Y

    pieces = from_callables([load], keep=True)
    loaded.clear()
    one = GDRegressor(optimizer="nesterov", penalty="l1", alpha=0.1).fit(pieces)
    assert len(loaded) == 1
    other = GDRegressor(optimizer="nesterov", penalty="l1", alpha=0.1).fit(pieces)
    assert len(loaded) == 2
    np.testing.assert_array_equal(one.coef_, other.coef_)


@pytest.mark.parametrize("kind", ["csr", "float32"])
def test_other_storages_are_read_from_pieces_too(kind):
    rows = sparse.csr_matrix(np.where(np.abs(X) > 1.0, X, 0.0)) if kind == "csr" else X
    rows = rows.astype(np.float32) if kind == "float32" else rows
    whole = GDRegressor(penalty="l1", alpha=0.1, optimizer="nesterov").fit(rows, Y)
    pieces = GDRegressor(penalty="l1", alpha=0.1, optimizer="nesterov").fit(in_pieces(rows, Y))
    assert pieces.coef_.dtype == whole.coef_.dtype
    np.testing.assert_allclose(pieces.coef_, whole.coef_, rtol=1e-6, atol=1e-8)


def test_several_targets_are_those_of_the_whole():
    Y2 = np.column_stack([Y, -2.0 * Y + X[:, 0]])
    whole, pieces = GDRegressor().fit(X, Y2), GDRegressor().fit(in_pieces(X, Y2))
    assert pieces.coef_.shape == (2, 8)
    np.testing.assert_allclose(pieces.coef_, whole.coef_, **CLOSE)


def test_a_weight_of_two_is_a_row_given_twice_in_another_piece():
    weight = np.where(np.arange(500) < 100, 2.0, 1.0)
    twice = np.concatenate([np.arange(500), np.arange(100)])
    one = GDRegressor(penalty="l1", alpha=0.1).fit(in_pieces(X, Y, weight))
    other = GDRegressor(penalty="l1", alpha=0.1)
    other.fit(in_pieces(X[twice], Y[twice], cuts=[0, 250, 600]))
    np.testing.assert_allclose(one.coef_, other.coef_, **CLOSE)


@given(st.permutations(range(6)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_pieces_moves_a_fit_by_rounding_only(order):
    spans = [(CUTS[k], CUTS[k + 1]) for k in order]
    pieces = from_callables([lambda a=a, b=b: (X[a:b], Y[a:b]) for a, b in spans])
    one = GDRegressor(penalty="l1", alpha=0.1).fit(in_pieces(X, Y))
    np.testing.assert_allclose(
        GDRegressor(penalty="l1", alpha=0.1).fit(pieces).coef_, one.coef_, **CLOSE
    )


def _numbers(piece, number):
    return (piece,)


def _sum(one, other):
    return (one[0] + other[0],)


@given(st.integers(1, 40), st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_tree_has_the_same_bits_for_any_grouping(m, n_groups, random):
    values = [random.uniform(-1.0, 1.0) * 10.0 ** random.randint(-8, 8) for _ in range(m)]
    verb = Verb(_numbers, _sum)
    whole = ask_all(verb, enumerate(values), m, ())
    ((first,),) = whole.values()
    groups = [[] for _ in range(n_groups)]
    for k in range(m):
        random.choice(groups).append(k)
    tree = Tree(m, _sum)
    for group in groups:
        random.shuffle(group)
        tree.join(ask_all(verb, [(k, values[k]) for k in group], m, ()))
    assert tree.answer[0] == first


@pytest.mark.parametrize(
    ("place", "what"), [("X", "Input X contains NaN"), ("y", "Input y contains NaN")]
)
def test_what_is_not_finite_is_reported_with_its_piece_and_row(place, what):
    rows, targets = X.copy(), Y.copy()
    (rows if place == "X" else targets)[195] = np.nan
    with pytest.raises(ValueError, match=f"{what}.*row 2 of piece 4"):
        GDRegressor().fit(in_pieces(rows, targets))


@pytest.mark.parametrize(
    ("given_rows", "message"),
    [
        (lambda: (X[:5], Y[:4]), "y of piece 1 has 4 entries for 5 rows"),
        (lambda: (X[:5, :3], Y[:5]), "X of piece 1 has shape"),
        (lambda: (X[:5], ["a"] * 5), "y of piece 1 must be numbers"),
        (lambda: (X[:5], Y[:5], -np.ones(5)), "Negative values in data passed"),
    ],
)
def test_pieces_that_do_not_fit_are_refused_by_name(given_rows, message):
    with pytest.raises(ValueError, match=message):
        GDRegressor().fit(from_callables([lambda: (X[5:10], Y[5:10]), given_rows]))


def test_targets_and_weights_beside_pieces_are_refused():
    for given_too in ({"y": Y}, {"sample_weight": WEIGHT}):
        with pytest.raises(ValueError, match="Pass them alone"):
            GDRegressor().fit(in_pieces(X, Y), **given_too)
        with pytest.raises(ValueError, match="Pass them alone"):
            GDRegressor().fit(X, Y).score(in_pieces(X, Y), **given_too)


def test_pieces_without_rows_or_weight_are_refused():
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        GDRegressor().fit(from_callables([lambda: (X[:0], Y[:0])]))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        GDRegressor().fit(in_pieces(X, Y, np.zeros(500)))
    with pytest.raises(ValueError, match="X_val"):
        GDRegressor(early_stopping=True).fit(in_pieces(X, Y))


@LIMIT
def test_a_resumed_fit_on_pieces_is_one_that_never_stopped():
    options = {"optimizer": "momentum", "tol": None, "warm_start": True}
    once = GDRegressor(**options, max_iter=20).fit(in_pieces(X, Y))
    twice = GDRegressor(**options, max_iter=10)
    twice.fit(in_pieces(X, Y)).fit(in_pieces(X, Y))
    np.testing.assert_array_equal(once.coef_, twice.coef_)
    assert twice.t_ == 20
