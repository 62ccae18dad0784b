"""Rows in files: fits to them are those to arrays, and take little memory of their own."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from skgd import GDRegressor
from skgd.pieces import from_callables, from_npy, from_parquet

RNG = np.random.default_rng(7)
X = RNG.standard_normal((1000, 5)) + 1.0
Y = X @ [1.0, -2.0, 0.0, 0.5, 3.0] + 4.0 + 0.1 * RNG.standard_normal(1000)
WEIGHT = RNG.uniform(0.5, 2.0, 1000)
NAMES = [f"column {j}" for j in range(5)]
CLOSE = {"rtol": 1e-10, "atol": 1e-10}
OPTIONS = {"penalty": "l1", "alpha": 0.1, "tol": 1e-8}


def assert_same_fit(one, other):
    np.testing.assert_allclose(one.coef_, other.coef_, **CLOSE)
    np.testing.assert_allclose(one.intercept_, other.intercept_, **CLOSE)


# .npy


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        paths = [tmp_path / f"{name}.npy" for name in arrays]
        for path, array in zip(paths, arrays.values()):
            np.save(path, array)
        return paths

    return save


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("rows_per_piece", [1, 300, 1000, 5000, None])
def test_a_fit_to_npy_files_is_that_to_arrays(saved, rows_per_piece, weight):
    arrays = {"X": X, "y": Y} | ({} if weight is None else {"weight": weight})
    pieces = from_npy(*saved(**arrays), rows_per_piece=rows_per_piece)
    assert len(pieces) == (1 if rows_per_piece is None else -(-1000 // rows_per_piece))
    assert_same_fit(GDRegressor(**OPTIONS).fit(pieces), GDRegressor(**OPTIONS).fit(X, Y, weight))


@pytest.mark.parametrize(
    "stored",
    [np.asfortranarray(X), X.astype(np.float32), (10.0 * X).astype(np.int16), X > 1.0],
    ids=["F order", "float32", "int16", "bool"],
)
def test_npy_files_of_any_numbers_are_read(saved, stored):
    options = {**OPTIONS, "optimizer": "nesterov"}
    model = GDRegressor(**options).fit(from_npy(*saved(X=stored, y=Y), rows_per_piece=400))
    given = stored.astype(float) if stored.dtype == bool else stored
    whole = GDRegressor(**options).fit(given, Y)
    assert model.coef_.dtype == whole.coef_.dtype
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-6, atol=1e-6)


def test_several_targets_of_a_file_are_fitted(saved):
    Y2 = np.column_stack([Y, -Y + X[:, 0]])
    whole = GDRegressor(**OPTIONS).fit(X, Y2)
    assert_same_fit(GDRegressor(**OPTIONS).fit(from_npy(*saved(X=X, y=Y2))), whole)
    column = GDRegressor(**OPTIONS).fit(from_npy(*saved(X=X, y=Y[:, None])))
    assert column.coef_.shape == (1, 5)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"X": X, "y": Y[:-1]}, {}, r"inconsistent numbers of samples: \[1000, 999\]"),
        ({"X": X[0], "y": Y}, {}, r"X_path: .*X.npy has shape \(5,\); expected 2 dim"),
        ({"X": X, "y": X[None]}, {}, r"y_path: .*expected 1 or 2 dimensions"),
        ({"X": X, "y": Y, "w": X}, {}, r"sample_weight_path: .*expected 1 dim"),
        ({"X": X, "y": Y}, {"rows_per_piece": -1}, "at least 1. Got -1"),
        ({"X": X.astype(object), "y": Y}, {}, "can't be memory-mapped"),
    ],
)
def test_npy_files_that_do_not_fit_are_refused_in_words(saved, arrays, options, message):
    with pytest.raises(ValueError, match=message):
        from_npy(*saved(**arrays), **options)


def test_an_archive_of_several_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "both.npz", X=X, y=Y)
    with pytest.raises(ValueError, match="holds several arrays"):
        from_npy(tmp_path / "both.npz", tmp_path / "both.npz")


def test_what_is_not_a_number_in_a_file_is_reported_by_its_piece_and_row(saved):
    rows = X.copy()
    rows[777, 2] = np.inf
    pieces = from_npy(*saved(X=rows, y=Y), rows_per_piece=100)
    with pytest.raises(ValueError, match="Input X contains NaN or infinity, in row 77 of piece 7"):
        GDRegressor().fit(pieces)


@pytest.mark.parametrize("options", [{}, {"optimizer": "nesterov"}, {"batch_size": 32}], ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_mapped_array_is_fitted_to_as_it_lies(saved, options):
    X_path, y_path = saved(X=X, y=Y)
    mapped = np.load(X_path, mmap_mode="r"), np.load(y_path, mmap_mode="r")
    options = {**options, "random_state": 0, "max_iter": 20}
    model, whole = GDRegressor(**options).fit(*mapped), GDRegressor(**options).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, whole.coef_)
    np.testing.assert_array_equal(model.predict(mapped[0]), whole.predict(X))


OWN_MEMORY = """
import resource, sys
import numpy as np
from skgd import GDRegressor
from skgd.pieces import from_npy

