"""On the full batch of small data a fit depends on its rows as a set, to the last bit."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skgd import GDGaborRegressor, GDMLPClassifier, GDMLPRegressor, GDRegressor
from skgd.estimators.data import rows_in_use
from skgd.estimators.distinct_rows import distinct_rows
from skgd.estimators.minimizers import SECOND_ORDER
from skgd.estimators.rows import weighed_rows
from skgd.kernels.moments import SMALL
from skgd.losses import LOSSES
from skgd.optimizers import OPTIMIZERS

FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_matrix,
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RULES = {cls: name for name, cls in OPTIMIZERS.items()}  # a rule of two names is tried once


@st.composite
def weighted_rows(draw):
    """Return rows with whole weights, some of them alike, and those of the same set."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p = draw(st.integers(3, 20)), draw(st.integers(1, 6))
    X = rng.standard_normal((n, p)).astype(draw(st.sampled_from([np.float32, np.float64])))
    X[rng.random(X.shape) < draw(st.sampled_from([0.0, 0.5]))] = 0.0
    y = rng.integers(0, 3, n).astype(float)
    weight = rng.integers(0, 5, n).astype(float)
    weight[:2] = 1.0, 2.0
    some = rng.integers(0, n, n // 3)  # these share their first number, or all, with others
    X[some, 0] = X[0, 0]
    X[some[::2]], y[some[::2]] = X[0], y[0]
    order = rng.permutation(int(weight.sum()))
    again = np.repeat(np.arange(n), weight.astype(int))[order]
    return (X, y, weight), (X[again], y[again])


def dense(X):
    return X.toarray() if sparse.issparse(X) else X


def bits(*arrays):
    """Return the bytes of arrays, however these lie in memory."""
    return [dense(a).tobytes() for a in arrays]


@settings(max_examples=200, deadline=None)
@given(weighted_rows(), st.sampled_from([*FORMS]))
def test_rows_are_one_set_in_any_order_and_however_often_they_are_given(data, form):
    (X, y, weight), (X_again, y_again) = data
    found = distinct_rows(FORMS[form](X), y, weight)
    again = distinct_rows(FORMS[form](X_again), y_again, np.ones(len(y_again)))
    assert bits(*found) == bits(*again)
    assert found[0].dtype == X.dtype
    expected = Counter()
    for x, target, s in zip(X.tolist(), y.tolist(), weight.tolist()):
        expected[*x, target] += s
    rows = [(*x, target) for x, target in zip(dense(found[0]).tolist(), found[1].tolist())]
    assert dict(zip(rows, found[2].tolist())) == {row: s for row, s in expected.items() if s > 0.0}
    assert len(rows) == len(set(rows))


def test_rows_keep_their_order_of_memory_and_sparse_ones_no_stored_zeros():
    X, y = np.arange(12.0).reshape(4, 3), np.zeros((4, 2))
    assert distinct_rows(X, y, np.ones(4))[0].flags.c_contiguous
    assert distinct_rows(np.asfortranarray(X), y, np.ones(4))[0].flags.f_contiguous
    stored = sparse.csr_matrix((np.zeros(2), ([0, 3], [0, 0])), shape=(4, 1))
    rows, targets, weight = distinct_rows(stored, y, np.ones(4))
    assert (rows.nnz, targets.shape, weight.tolist()) == (0, (1, 2), [4.0])


def test_a_zero_has_no_sign():
    X, y = np.array([[0.0], [-0.0], [1.0]]), np.array([-0.0, 0.0, 0.0])
    rows, targets, weight = distinct_rows(X, y, np.ones(3))
    assert not np.signbit(rows).any()
    assert not np.signbit(targets).any()
    assert sorted(weight) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("n", "options"),
    [
        (SMALL + 1, {"optimizer": "rmsprop"}),
        (40, {"optimizer": "rmsprop", "batch_size": 8}),
        (40, {"optimizer": "rmsprop", "batch_size": 40, "sampling": "replacement"}),
        (40, {}),
    ],
    ids=["many", "batches", "drawn", "direct"],
)
def test_other_rows_are_read_where_they_are(n, options):
    rows = weighed_rows(np.arange(n)[:, None] % 7.0, np.zeros(n), np.ones(n))
    assert rows_in_use(GDRegressor(**options), rows, False) is rows


