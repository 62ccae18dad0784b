"""Streams of texts, as in scikit-learn's out-of-core example, and dask-ml's Incremental."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_pipeline

from skgd import GDMLPClassifier, GDMLPRegressor, GDRegressor

RNG = np.random.default_rng(5)
X = RNG.standard_normal((600, 4))
Y = X @ [1.0, -2.0, 0.0, 3.0] + 1.0 + 0.1 * RNG.standard_normal(600)
CLASSES = np.where(Y > 1.0, "high", "low")
BLOCKS = 150, 50, 250, 150
NETWORK = {"hidden_layer_sizes": (5,), "random_state": 0}

# texts

SCORES = {"awful": -3.0, "dull": -2.0, "fine": 1.0, "great": 3.0, "film": 0.0, "plot": 0.0}
HASHING = HashingVectorizer(n_features=2**10, alternate_sign=False, norm=None)


def stream(n_batches, size=100):
    """Generate batches of texts, as sparse rows, and what their words add up to."""
    rng, words = np.random.default_rng(0), [*SCORES]
    for _ in range(n_batches):
        counts = rng.poisson(1.0, (size, len(words)))
        texts = [" ".join(rng.permutation(np.repeat(words, count))) for count in counts]
        yield HASHING.transform(texts), counts @ [*SCORES.values()]


@pytest.mark.parametrize("optimizer", ["auto", "gd", "adagrad"])
def test_a_stream_of_texts_teaches_what_each_word_adds(optimizer):
    model = GDRegressor(optimizer=optimizer, batch_size=20, alpha=0.0, random_state=0)
    for rows, y in stream(60):
        model.partial_fit(rows, y)
    alone = model.predict(HASHING.transform([*SCORES])) - model.predict(HASHING.transform([""]))
    np.testing.assert_allclose(alone, [*SCORES.values()], atol=0.05)


def test_a_network_learns_the_classes_of_texts_in_a_stream():
    model, known = GDMLPClassifier(batch_size=20, **NETWORK), {"classes": ["bad", "good"]}
    shares = []
    for rows, y in stream(40):
        labels = np.where(y > 0.5, "good", "bad")
        shares.append(model.score(rows, labels) if shares else 0.5)
        model.partial_fit(rows, labels, **known)
    assert np.mean(shares[-10:]) > 0.95
    assert model.classes_.tolist() == ["bad", "good"]


# dask-ml


@pytest.fixture
def dask_array():
    """Yield the module of dask's arrays, which compute in this thread."""
    pytest.importorskip("dask_ml", reason="needs dask-ml")
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="sync"):
        yield pytest.importorskip("dask.array")


@pytest.fixture
def incremental(dask_array):
    """Return the class, which asks the blocks in their order."""
    from dask_ml.wrappers import Incremental

    return lambda model, **known: Incremental(model, **{"shuffle_blocks": False} | known)


@pytest.fixture
def lazy(dask_array):
    """Return what makes dask arrays of rows."""
    return lambda rows: dask_array.from_array(rows, chunks=(BLOCKS, *[-1] * (rows.ndim - 1)))


def in_blocks(rows, y):
    ends = np.cumsum((0, *BLOCKS))
    return [(rows[a:b], y[a:b]) for a, b in pairwise(ends)]


MODELS = {
    "linear": (GDRegressor(penalty="l1", alpha=0.01), Y, {}),
    "batches": (GDRegressor(batch_size=16, random_state=0), Y, {}),
    "network": (GDMLPRegressor(**NETWORK), Y, {}),
    "classes": (GDMLPClassifier(**NETWORK), CLASSES, {"classes": ["high", "low"]}),
}
DASK_ML = pytest.mark.filterwarnings("ignore")  # of dask-ml, with newer versions of dask


@DASK_ML
@pytest.mark.parametrize("name", MODELS)
def test_incremental_learns_the_blocks_one_after_the_other(name, incremental, lazy):
    model, y, known = MODELS[name]
    found = incremental(clone(model)).fit(lazy(X), lazy(y), **known)
    expected = clone(model)
    for rows, targets in in_blocks(X, y):
        expected.partial_fit(rows, targets, **known)
    np.testing.assert_array_equal(found.predict(lazy(X)).compute(), expected.predict(X))
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    assert found.score(lazy(X), lazy(y)) == pytest.approx(expected.score(X, y), rel=1e-12)
    assert found.estimator_.t_ == expected.t_
    found.partial_fit(lazy(X), lazy(y), **known)
    for rows, targets in in_blocks(X, y):
        expected.partial_fit(rows, targets, **known)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


@DASK_ML
def test_incremental_sets_and_copies_the_settings_of_the_model(incremental, lazy):
    model = incremental(GDRegressor(alpha=0.5), scoring="neg_mean_squared_error")
    assert model.get_params()["estimator__alpha"] == 0.5
    model.set_params(estimator__alpha=0.0, estimator__optimizer="gd")
    copy = clone(model).fit(lazy(X), lazy(Y))
    assert (copy.estimator_.alpha, copy.estimator_.optimizer) == (0.0, "gd")
    assert copy.coef_.shape == (4,)
    error = np.mean((copy.predict(X) - Y) ** 2)
    assert copy.score(lazy(X), lazy(Y)) == pytest.approx(-error, rel=1e-12)


@DASK_ML
def test_incremental_is_the_last_step_of_a_pipeline(incremental, lazy):
    from dask_ml.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), incremental(GDRegressor()))
    model.fit(lazy(3.0 * X + 5.0), lazy(Y))
    mean, spread = (3.0 * X + 5.0).mean(axis=0), (3.0 * X).std(axis=0)
    expected = GDRegressor()
    for rows, targets in in_blocks((3.0 * X + 5.0 - mean) / spread, Y):
        expected.partial_fit(rows, targets)
    found = model.predict(lazy(3.0 * X + 5.0)).compute()
    np.testing.assert_allclose(found, expected.predict((3.0 * X + 5.0 - mean) / spread), rtol=1e-9)
    model.set_params(incremental__estimator__alpha=0.25)
    assert model[-1].estimator.alpha == 0.25


@DASK_ML
def test_a_fit_in_memory_predicts_and_scores_dask_arrays_inside_parallel_post_fit(lazy):
    from dask_ml.wrappers import ParallelPostFit

    model, alone = ParallelPostFit(GDRegressor()).fit(X, Y), GDRegressor().fit(X, Y)
    np.testing.assert_allclose(model.predict(lazy(X)).compute(), alone.predict(X), rtol=1e-12)
    assert model.score(lazy(X), lazy(Y)) == pytest.approx(alone.score(X, Y), rel=1e-12)