X_path, y_path, small, kind = sys.argv[1:]
options = [{}, {"optimizer": "nesterov", "penalty": "l1", "alpha": 0.1, "max_iter": 3}]

def fit(X, y):
    given = (from_npy(X, y),) if kind == "pieces" else [np.load(p, mmap_mode="r") for p in (X, y)]
    return [GDRegressor(**option, tol=1e-2).fit(*given).coef_ for option in options]

fit(small, y_path + ".small.npy")  # loads and compiles
status = open("/proc/self/status").read()
used = 1024 * int(status.partition("VmData:")[2].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (used + 150 * 2**20,) * 2)
try:
    np.ones(200 * 2**17)
except MemoryError:
    pass
else:
    raise SystemExit("the limit does not hold")
for coef in fit(X_path, y_path):
    np.testing.assert_allclose(coef, [2.0] * 50, atol=0.2)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for limits")
@pytest.mark.parametrize("kind", ["pieces", "memmap"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_to_four_hundred_megabytes_takes_less_than_150_of_its_own(tmp_path, kind):
    n, p, block = 1_000_000, 50, 50_000
    X_path, y_path = str(tmp_path / "X.npy"), str(tmp_path / "y.npy")
    rows = np.lib.format.open_memmap(X_path, "w+", shape=(n, p))
    targets = np.lib.format.open_memmap(y_path, "w+", shape=(n,))
    some = RNG.standard_normal((block, p))
    for begin in range(0, n, block):
        rows[begin : begin + block], targets[begin : begin + block] = some, 2.0 * some.sum(axis=1)
    del rows, targets
    small = str(tmp_path / "small.npy")
    np.save(small, some)
    np.save(y_path + ".small.npy", 2.0 * some.sum(axis=1))
    command = [sys.executable, "-c", OWN_MEMORY, X_path, y_path, small, kind]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


# parquet


@pytest.fixture
def frame():
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=NAMES)
    return frame.assign(y=Y, other=X[:, 0] - Y, weight=WEIGHT)


def parquet(frame, path, **options):
    frame.to_parquet(path, engine="pyarrow", **{"row_group_size": 150} | options)
    return path


@pytest.mark.parametrize("row_groups", [1, 3, 100])
def test_a_fit_to_a_parquet_file_is_that_to_the_frame(frame, tmp_path, row_groups):
    path = parquet(frame, tmp_path / "a.parquet")
    known = {"target": "y", "sample_weight": "weight", "columns": NAMES[:3]}
    pieces = from_parquet(path, **known, row_groups=row_groups)
    assert len(pieces) == -(-7 // row_groups)
    whole = GDRegressor(**OPTIONS).fit(frame[NAMES[:3]], Y, WEIGHT)
    model = GDRegressor(**OPTIONS).fit(pieces)
    assert_same_fit(model, whole)
    np.testing.assert_array_equal(model.feature_names_in_, whole.feature_names_in_)
    np.testing.assert_allclose(model.predict(frame[NAMES[:3]]), whole.predict(frame[NAMES[:3]]))


def test_files_of_a_folder_are_read_in_the_order_of_their_names(frame, tmp_path):
    frame = frame.drop(columns=["other", "weight"])
    frame["y"] = frame["y"].round()
    for name, begin in (("b", 400), ("a", 0), ("c", 800)):
        part = frame[begin : begin + 400]
        part = part[[*part.columns[::-1]]] if name == "b" else part  # columns go by name
        parquet(part.astype({"y": int}), tmp_path / f"{name}.parquet")
    pieces = from_parquet(tmp_path, target="y")
    listed = from_parquet([tmp_path / f"{name}.parquet" for name in "abc"], target="y")
    loaded = [piece for _, piece in pieces.engine.pieces(range(len(pieces)))]
    np.testing.assert_array_equal(np.concatenate([piece.X for piece in loaded]), X)
    one, other = GDRegressor(**OPTIONS).fit(pieces), GDRegressor(**OPTIONS).fit(listed)
    np.testing.assert_array_equal(one.coef_, other.coef_)
    assert_same_fit(one, GDRegressor(**OPTIONS).fit(X, Y.round()))


def test_several_target_columns_are_several_targets(frame, tmp_path):
    path = parquet(frame.drop(columns="weight"), tmp_path / "a.parquet")
    model = GDRegressor(**OPTIONS).fit(from_parquet(path, target=["y", "other"]))
    assert_same_fit(model, GDRegressor(**OPTIONS).fit(X, frame[["y", "other"]].to_numpy()))
    single = GDRegressor(**OPTIONS).fit(from_parquet(path, target=["y"], columns=NAMES))
    assert single.coef_.shape == (1, 5)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({}, np.float32),
        ({"column 1": "float64"}, np.float64),
        ({"column 1": "int32"}, np.float64),
        ({"column 2": "bool"}, np.float64),
    ],
    ids=str,
)
def test_float32_stays_where_all_columns_are(frame, tmp_path, kinds, expected):
    frame = frame[[*NAMES, "y"]].astype({name: "float32" for name in NAMES} | kinds)
    pieces = from_parquet(parquet(frame, tmp_path / "a.parquet"), target="y")
    model = GDRegressor(**OPTIONS).fit(pieces)
    assert pieces.dtype == model.coef_.dtype == expected
    whole = GDRegressor(**OPTIONS).fit(frame[NAMES].to_numpy(dtype=expected), Y)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-5, atol=1e-5)


