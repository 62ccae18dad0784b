"""Classes of any type on rows in pieces: what numpy can sort, as the whole has them."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from skgd import GDMLPClassifier, GDRegressor
from skgd.pieces import from_callables, from_npy, from_parquet

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3))
KINDS = np.digitize(X[:, 0] + 0.3 * RNG.standard_normal(200), [-0.5, 0.5])
NAMES = np.array(["low", "mid", "highest"])[KINDS]
WEIGHT = RNG.uniform(0.0, 2.0, 200)
CUTS = [0, 50, 50, 120, 123, 200]  # uneven, one of them empty
NETWORK = {"hidden_layer_sizes": (4,), "max_iter": 2, "tol": None, "random_state": 0}
LABELS = {
    "strings": NAMES,
    "objects": NAMES.astype(object),
    "booleans": KINDS > 0,
    "small integers": KINDS.astype(np.int8),
    "large integers": 2**60 + KINDS,  # which float64 does not tell apart
    "floats": 1.0 * KINDS,
}


def in_pieces(X, y, weight=None):
    def loader(a, b):
        return lambda: (X[a:b], y[a:b], None if weight is None else weight[a:b])

    return from_callables([loader(a, b) for a, b in itertools.pairwise(CUTS)])


@pytest.mark.parametrize("labels", LABELS)
def test_labels_are_those_of_the_whole(labels):
    y = LABELS[labels]
    model = GDMLPClassifier(**NETWORK).fit(in_pieces(X, y, WEIGHT))
    expected = np.unique(y)
    np.testing.assert_array_equal(model.classes_, expected)
    assert model.classes_.dtype == expected.dtype
    hits = accuracy_score(y, model.predict(X), sample_weight=WEIGHT)
    np.testing.assert_allclose(model.score(in_pieces(X, y, WEIGHT)), hits, rtol=1e-12)
    codes = np.searchsorted(expected, y)
    other = GDMLPClassifier(**NETWORK).fit(in_pieces(X, codes, WEIGHT))
    for one, two in zip(model.coefs_, other.coefs_):
        np.testing.assert_array_equal(one, two)


def test_labels_go_on_in_further_calls():
    model = GDMLPClassifier(**NETWORK)
    model.partial_fit(in_pieces(X, NAMES), classes=["mid", "low", "highest", "other"])
    assert model.classes_.tolist() == ["highest", "low", "mid", "other"]
    model.partial_fit(X, NAMES).partial_fit(in_pieces(X, NAMES))
    with pytest.raises(ValueError, match="has the class 'new', which is none of"):
        model.partial_fit(in_pieces(X, np.where(KINDS == 2, "new", NAMES)))


def test_classes_weigh_as_in_memory():
    one = GDMLPClassifier(**NETWORK, class_weight={"low": 2.0}).fit(in_pieces(X, NAMES))
    weight = np.where(NAMES == "low", 2.0, 1.0)
    other = GDMLPClassifier(**NETWORK).fit(in_pieces(X, NAMES, weight))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
    with pytest.raises(ValueError, match="are not in class_weight"):
        GDMLPClassifier(**NETWORK, class_weight={"new": 2.0}).fit(in_pieces(X, NAMES))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(np.arange(200) == 52, None, NAMES.astype(object)), "row 2 of piece 2"),
        (np.where(np.arange(200) == 52, np.nan, KINDS), "row 2 of piece 2"),
        (np.where(np.arange(200) == 52, 3, NAMES.astype(object)), "cannot be sorted"),
        (np.full(200, "a"), "one class only, 'a'"),
        (X[:, 0], "Unknown label type"),
        (np.column_stack([KINDS, KINDS]), "should be a 1d array"),
    ],
    ids=["none", "nan", "mixed", "one", "continuous", "two columns"],
)
def test_what_is_no_class_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        GDMLPClassifier(**NETWORK).fit(in_pieces(X, y))


def test_regressors_take_no_labels():
    with pytest.raises(ValueError, match="y of piece 0 must be numbers"):
        GDRegressor().fit(in_pieces(X, NAMES))


def test_labels_are_read_from_files(tmp_path):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", NAMES)
    model = GDMLPClassifier(**NETWORK)
    model.fit(from_npy(tmp_path / "X.npy", tmp_path / "y.npy", rows_per_piece=70))
    assert model.classes_.tolist() == ["highest", "low", "mid"]
    pd, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X, columns=list("abc"))
    for kind in ("object", "category"):
        frame.assign(y=pd.Series(NAMES).astype(kind)).to_parquet(tmp_path / "rows.parquet")
        model.fit(from_parquet(tmp_path / "rows.parquet", target="y"))
        assert model.classes_.tolist() == ["highest", "low", "mid"]
        assert model.feature_names_in_.tolist() == list("abc")


def test_dask_labels_are_those_of_the_whole():
    dask, dd = pytest.importorskip("dask"), pytest.importorskip("dask.dataframe")
    pd, da = pytest.importorskip("pandas"), pytest.importorskip("dask.array")
    rows = dd.from_pandas(pd.DataFrame(X, columns=list("abc")), npartitions=3)
    series = pd.Series(NAMES)
    with dask.config.set(scheduler="sync"):
        for y in (series, series.astype("category"), series.astype("string")):
            lazy = dd.from_pandas(y, npartitions=3)
            model = GDMLPClassifier(**NETWORK).fit(rows, lazy)
            assert model.classes_.tolist() == ["highest", "low", "mid"]
            predicted = model.predict(rows).compute()
            np.testing.assert_allclose(model.score(rows, lazy), np.mean(predicted == NAMES))
        arrays = da.from_array(X, chunks=(90, 3)), da.from_array(NAMES, chunks=50)
        assert GDMLPClassifier(**NETWORK).fit(*arrays).classes_.dtype == NAMES.dtype
