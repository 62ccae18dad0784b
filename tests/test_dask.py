"""Dask arrays and dataframes: fits equal those in memory, with bits that no worker changes."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning

import skgd
from skgd import (
    GDGaborRegressor,
    GDMLPClassifier,
    GDMLPRegressor,
    GDRegressor,
    GDRegressorCV,
    JointGridSearchCV,
)
from skgd.engines.dask_ import Workers
from skgd.optimizers import OPTIMIZERS

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

RNG = np.random.default_rng(2)
X = RNG.standard_normal((500, 8)) @ (np.eye(8) + 0.3 * RNG.standard_normal((8, 8))) + 1.0
Y = X[:, ::3].sum(axis=1) + 3.0 + RNG.standard_normal(500)
WEIGHT = RNG.uniform(0.0, 2.0, 500)
BLOCKS = 70, 0, 120, 3, 140, 167  # uneven, one of them empty
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
FEW = {"normalized": 3}  # epochs: at zero its sign amplifies the rounding of sums
LIMIT = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CLUSTER = {"dashboard_address": "127.0.0.1:0", "memory_limit": "1GiB"}
LOOPBACK = {**CLUSTER, "host": "127.0.0.1"}
LASSO = {"penalty": "l1", "alpha": 0.1}
DESCENT = {**LASSO, "optimizer": "nesterov", "tol": None, "max_iter": 15}
BITS = {**DESCENT, "loss": "huber"}
KINDS = {  # of fits, whose bits do not depend on workers
    "descent": BITS,
    "batches": {**BITS, "batch_size": 32, "max_iter": 2, "random_state": 0},
    "one reading": LASSO,
    "Newton steps": {"loss": "huber"},
}


def lazy(rows, blocks=BLOCKS):
    return da.from_array(rows, chunks=(blocks, *[-1] * (rows.ndim - 1)))


def unknown(array):
    """Return an array that does not know the sizes of its blocks."""
    rest = array.chunks[1:]
    return array.map_blocks(np.asarray, dtype=array.dtype, chunks=((np.nan,) * 6, *rest))


def bits(fit):
    """Return what a fit has found, and how, to the last bit."""
    return fit.coef_.tobytes(), fit.intercept_, fit.loss_curve_.tobytes()


@pytest.fixture
def here():
    """Let dask compute in this thread."""
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def cluster():
    """Yield a client of two worker processes on loopback."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, **LOOPBACK) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def client(cluster):
    """Let the two worker processes compute."""
    cluster.wait_for_workers(2)
    with cluster.as_current():
        yield cluster


def no_futures(client):
    """Whether a client ceases to hold futures."""
    until = time.monotonic() + 5.0
    while client.futures and time.monotonic() < until:
        time.sleep(0.01)
    return not client.futures


@LIMIT
@pytest.mark.parametrize(
    ("optimizer", "penalty"), [*((rule, "l1") for rule in OPTIMIZERS), ("adam", "l2")]
)
def test_a_descent_on_blocks_is_that_on_the_whole(optimizer, penalty, here):
    options = {"optimizer": optimizer, "penalty": penalty, "alpha": 0.1, "tol": None}
    options |= {"max_iter": FEW.get(optimizer, 8)}
    whole = GDRegressor(**options).fit(X, Y, WEIGHT)
    blocks = GDRegressor(**options).fit(lazy(X), lazy(Y), lazy(WEIGHT))
    np.testing.assert_allclose(blocks.coef_, whole.coef_, **CLOSE)
    np.testing.assert_allclose(blocks.intercept_, whole.intercept_, **CLOSE)
    np.testing.assert_allclose(blocks.loss_curve_, whole.loss_curve_, **CLOSE)
    assert blocks.stop_reason_ == whole.stop_reason_