def test_rows_that_are_all_alike_stay_as_many():
    rows = weighed_rows(np.ones((5, 2)), np.ones(5), np.arange(5.0))
    assert rows_in_use(GDRegressor(optimizer="gd"), rows, False) is rows


def test_weights_whose_sum_is_no_number_stay_apart():
    rows = weighed_rows(np.arange(4.0)[:, None] % 2.0, np.zeros(4), np.full(4, 1.5e308))
    assert rows_in_use(GDRegressor(optimizer="gd"), rows, False) is rows


def data_of(seed=0, n=25, p=3, classes=None):
    rng = np.random.default_rng(seed)
    X, weight = rng.standard_normal((n, p)), rng.integers(0, 5, n)
    y = X @ np.arange(1.0, p + 1.0) + rng.standard_normal(n)
    y = np.abs(y) if classes is None else rng.integers(0, classes, n)
    again = rng.permutation(np.repeat(np.arange(n), weight))
    return (X, y, weight), (X[again], y[again])


def assert_same_fits(model, weighted, repeated):
    """Assert that both fits have the same record and the same parameters, in bits."""
    one = model.fit(*weighted[:2], sample_weight=weighted[2])
    told = bits(one.parameters(), one.loss_curve_), one.n_iter_, one.stop_reason_
    other = model.fit(*repeated)
    assert told == (bits(other.parameters(), other.loss_curve_), other.n_iter_, other.stop_reason_)


@pytest.mark.parametrize("form", ["C", "F", "CSR"])
@pytest.mark.parametrize("rule", [*RULES.values(), *SECOND_ORDER])
def test_a_weight_of_two_is_a_row_given_twice_by_every_rule(rule, form):
    model = GDRegressor(optimizer=rule, alpha=0.01, penalty="l2", max_iter=200, tol=1e-6)
    (X, y, weight), (X_again, y_again) = data_of()
    one, other = (FORMS[form](A) for A in (X, X_again))
    assert_same_fits(model, (one, y, weight), (other, y_again))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "squared_error"])
def test_so_it_is_under_every_loss(loss):
    model = GDRegressor(loss=loss, optimizer="rmsprop", max_iter=100)
    assert_same_fits(model, *data_of())


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (GDMLPRegressor((4,), batch_size=None, max_iter=50, random_state=0), {}),
        (GDMLPRegressor((4,), optimizer="lbfgs", batch_size=None, random_state=0), {}),
        (GDMLPClassifier((4,), batch_size=1000, max_iter=50, random_state=0), {"classes": 3}),
        (GDGaborRegressor(optimizer="rmsprop", max_iter=50, random_state=0), {}),
        (GDGaborRegressor(optimizer="lbfgs", random_state=0), {}),
    ],
    ids=lambda value: type(value).__name__ if value else "",
)
def test_so_it_is_for_every_model(model, options):
    assert_same_fits(model, *data_of(**options))


def test_so_it_is_for_many_targets_and_for_a_row_left_out():
    (X, y, weight), (X_again, y_again) = data_of()
    model = GDRegressor(optimizer="adadelta", max_iter=100)
    both, both_again = (np.column_stack([t, t**2]) for t in (y, y_again))
    one = model.fit(X, both, sample_weight=weight).coef_
    assert bits(one) == bits(model.fit(X_again, both_again).coef_)
    kept = weight > 0
    assert bits(one) == bits(model.fit(X[kept], both[kept], sample_weight=weight[kept]).coef_)


def test_a_fit_goes_on_with_the_bits_of_one_that_never_stopped():
    (X, y, weight), (X_again, y_again) = data_of()
    model = GDRegressor(optimizer="nadam", tol=None, max_iter=6, learning_rate=0.1)
    whole = model.fit(X, y, sample_weight=weight).coef_
    parts = GDRegressor(optimizer="nadam", tol=None, learning_rate=0.1)
    for k in range(6):
        parts.partial_fit(*((X, y, weight) if k % 2 else (X_again, y_again)))
    assert bits(whole) == bits(parts.coef_)
