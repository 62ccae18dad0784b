"""The data term: whatever provides value and gradient over rows descends through the one loop."""

import numpy as np
import pytest
from scipy import optimize, sparse

from skgd.descent.descent import Descent
from skgd.descent.options import Options, Setup
from skgd.descent.outcome import Outcome
from skgd.losses import Huber, Poisson, SquaredError
from skgd.models import Gabor, Linear
from skgd.objective.data_term import DataTerm, value_and_gradient
from skgd.objective.objective import Objective
from skgd.objective.rowwise import RowwiseTerm
from skgd.optimizers import GD, SAGA, Adam, Momentum, Nesterov
from skgd.penalties import L1, L2, NoPenalty
from skgd.schedules import Constant

HIDDEN = 3


class Network(DataTerm):
    """One hidden layer of tanh units under the squared error; biases are not penalised."""

    def __init__(self, X, y):
        self.X, self.y, (self.n_samples, self.p) = X, y, X.shape
        self.n_parameters = HIDDEN * (self.p + 2) + 1
        self.penalized = np.arange(self.n_parameters) < HIDDEN * (self.p + 1)

    def split(self, theta):
        W, v, b = np.split(theta, [HIDDEN * self.p, HIDDEN * (self.p + 1)])
        return W.reshape(self.p, HIDDEN), v, b[:HIDDEN], b[HIDDEN]

    def accumulate(self, theta, rows, g, buffers):
        W, v, b, c = self.split(theta)
        A = np.tanh(self.X[rows] @ W + b)
        r = (A @ v + c - self.y[rows]) / len(rows)
        D = np.outer(r, v) * (1.0 - A**2)
        g += np.concatenate([(self.X[rows].T @ D).ravel(), A.T @ r, D.sum(axis=0), [r.sum()]])
        return 0.5 * len(rows) * r @ r


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    return Network(X, np.tanh(X[:, 0] - X[:, 1]) + 0.1 * rng.standard_normal(40))


@pytest.fixture
def start(network):
    return 0.5 * np.random.default_rng(1).standard_normal(network.n_parameters)


def descend(objective, optimizer, start, n_epochs, *, batch_size=None, **options):
    """Return a descent with a path, its rows in their natural order."""
    options = {"tol": None, "record_path": 1} | options
    setup = Setup(batch_size=batch_size, sampling="cyclic")
    descent = Descent(objective, optimizer, Constant(), start, setup, Options(**options))
    descent.minimize(n_epochs)
    return descent


def soft(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0.0)