@pytest.mark.parametrize(
    "options", [{}, {"penalty": None}, LASSO, {**LASSO, "positive": True}], ids=str
)
def test_a_direct_solver_finds_on_blocks_what_it_finds_on_the_whole(options, here):
    whole, blocks = GDRegressor(**options).fit(X, Y), GDRegressor(**options).fit(lazy(X), lazy(Y))
    assert type(blocks.coef_) is np.ndarray
    assert blocks.converged_
    np.testing.assert_allclose(blocks.coef_, whole.coef_, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(blocks.coef_ == 0.0, whole.coef_ == 0.0)


FORMS = {
    "other blocks": lambda: (lazy(X), lazy(Y, (250, 250)), lazy(WEIGHT, (1, 499))),
    "y in memory": lambda: (lazy(X), Y, WEIGHT),
    "unknown sizes": lambda: map(unknown, (lazy(X), lazy(Y), lazy(WEIGHT))),
    "unknown sizes of X": lambda: (unknown(lazy(X)), lazy(Y), lazy(WEIGHT)),
    "blocks of columns": lambda: (lazy(X).rechunk({1: 3}), lazy(Y), lazy(WEIGHT)),
    "columns of unknown length": lambda: (unknown(lazy(X).rechunk({1: 3})), lazy(Y), lazy(WEIGHT)),
    "one column of y": lambda: (lazy(X), lazy(Y[:, None]), lazy(WEIGHT)),
    "F order": lambda: (lazy(X).map_blocks(np.asfortranarray), lazy(Y), lazy(WEIGHT)),
}


@LIMIT
@pytest.mark.parametrize("form", FORMS)
def test_bits_do_not_depend_on_how_dask_holds_the_same_blocks(form, here):
    once = GDRegressor(**BITS).fit(lazy(X), lazy(Y), lazy(WEIGHT))
    other = GDRegressor(**BITS).fit(*FORMS[form]())
    np.testing.assert_array_equal(np.ravel(other.coef_), once.coef_)
    np.testing.assert_array_equal(np.ravel(other.intercept_), once.intercept_)


def test_an_empty_block_changes_nothing(here):
    with_empty = 70, 0, 120, 0, 310
    one = GDRegressor(**LASSO).fit(lazy(X, with_empty), lazy(Y, with_empty))
    other = GDRegressor(**LASSO).fit(lazy(X, (70, 120, 310)), lazy(Y, (70, 120, 310)))
    np.testing.assert_allclose(one.coef_, other.coef_, **CLOSE)


def test_a_number_weighs_all_rows(here):
    one = GDRegressor(**LASSO).fit(lazy(X), lazy(Y), 2.0)
    np.testing.assert_allclose(one.coef_, GDRegressor(**LASSO).fit(X, Y, 2.0).coef_, **CLOSE)


@pytest.mark.parametrize("kind", ["csr", "float32", "int"])
def test_other_types_of_blocks_are_read_as_they_are(kind, here):
    options = {**LASSO, "optimizer": "nesterov"}
    make = {
        "csr": lambda rows: sparse.csr_matrix(np.where(np.abs(rows) > 1.0, rows, 0.0)),
        "float32": lambda rows: rows.astype(np.float32),
        "int": lambda rows: (10.0 * rows).astype(int),
    }[kind]
    whole = GDRegressor(**options).fit(make(X), Y)
    blocks = GDRegressor(**options).fit(lazy(X).map_blocks(make), lazy(Y))
    assert blocks.coef_.dtype == whole.coef_.dtype
    np.testing.assert_allclose(blocks.coef_, whole.coef_, rtol=1e-6, atol=1e-8)


def test_several_targets_are_those_of_the_whole(here):
    targets = np.column_stack([Y, -2.0 * Y + X[:, 0]])
    whole = GDRegressor().fit(X, targets)
    blocks = GDRegressor().fit(lazy(X), lazy(targets).rechunk({1: 1}))
    np.testing.assert_allclose(blocks.coef_, whole.coef_, **CLOSE)
    np.testing.assert_allclose(blocks.intercept_, whole.intercept_, **CLOSE)


def frame_of(names=tuple("abcdefgh")):
    frame = pd.DataFrame(X, columns=list(names)).assign(y=Y, weight=WEIGHT)
    return dd.from_pandas(frame, npartitions=4)


def test_the_columns_of_a_dataframe_have_their_names(here):
    frame = frame_of()
    columns = list("abcdefgh")
    fit = GDRegressor(**LASSO).fit(frame[columns], frame["y"], frame["weight"])
    whole = GDRegressor(**LASSO).fit(X, Y, WEIGHT)
    np.testing.assert_allclose(fit.coef_, whole.coef_, **CLOSE)
    assert fit.feature_names_in_.tolist() == columns
    assert fit.feature_names_in_.dtype == object
    two = GDRegressor(**LASSO).fit(frame[columns], frame[["y", "weight"]])
    assert two.coef_.shape == (2, 8)
    np.testing.assert_allclose(two.coef_[0], GDRegressor(**LASSO).fit(X, Y).coef_, **CLOSE)


OTHER = unknown(lazy(Y, (60, 10, 120, 3, 140, 167)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: (unknown(lazy(X)), Y), "sizes of the blocks of X are unknown"),
        (lambda: (unknown(lazy(X)), lazy(Y, (500,))), "X has 6 blocks of rows and y 1"),
        (lambda: (lazy(X), lazy(Y)[:-1]), r"inconsistent numbers of samples: \[500, 499\]"),
        (lambda: (lazy(X), Y[:-1]), r"inconsistent numbers of samples: \[500, 499\]"),
        (lambda: (lazy(X), None), "y is missing"),
        (lambda: (lazy(X)[:, 0], lazy(Y)), "two dimensions"),
        (lambda: (lazy(X), lazy(X)[:, :, None]), "y has 3 dimensions"),
        (lambda: (lazy(X), lazy(Y), lazy(X)), "sample_weight has 2 dimensions"),
        (lambda: (lazy(X), lazy(Y), -lazy(WEIGHT)), "Negative values in data passed"),
        (lambda: (dask.delayed(X), lazy(Y)), "X must be a dask array, dataframe or series"),
        (
            lambda: (da.zeros((2**20, 1000), chunks=(2**20, 500)), Y),
            r'X.rechunk\({0: "auto", 1: -1',
        ),
        (
            lambda: (lazy(X), unknown(lazy(Y, (60, 10, 120, 3, 140, 167)))),
            r"y of piece \d has \d+ entries for \d+ rows",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_in_words(given, message, here):
    with pytest.raises(ValueError, match=message):
        GDRegressor().fit(*given())


def test_what_is_not_finite_is_reported_with_its_block_and_row(here):
    rows = X.copy()
    rows[195, 3] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN.*row 2 of piece 4"):
        GDRegressor().fit(lazy(rows), lazy(Y))


@LIMIT
@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")
def test_curves_have_the_bits_of_one_process_on_workers(client):
    curve = GDGaborRegressor(random_state=0, n_init=2, n_screen=50, max_iter=10, fit_width=True)
    rows = lazy(X[:, :2].copy()), lazy(Y), lazy(WEIGHT)
    found = [curve.fit(*rows)]
    with dask.config.set(scheduler="sync"):
        found += [GDGaborRegressor(**curve.get_params(deep=False)).fit(*rows)]
    for name in ("theta_", "starts_", "covariance_", "hessian_eigenvalues_", "loss_curve_"):
        one, other = (vars(fit)[name].tobytes() for fit in found)
        assert one == other, name
    assert no_futures(client)


@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")
def test_searches_on_workers_are_those_in_memory_and_hold_no_futures(client):
    lazily = GDRegressorCV(penalty="l1").fit(lazy(X), lazy(Y), lazy(WEIGHT))
    assert no_futures(client)
    whole = GDRegressorCV(penalty="l1").fit(X, Y, WEIGHT)
    np.testing.assert_allclose(lazily.mse_path_, whole.mse_path_, rtol=1e-8)
    grid = JointGridSearchCV(GDRegressor(loss="huber", tol=1e-8), {"alpha": [0.1, 1.0]}, cv=2)
    found = grid.fit(lazy(X), lazy(Y)).cv_results_["mean_test_score"]
    assert no_futures(client)
    np.testing.assert_allclose(grid.fit(X, Y).cv_results_["mean_test_score"], found, rtol=1e-5)


@LIMIT
@pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_bits_do_not_depend_on_the_scheduler_or_the_workers(kind, client):
    options = KINDS[kind]
    once = bits(GDRegressor(**options).fit(lazy(X), lazy(Y), lazy(WEIGHT)))
    assert no_futures(client)
    for scheduler in ("sync", "threads"):
        with dask.config.set(scheduler=scheduler):
            fit = GDRegressor(**options).fit(lazy(X), lazy(Y), lazy(WEIGHT))
        assert bits(fit) == once
    with (
        distributed.LocalCluster(1, threads_per_worker=2, **LOOPBACK) as one,
        distributed.Client(one),
    ):
        assert bits(GDRegressor(**options).fit(lazy(X), lazy(Y), lazy(WEIGHT))) == once


@LIMIT
@pytest.mark.parametrize("kind", ["descent", "one reading"])
def test_bits_do_not_depend_on_where_blocks_lie(kind, client):
    rows, targets = lazy(X, (70, 120, 3, 140, 167)), lazy(Y, (70, 120, 3, 140, 167))
    once = bits(GDRegressor(**KINDS[kind]).fit(rows, targets))
    addresses = sorted(client.nthreads())
    for places in ((0, 1, 0, 1, 0), (1, 1, 1, 1, 1), (1, 1, 0, 0, 1)):
        parts = [
            client.persist(rows.blocks[k], workers=[addresses[place]])
            for k, place in enumerate(places)
        ]
        spread = da.concatenate(parts)
        assert bits(GDRegressor(**KINDS[kind]).fit(spread, targets)) == once
        del parts, spread
    assert no_futures(client)


@LIMIT
def test_a_fit_goes_on_with_the_same_bits_where_a_worker_is_lost(client, monkeypatch):
    once = bits(GDRegressor(**BITS).fit(lazy(X), lazy(Y)))
    processes, asked, ask = [*client.run(os.getpid).values()], [], Workers.ask

    def ask_and_kill(self, verb, *arguments):
        asked.append(verb)
        if len(asked) == 8:
            os.kill(processes[0], signal.SIGKILL)
        return ask(self, verb, *arguments)

    monkeypatch.setattr(Workers, "ask", ask_and_kill)
    assert bits(GDRegressor(**BITS).fit(lazy(X), lazy(Y))) == once
    assert len(asked) > 10
    assert no_futures(client)


def test_a_failed_fit_holds_nothing_either(client):
    rows = X.copy()
    rows[195, 3] = np.inf
    with pytest.raises(ValueError, match="row 2 of piece 4"):
        GDRegressor().fit(lazy(rows), lazy(Y))
    with pytest.raises(ValueError, match=r"y of piece \d has \d+ entries for \d+ rows"):
        GDRegressor().fit(lazy(X), OTHER)
    assert no_futures(client)


def alive():
    """Return the threads and the child processes of this process, but for those that last."""
    names = [thread.name for thread in threading.enumerate()]
    lasting = "skgd", "ThreadPoolExecutor", "Profile", "IO loop", "AsyncProcess"
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    processes = children.read_text(encoding="ascii").split() if children.exists() else []
    return sorted(name for name in names if not name.startswith(lasting)), processes


def n_tasks(dask_scheduler):
    return len(dask_scheduler.tasks)


@LIMIT
def test_a_fit_leaves_no_task_thread_or_process_behind(client):
    fits = [{}, DESCENT, {**BITS, "batch_size": 32, "max_iter": 1}, {"loss": "huber"}]
    GDRegressor(**DESCENT).fit(lazy(X), lazy(Y))
    before, on_workers = alive(), client.run(alive)
    for options in fits:
        GDRegressor(**options).fit(lazy(X), lazy(Y))
        with pytest.raises(ValueError, match="contains NaN"):
            GDRegressor(**options).fit(lazy(np.where(X > 3.0, np.nan, X)), lazy(Y))
    assert no_futures(client)
    assert alive() == before
    assert client.run(alive) == on_workers
    until = time.monotonic() + 5.0
    while client.run_on_scheduler(n_tasks) and time.monotonic() < until:
        time.sleep(0.01)
    assert client.run_on_scheduler(n_tasks) == 0


def test_workers_with_another_version_are_refused(client, monkeypatch):
    monkeypatch.setattr(skgd, "__version__", "0.0.0.other")
    with pytest.raises(ImportError, match=r"All workers need skgd 0\.0\.0\.other"):
        GDRegressor().fit(lazy(X), lazy(Y))
    assert no_futures(client)


NETWORK = {"hidden_layer_sizes": (5,), "max_iter": 2, "tol": None, "random_state": 0}
GABOR = {"n_init": 1, "n_screen": 4, "polish": False, "max_iter": 2, "random_state": 0}
TWO = np.column_stack([Y, X[:, 0] - Y])
NAMES = np.array(["low", "middle", "high"])
CLASSES = NAMES[np.digitize(Y, np.quantile(Y, [0.3, 0.7]))]
FITS = {
    "linear": lambda: GDRegressor().fit(X, Y),
    "two targets": lambda: GDRegressor().fit(X, TWO),
    "poisson": lambda: GDRegressor(loss="poisson").fit(X, np.abs(Y)),
    "gabor": lambda: GDGaborRegressor(**GABOR).fit(X, Y),
    "network": lambda: GDMLPRegressor(**NETWORK).fit(X, Y),
    "two outputs": lambda: GDMLPRegressor(**NETWORK).fit(X, TWO),
    "classes": lambda: GDMLPClassifier(**NETWORK).fit(X, CLASSES),
}
METHODS = "predict", "predict_proba", "predict_log_proba", "decision_function"


@LIMIT
@pytest.mark.filterwarnings("ignore::UserWarning:skgd")
@pytest.mark.parametrize("fit", FITS)
def test_predictions_are_lazy_and_those_of_the_whole(fit, here):
    fitted = FITS[fit]()
    for method in METHODS:
        if not hasattr(fitted, method):
            continue
        predict = getattr(fitted, method)
        whole = predict(X)
        for rows in (lazy(X), unknown(lazy(X)), lazy(X).rechunk({1: 3}), lazy(X.astype("f4"))):
            lazily = predict(rows)
            assert isinstance(lazily, da.Array)
            assert lazily.ndim == whole.ndim
            assert lazily.dtype == predict(X.astype(rows.dtype)).dtype
            np.testing.assert_equal(lazily.chunks[0], rows.chunks[0])
            found = lazily.compute()
            assert (found.dtype, found.shape) == (lazily.dtype, whole.shape)
            if whole.dtype.kind == "f":
                np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-4)
                continue
            assert np.mean(found == whole) > 0.99


@LIMIT
@pytest.mark.filterwarnings("ignore::UserWarning:skgd")
@pytest.mark.parametrize("fit", [name for name in FITS if name != "poisson"])
def test_a_score_is_that_of_the_whole(fit, here):
    fitted = FITS[fit]()
    y = {"classes": CLASSES, "two targets": TWO, "two outputs": TWO}.get(fit, Y)
    for weight in (None, WEIGHT):
        score = fitted.score(X, y, weight)
        given = None if weight is None else lazy(weight)
        assert fitted.score(lazy(X), lazy(y), given) == pytest.approx(score, rel=1e-12)
    assert fitted.score(lazy(X), y) == pytest.approx(fitted.score(X, y), rel=1e-12)
    lengths = (
        unknown(lazy(X)),
        lazy(y).map_blocks(np.copy, chunks=((np.nan,) * 6, *lazy(y).chunks[1:])),
    )
    assert fitted.score(*lengths) == pytest.approx(fitted.score(X, y), rel=1e-12)


def test_a_dataframe_is_predicted_for_by_the_names_of_its_columns(here):
    frame, columns = frame_of(), list("abcdefgh")
    fit = GDRegressor().fit(frame[columns], frame["y"])
    lazily = fit.predict(frame[columns])
    assert isinstance(lazily, da.Array)
    whole = fit.predict(frame[columns].compute())
    np.testing.assert_allclose(lazily.compute(), whole, **CLOSE)
    whole = GDRegressor().fit(X, Y).score(X, Y)
    assert fit.score(frame[columns], frame["y"]) == pytest.approx(whole, rel=1e-10)
    for ask in (fit.predict, lambda rows: fit.score(rows, frame["y"])):
        with pytest.raises(ValueError, match="feature names should match"):
            ask(frame[columns[::-1]])
        with pytest.raises(ValueError, match="X has 7 features, but GDRegressor is expecting 8"):
            ask(frame[columns[1:]])


def test_lazy_predictions_are_those_of_the_fit_that_made_them(here):
    fit = GDRegressor().fit(X, Y)
    lazily, whole = fit.predict(lazy(X)), fit.predict(X)
    fit.fit(X, -Y)
    np.testing.assert_allclose(lazily.compute(), whole, **CLOSE)


def test_a_score_is_refused_where_it_has_no_meaning(here):
    fit, broken = GDRegressor().fit(X, Y), Y.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="of piece 0 contains NaN"):
        fit.score(lazy(X), lazy(broken))
    with pytest.raises(ValueError, match="y has 2 columns; the predictions 1"):
        fit.score(lazy(X), lazy(TWO))
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(fit.score(lazy(X[:1], (1,)), lazy(Y[:1], (1,))))
    assert fit.score(lazy(X), lazy(np.ones(500))) == fit.score(X, np.ones(500)) == 0.0
    with pytest.raises(NotFittedError):
        GDRegressor().predict(lazy(X))


def test_nothing_is_pulled_into_memory_without_a_word(here):
    for ask in (
        lambda: GDRegressor().fit(X, Y, X_val=lazy(X), y_val=lazy(Y)),
        lambda: GDRegressor().objective(lazy(X), lazy(Y)),
    ):
        with pytest.raises(ValueError, match=r"X is a Array of dask.*X\.compute\(\)"):
            ask()


def test_workers_predict_and_score(client):
    fit = GDRegressor().fit(X, Y)
    np.testing.assert_allclose(fit.predict(lazy(X)).compute(), fit.predict(X), **CLOSE)
    assert fit.score(lazy(X), lazy(Y)) == pytest.approx(fit.score(X, Y), rel=1e-12)
    assert no_futures(client)


def assert_runs(code, *arguments):
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), *arguments], check=True)


