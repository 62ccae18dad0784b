"""Wave packets on rows in pieces: starts, descents and minima equal those of the whole."""

import itertools
import random

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import curve_fit

from skgd import GDGaborRegressor
from skgd.engines.tree import Tree, ask_all
from skgd.objective.piece_curves import triangle
from skgd.objective.piece_facts import PieceFacts
from skgd.pieces import Pieces, from_callables, loaded_piece

RNG = np.random.default_rng(5)
X = RNG.uniform(-15.0, 15.0, (400, 1))
U = 0.5 + 0.06 * 12.0 * X[:, 0]
Y = np.sin(U) * np.exp(-(U**2) / 32.0) + 0.1 * RNG.standard_normal(400)
WEIGHT = RNG.uniform(0.0, 2.0, 400) * (np.arange(400) % 5 > 0)
CUTS = [0, 70, 70, 190, 191, 400]  # uneven, one of them empty
SOUGHT = {"random_state": 0, "n_init": 3, "n_screen": 300}
FREE = {"fit_amplitude": True, "fit_width": True, "fit_baseline": True}
LIMIT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def in_pieces(X, y, weight=None, cuts=CUTS):
    def loader(a, b):
        return lambda: (X[a:b], y[a:b], None if weight is None else weight[a:b])

    return from_callables([loader(a, b) for a, b in itertools.pairwise(cuts)])


@LIMIT
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("options", [{}, FREE, {"penalty": "l1"}, {"loss": "huber"}], ids=str)
def test_a_descent_from_init_is_that_on_the_whole(options, weight):
    init = [0.0, 10.0, 1.1, 3.5, 0.1] if options == FREE else [0.0, 10.0]
    known = {"init": init, "optimizer": "adam", "tol": None, "max_iter": 20, "record_path": True}
    whole = GDGaborRegressor(**known, **options).fit(X, Y, weight)
    pieces = GDGaborRegressor(**known, **options).fit(in_pieces(X, Y, weight))
    for name in ("theta_", "path_", "loss_curve_", "hessian_eigenvalues_", "covariance_"):
        expected, found = (vars(fit)[name] for fit in (whole, pieces))
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-11, err_msg=name)
    assert pieces.kind_ == whole.kind_


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("options", [{}, {"loss": "absolute_error", "max_iter": 30}], ids=str)
@LIMIT
def test_starts_and_minima_are_those_of_the_whole(options, weight):
    some = slice(0, 250)  # of which all are screened on, in whatever order
    rows = X[some], Y[some], None if weight is None else weight[some]
    whole = GDGaborRegressor(**SOUGHT, **options).fit(*rows)
    cuts = [0, 70, 70, 190, 191, 250]
    pieces = GDGaborRegressor(**SOUGHT, **options, n_jobs=2).fit(in_pieces(*rows, cuts=cuts))
    np.testing.assert_allclose(pieces.starts_, whole.starts_, rtol=1e-10)
    assert [m.kind for m in pieces.minima_] == [m.kind for m in whole.minima_]
    assert [m.n_starts for m in pieces.minima_] == [m.n_starts for m in whole.minima_]
    np.testing.assert_allclose(pieces.theta_, whole.theta_, rtol=1e-7)
    np.testing.assert_allclose(pieces.standard_errors_, whole.standard_errors_, rtol=1e-7)
    np.testing.assert_allclose(pieces.score(in_pieces(X, Y)), whole.score(X, Y), rtol=1e-8)


@pytest.mark.parametrize("kind", ["csr", "float32", "two columns"])
def test_other_storages_are_read_from_pieces(kind):
    rows = np.column_stack([X, np.where(np.arange(400) % 3 > 0, X[::-1, 0], 0.0)])
    rows = {"csr": sparse.csr_matrix(rows), "float32": rows.astype(np.float32)}.get(kind, rows)
    known = {"init": [0.1, 10.0, 0.5], "optimizer": "gd", "tol": None, "max_iter": 20}
    whole = GDGaborRegressor(**known).fit(rows, Y)
    pieces = GDGaborRegressor(**known).fit(in_pieces(rows, Y))
    assert pieces.theta_.dtype == whole.theta_.dtype
    close = {"rtol": 1e-5 if kind == "float32" else 1e-9}
    np.testing.assert_allclose(pieces.theta_, whole.theta_, **close)
    np.testing.assert_allclose(pieces.covariance_, whole.covariance_, **close)