def adam_path(network, start, rate, alpha, n_epochs, batch):
    """Return the iterates of Adam with its per-coordinate proximal step, from the definition."""
    theta, m, v, path, t = start.copy(), 0.0, 0.0, [start], 0
    for _ in range(n_epochs):
        for rows in np.split(np.arange(network.n_samples), range(batch, network.n_samples, batch)):
            t, g = t + 1, np.zeros(theta.size)
            network.accumulate(theta, rows, g, {})
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            s = 1.0 / (np.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
            theta = theta - rate * s * m / (1.0 - 0.9**t)
            theta = np.where(network.penalized, soft(theta, rate * s * alpha), theta)
            path.append(theta)
    return np.array(path)


@pytest.mark.parametrize("batch_size", [None, 7, 1])
def test_a_network_descends_through_the_loop_by_adam_with_l1(network, start, batch_size):
    objective = Objective(network, L1(), 0.05)
    descent = descend(objective, Adam(), start, 6, batch_size=batch_size, learning_rate=0.02)
    expected = adam_path(network, start, 0.02, 0.05, 6, batch_size or network.n_samples)
    np.testing.assert_allclose(descent.record.path, expected, rtol=1e-9, atol=1e-12)
    values = [objective.value(theta) for theta in expected[:: (len(expected) - 1) // 6]]
    np.testing.assert_allclose(descent.record.curve, values, rtol=1e-9)


def test_the_zeros_of_a_network_under_l1_are_exact(network, start):
    descent = descend(Objective(network, L1(), 0.02), Adam(), start, 4000, learning_rate=0.01)
    weights = descent.theta[network.penalized]
    assert 0 < np.count_nonzero(weights) < weights.size
    g = np.zeros(start.size)
    network.accumulate(descent.theta, np.arange(40), g, {})
    assert np.abs(g[network.penalized][weights == 0.0]).max() <= 0.02
    moving = np.flatnonzero(network.penalized)[weights != 0.0]
    slopes = g[moving] + 0.02 * np.sign(descent.theta[moving])
    np.testing.assert_allclose(slopes, 0.0, atol=1e-3)


@pytest.mark.parametrize("rule", [GD(), Momentum(), Nesterov()], ids=repr)
def test_a_network_ends_where_its_gradient_vanishes(network, start, rule):
    objective = Objective(network, L2(), 0.1)
    descent = descend(objective, rule, start, 3000, learning_rate=0.1)
    _, g = objective.value_and_gradient(descent.theta)
    assert np.abs(g).max() < 1e-4


def test_weights_of_a_network_can_be_bounded_and_biases_are_not(network, start):
    objective = Objective(network, NoPenalty(), 0.0, positive=True)
    theta = descend(objective, GD(), start, 50, learning_rate=0.1).theta
    assert theta[network.penalized].min() == 0.0
    assert theta[~network.penalized].min() < 0.0


def test_a_gradient_that_a_network_reports_equals_differences(network, start):
    objective = Objective(network, L2(), 0.3)
    slopes = optimize.approx_fprime(start, objective.value, 1e-7)
    np.testing.assert_allclose(objective.value_and_gradient(start)[1], slopes, atol=1e-5)


class BoundedNetwork(Network):
    """The same, with bounds of its curvature that hold near the start."""

    def curvature(self):
        return 4.0

    def diagonal_curvature(self):
        return np.full(self.n_parameters, 4.0)


@pytest.mark.parametrize("rule", [GD(), Momentum(), Nesterov()], ids=repr)
def test_a_term_that_knows_its_curvature_has_an_automatic_rate(network, start, rule):
    term = BoundedNetwork(network.X, network.y)
    objective = Objective(term, L2(), 0.1, null_objective=0.5 * network.y.var())
    descent = descend(objective, rule, start, 3000, tol=1e-3)
    assert descent.learning_rate > 0.0
    assert descent.outcome is Outcome.CONVERGED
    _, g = objective.value_and_gradient(descent.theta)
    unit = np.sqrt(4.1 * 2.0 * objective.null_objective)
    assert np.abs(g).max() <= 1.001e-3 * unit
    with pytest.raises(ValueError, match="has no bound"):
        descend(objective, GD(), start, 1, batch_size=5)


@pytest.mark.parametrize("rule", [GD(), Adam()], ids=repr)
def test_a_term_without_curvature_has_no_automatic_rate_and_says_so(network, start, rule):
    with pytest.raises(ValueError, match=r"The curvature of Network has no bound.*learning_rate"):
        descend(Objective(network, NoPenalty(), 0.0), rule, start, 1)


def test_a_term_that_remembers_no_rows_refuses_variance_reduction(network, start):
    objective = Objective(network, NoPenalty(), 0.0)
    with pytest.raises(ValueError, match="SAGA needs a linear model"):
        descend(objective, SAGA(), start, 1, batch_size=5, learning_rate=0.1)


def test_a_descent_on_a_network_goes_on_as_if_it_had_never_stopped(network, start):
    objective = Objective(network, L1(), 0.05)
    whole = descend(objective, Adam(), start, 6, batch_size=7, learning_rate=0.02)
    parts = descend(objective, Adam(), start, 4, batch_size=7, learning_rate=0.02)
    parts.minimize(2)
    np.testing.assert_array_equal(parts.theta, whole.theta)


ROWWISE = [(Linear(), SquaredError()), (Linear(), Poisson()), (Gabor(amplitude=True), Huber())]


@pytest.mark.parametrize(("model", "loss"), ROWWISE, ids=repr)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("centred", [False, True])
def test_a_rowwise_term_is_the_mean_over_its_rows(model, loss, form, centred):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((30, 5)) * (rng.random((30, 5)) < 0.6)
    y, weight = rng.poisson(2.0, 30).astype(float), rng.uniform(0.2, 2.0, 30)
    centre = np.linspace(-1.0, 1.0, 5) if centred else None
    term = RowwiseTerm(form(X), y, weight / weight.mean(), model, loss, centre=centre)
    theta = 0.3 * rng.standard_normal(term.n_parameters)
    whole, g = term.value_and_gradient(theta)
    by_rows, h = value_and_gradient(term, theta)
    np.testing.assert_allclose(by_rows, whole, rtol=1e-12)
    np.testing.assert_allclose(h, g, rtol=1e-11, atol=1e-13)
    total, pieces = 0.0, np.zeros(g.size)
    for rows in np.array_split(rng.permutation(30), 4):
        piece = np.zeros(g.size)
        total += term.accumulate(theta, rows, piece, {}) * len(rows) / 30
        pieces += piece * len(rows) / 30
    np.testing.assert_allclose(total, whole, rtol=1e-12)
    np.testing.assert_allclose(pieces, g, rtol=1e-11, atol=1e-13)