def test_dask_is_imported_only_where_it_comes_in():
    assert_runs(
        """
        import sys
        import numpy as np
        from skgd import GDMLPClassifier, GDRegressor
        from skgd.pieces import from_callables

        X, y = np.eye(4), np.arange(4.0)
        GDRegressor().fit(X, y).score(X, y)
        GDRegressor().partial_fit(X, y).predict(X)
        GDRegressor().fit(from_callables([lambda: (X, y)])).predict(X)
        GDMLPClassifier(hidden_layer_sizes=(2,), max_iter=1, tol=None).fit(X, y > 1.0)
        assert not {"dask", "distributed"} & sys.modules.keys()
        """
    )


def test_a_fit_is_read_where_there_is_no_dask(here, tmp_path):
    fit = GDRegressor(**LASSO).fit(lazy(X), lazy(Y))
    known = {name: type(value).__module__ for name, value in vars(fit).items()}
    assert not [name for name, module in known.items() if module.startswith(("dask", "distr"))]
    (tmp_path / "fit").write_bytes(pickle.dumps((fit, X, fit.predict(X))))
    assert_runs(
        """
        import sys
        sys.modules["dask"] = sys.modules["distributed"] = None
        import pickle
        from pathlib import Path

        fit, X, predicted = pickle.loads(Path(sys.argv[1]).read_bytes())
        assert (fit.predict(X) == predicted).all()
        """,
        str(tmp_path / "fit"),
    )