def test_some_of_many_rows_are_those_that_have_a_weight_as_they_are_counted():
    pieces = in_pieces(sparse.csr_matrix(X), Y, WEIGHT)
    facts = PieceFacts.read(pieces.engine, 1, X.dtype, False)
    numbers, rows = np.array([0, 3, 100, 101, 319]), np.flatnonzero(WEIGHT)
    for found, expected in zip(facts.rows(numbers, 0), (X, Y, WEIGHT)):
        np.testing.assert_array_equal(found, expected[rows[numbers]])


@pytest.mark.parametrize("weight", [None, WEIGHT[:60]], ids=["even", "weighted"])
def test_rows_given_twice_count_twice_in_the_covariance_as_in_scipy(weight):
    rows, y = np.repeat(X[:60], 2, axis=0), np.repeat(Y[:60], 2)
    weight = None if weight is None else np.repeat(weight, 2)
    used = np.full(120, True) if weight is None else weight > 0.0
    sigma = None if weight is None else weight[used] ** -0.5

    def packet(x, offset, frequency):
        u = offset + 0.06 * frequency * x
        return np.sin(u) * np.exp(-(u**2) / 32.0)

    _, expected = curve_fit(packet, rows[used, 0], y[used], [0.4, 11.0], sigma)
    known = {"init": [0.4, 11.0], "polish": True}
    whole = GDGaborRegressor(**known).fit(rows, y, weight)
    pieces = GDGaborRegressor(**known).fit(in_pieces(rows, y, weight, cuts=[0, 50, 120]))
    for fit in (whole, pieces):
        np.testing.assert_allclose(fit.covariance_, expected, rtol=1e-4)


class Grouped:
    """An engine that asks pieces in random groups and orders, from memory anywhere."""

    def __init__(self, seed):
        self.random, self.n_pieces = random.Random(seed), len(CUTS) - 1

    def piece(self, number):
        rows = slice(CUTS[number], CUTS[number + 1])
        room = np.empty(X[rows].size + 8)
        off = self.random.randrange(8)
        moved = room[off : off + X[rows].size].reshape(-1, 1)
        moved[:] = X[rows]
        return loaded_piece(number, (moved, Y[rows], WEIGHT[rows]))

    def ask(self, verb, *arguments):
        tree, groups = Tree(self.n_pieces, verb.merge), [[], [], []]
        for number in range(self.n_pieces):
            self.random.choice(groups).append(number)
        self.random.shuffle(groups)
        for group in groups:
            self.random.shuffle(group)
            some = [(number, self.piece(number)) for number in group]
            tree.join(ask_all(verb, some, self.n_pieces, arguments))
        return tree.answer

    def release(self):
        """Forget nothing."""


def test_bits_do_not_depend_on_who_asks_the_pieces_and_where_they_lie():
    found = []
    for seed in range(3):
        model = GDGaborRegressor(**SOUGHT, **FREE)
        model.fit(Pieces(Grouped(seed), 1, np.float64))
        known = model.theta_, model.covariance_, model.hessian_eigenvalues_, model.loss_curve_
        found.append(b"".join(values.tobytes() for values in known))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("shape", [(30, 4), (3, 4), (1, 1), (5, 5)])
def test_triangles_are_those_of_lapack_but_for_signs(shape):
    J = RNG.standard_normal(shape) * 10.0 ** RNG.integers(-5, 5, shape[1])
    J[:, -1] = J[:, 0]
    R = triangle(J)
    expected = np.abs(np.linalg.qr(J, mode="r"))
    np.testing.assert_allclose(np.abs(R[: len(expected)]), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(np.tril(R, -1), 0.0)


def test_batches_of_pieces_lead_to_a_minimum_of_all_rows():
    model = GDGaborRegressor(**SOUGHT, batch_size=16, max_iter=3, tol=None)
    model.fit(in_pieces(X, Y))
    assert model.kind_ == "minimum"
    assert np.isfinite(model.standard_errors_).all()


def test_init_and_bounds_that_do_not_resolve_are_refused():
    with pytest.raises(ValueError, match="double precision does not resolve"):
        GDGaborRegressor(init=[0.0, 1e12]).fit(in_pieces(X, Y))
    with pytest.raises(ValueError, match="row 2 of piece 2"):
        GDGaborRegressor().fit(in_pieces(np.where(np.arange(400) == 72, np.nan, X.T).T, Y))