def test_the_index_of_a_frame_is_no_column(frame, tmp_path):
    shuffled = frame[[*NAMES, "y"]].sample(frac=1.0, random_state=0)
    path = parquet(shuffled, tmp_path / "a.parquet")
    assert [*from_parquet(path, target="y").names] == NAMES


def test_columns_that_are_not_asked_for_may_be_of_any_kind_and_are_not_decoded(frame, tmp_path):
    frame = frame.assign(city="Bern", day=np.datetime64("2020-01-01"))
    path = parquet(frame, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"Column 'city' of .* is .*string.*columns=\[...\]"):
        from_parquet(path, target="y")
    with pytest.raises(ValueError, match=r"Column 'day' of .* is timestamp"):
        from_parquet(path, target="day", columns=NAMES)
    pieces = from_parquet(path, target="y", columns=NAMES)
    assert_same_fit(GDRegressor(**OPTIONS).fit(pieces), GDRegressor(**OPTIONS).fit(X, Y))


def test_missing_values_are_reported_by_piece_and_row(frame, tmp_path):
    counts = (10.0 * frame["y"]).astype(int).astype("Int64")
    counts[320] = None
    path = parquet(frame.assign(y=counts), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="Input y contains NaN or infinity, in row 20 of piece 2"):
        GDRegressor().fit(from_parquet(path, target="y"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "z"}, "has no column 'z'; it has .*'column 0'"),
        ({"target": "y", "columns": ["column 9"]}, "has no column 'column 9'"),
        ({"target": "y", "columns": []}, "There must be a column and a target"),
        ({"target": "y", "row_groups": 0}, "row_groups must be at least 1"),
    ],
)
def test_parquet_files_that_do_not_fit_are_refused_in_words(frame, tmp_path, options, message):
    path = parquet(frame, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=message):
        from_parquet(path, **options)


def test_a_folder_without_files_is_refused(frame, tmp_path):
    with pytest.raises(ValueError, match="There is no parquet file"):
        from_parquet(tmp_path, target="y")


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"pip install skgd\[parquet\]"):
        from_parquet("a.parquet", target="y")


# Who loads when


def test_no_more_than_a_few_pieces_are_in_memory_at_once(saved):
    alive, most = set(), []

    class Rows(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def loader(begin):
        def load():
            rows = X[begin : begin + 10].copy().view(Rows)
            alive.add(id(rows))
            most.append(len(alive))
            return rows, Y[begin : begin + 10]

        return load

    GDRegressor().fit(from_callables([loader(begin) for begin in range(0, 1000, 10)]))
    assert max(most) <= 4


def pool_of(thread):
    return thread.name.rpartition("_")[0]


@pytest.mark.parametrize("options", [{}, {"optimizer": "nesterov"}, {"batch_size": 50}], ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_thread_is_left_behind_by_a_fit_or_a_failed_one(saved, options):
    lasting = {"skgd", "skgd-limits"}  # pools of the process
    before = set(threading.enumerate())
    GDRegressor(**options, random_state=0).fit(from_npy(*saved(X=X, y=Y), rows_per_piece=100))
    rows = X.copy()
    rows[333, 2] = np.nan
    with pytest.raises(ValueError, match="row 33 of piece 3"):
        GDRegressor(**options).fit(from_npy(*saved(X=rows, y=Y), rows_per_piece=100))

    def fails():
        raise OSError("the disk is gone")

    loaders = [lambda: (X[:50], Y[:50])] * 3 + [fails, lambda: (X[50:], Y[50:])]
    with pytest.raises(OSError, match="the disk is gone"):
        GDRegressor(**options).fit(from_callables(loaders, ahead=2))
    new = set(threading.enumerate()) - before
    assert [thread.name for thread in new if pool_of(thread) not in lasting] == []
