"""A seeded fuzz of everything that reaches compiled code, to be run as a program of its own.

``python tests/fuzz.py GROUP SEED`` prints every case before it is tried, so that the last line
names the case in which a process has died. A case is in order when it gives what the same numbers
give as a plain array, or is refused by a TypeError or a ValueError; what is damaged must be
refused. Each failure is printed below its case.
"""

import sys
import warnings
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import skgd
from skgd import GDGaborRegressor, GDRegressor, reference
from skgd.models import Linear
from skgd.optimizers import GD, Optimizer

N, P = 24, 5
FEW = {"max_iter": 3, "random_state": 0}
REFUSED, EITHER = "must be refused", "may be refused or not"
MODELS = {
    "default": GDRegressor(tol=1e-8),
    "l1": GDRegressor(penalty="l1", alpha=0.01, tol=1e-8),
    "gd": GDRegressor(optimizer="gd", **FEW),
    "batches": GDRegressor(optimizer="sgd", batch_size=4, **FEW),
    "gabor": GDGaborRegressor(init=np.ones(P + 1), **FEW),
}


def data(seed):
    """Return a sparse array of numbers, and targets."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P)) * (rng.random((N, P)) < 0.5)
    return X, X @ np.arange(P) + rng.standard_normal(N)


# What is done with X


def fitted(model, X, y):
    return clone(model).fit(X, y).parameters()


def predicted(model, X, y):
    return clone(model).fit(*data(1)).predict(X)


def validated(model, X, y):
    return clone(model).fit(*data(1), X_val=X, y_val=y).parameters()


def continued(model, X, y):
    first, target = data(1)
    first = sparse.csr_array(first) if sparse.issparse(X) else first
    return clone(model).partial_fit(first, target).partial_fit(X, y).parameters()


def evaluated(model, X, y):
    objective = model.objective(X, y)
    theta = np.linspace(-1.0, 1.0, objective.d)
    value, g = objective.value_and_gradient(theta)
    return np.array([value, *g, *objective.hessian(theta).ravel()])


def followed(model, X, y):
    return skgd.path(X, y, n_alphas=3, tol=1e-8).coefs


USES = {
    **{f"fit {name}": partial(fitted, model) for name, model in MODELS.items()},
    **{f"predict {name}": partial(predicted, MODELS[name]) for name in ("default", "gabor")},
    **{f"validate {name}": partial(validated, MODELS[name]) for name in ("gd", "gabor")},
    **{f"continue {name}": partial(continued, MODELS[name]) for name in ("gd", "batches")},
    **{f"objective {name}": partial(evaluated, MODELS[name]) for name in ("default", "gabor")},
    "path": partial(followed, None),
}


# Sparse matrices: how they may be stored, and how they may be damaged


def stored(X, rng):
    """Return rows with their entries in a random order, some of them in two parts."""
    rows = sparse.csr_array(X)
    order = [rng.permutation(np.arange(*rows.indptr[i : i + 2])) for i in range(N)]
    order = np.concatenate(order)
    twice = rng.random(order.size) < 0.3
    index = np.repeat(order, 1 + twice)
    pointers = np.append(0, np.cumsum(1 + twice))[rows.indptr]
    return with_arrays(
        rows, rows.data[index] / np.repeat(1 + twice, 1 + twice), rows.indices[index], pointers
    )


def with_arrays(X, *arrays):
    X = type(X)(X.shape, dtype=X.dtype)
    X.data, X.indices, X.indptr = arrays
    return X


KINDS = [">i4", ">i8", "i1", "i2", "u1", "u2", "u4", "u8", ">u4", "<i4", "<i8"]
FORMATS = ["csr", "csc", "bsr", "coo", "lil", "dok", "dia"]


def sparse_case(X, rng):
    """Return a name and a sound sparse matrix of some storage."""
    kind = rng.choice(["array", "matrix"])
    form = rng.choice(FORMATS)
    messy = form == "csr" and rng.random() < 0.7
    found = stored(X, rng) if messy else getattr(sparse, f"{form}_{kind}")(X)
    name = f"{form}_{kind}{' messy' * messy}"
    if form in ("csr", "csc", "bsr"):
        kinds = rng.choice(KINDS, 2)
        found.indices, found.indptr = (
            a.astype(k) for a, k in zip((found.indices, found.indptr), kinds)
        )
        name += f" {kinds[0]} {kinds[1]}"
        step = rng.integers(1, 4)
        found.indices = np.repeat(found.indices, step)[::step]
        found.data = np.repeat(found.data, step, axis=0)[::step]
        if rng.random() < 0.3:
            name += " locked"
            for array in (found.data, found.indices, found.indptr):
                array.flags.writeable = False
    return name, found


def stale(X):
    """Change a matrix whose flags say that it is sorted and without duplicates."""
    X.has_sorted_indices, X.has_canonical_format  # which are remembered
    for i in range(N):
        row = slice(X.indptr[i], X.indptr[i + 1])
        X.indices[row], X.data[row] = X.indices[row][::-1].copy(), X.data[row][::-1].copy()
    return X


def changed(array, k, value):
    def damage(X):
        new = getattr(X, array).astype(np.int64)
        new[k] = value
        setattr(X, array, new)
        return X

    return damage


def replaced(array, value):
    def damage(X):
        setattr(X, array, value(getattr(X, array)))
        return X

    return damage


DAMAGES = {
    **{
        f"{array}[{k}] = {value}": changed(array, k, value)
        for array in ("indices", "indptr")
        for k in (0, 3, -1)
        for value in (-1, 10**9, 2**62, -(2**63))
    },
    "indices end at n": changed("indices", 2, N),
    "indices short": replaced("indices", lambda a: a[:-3]),
    "data short": replaced("data", lambda a: a[:-3]),
    "indptr short": replaced("indptr", lambda a: a[:-1]),
    "indptr long": replaced("indptr", lambda a: np.append(a, a[-1])),
    "indptr falls": replaced("indptr", lambda a: a[::-1].copy()),
    "indptr empty": replaced("indptr", lambda a: a[:0]),
    "float indices": replaced("indices", lambda a: a.astype(float)),
    "object indices": replaced("indices", lambda a: a.astype(object)),
    "bool indptr": replaced("indptr", lambda a: a.astype(bool)),
    "indices of two dimensions": replaced("indices", lambda a: a.reshape(-1, 1)),
    "data of two dimensions": replaced("data", lambda a: a.reshape(-1, 1)),
    "huge unsigned": replaced("indices", lambda a: a.astype(np.uint64) + np.uint64(2**63)),
}


def damaged(X, how, form):
    return DAMAGES[how](getattr(sparse, f"{form}_array")(X))


def damaged_coordinates(X, value):
    X = sparse.coo_array(X)
    X.col[3] = value
    return X


def sparse_cases(seed):
    rng = np.random.default_rng(seed)
    for k in range(90):
        X, y = data(seed + k)
        use = rng.choice(list(USES))
        name, found = sparse_case(X, rng)
        yield f"{use}: {name}", partial(USES[use], found, y), partial(USES[use], X, y)
    for use in USES:
        X, y = data(seed)
        yield (
            f"{use}: stale",
            partial(USES[use], stale(sparse.csr_array(X)), y),
            partial(USES[use], X, y),
        )
    for how in DAMAGES:
        for form in ("csr", "csc"):
            X, y = data(seed)
            use = rng.choice(list(USES))
            yield f"{use}: {form} {how}", partial(USES[use], damaged(X, how, form), y), REFUSED
    for value in (-1, P, 10**9):
        for use in USES:
            X, y = data(seed)
            yield (
                f"{use}: coo {value}",
                partial(USES[use], damaged_coordinates(X, value), y),
                REFUSED,
            )


# Dense matrices, and vectors


class Foreign:
    """Arrays that only numpy can read."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return np.array(self.a, dtype=dtype)

    def __len__(self):
        return len(self.a)

    @property
    def shape(self):
        return self.a.shape


class Sub(np.ndarray):
    """A kind of array."""


def spread_out(a):
    wide = np.zeros(tuple(3 * s for s in a.shape), dtype=a.dtype)
    view = wide[tuple(slice(1, None, 3) for _ in a.shape)]
    view[...] = a
    return view


def backwards(a):
    with_alpha = tuple(slice(None, None, -1) for _ in a.shape)
    return np.ascontiguousarray(a[with_alpha])[with_alpha]


def locked(a):
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS = {
    "plain": np.asarray,
    "Fortran": np.asfortranarray,
    "spread out": spread_out,
    "backwards": backwards,
    "locked": locked,
    "misaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    "foreign": Foreign,
    "sub": lambda a: a.view(Sub),
    "masked, nowhere": np.ma.masked_array,
    "list": np.ndarray.tolist,
    "object": lambda a: a.astype(object),
    "field": lambda a: np.array(a, dtype=[("a", a.dtype), ("b", a.dtype)])["a"],
}
DTYPES = ["<f8", ">f8", "<f4", ">f4", "<f2", "g", "<i8", ">i2", "i1", "u8"]
WRONG = {
    "masked": lambda a: np.ma.masked_array(a, mask=np.arange(a.size).reshape(a.shape) == 1),
    "complex": lambda a: a + 1j,
    "words": lambda a: np.full(a.shape, "word"),
    "dates": lambda a: np.full(a.shape, np.datetime64("2020-01-01", "D")),
    "records": lambda a: np.zeros(a.shape, [("a", float)]),
    "NaN": lambda a: a * np.nan,
    "too short": lambda a: a[:-1],
    "too long": lambda a: np.concatenate([a, a]),
    "too deep": lambda a: a[None, None],
    "none of it": lambda a: a[:0],
    "a number": lambda a: np.array(3.5),
    "a matrix of one row": lambda a: np.asmatrix(a.ravel()),
    "a dictionary": lambda a: {"a": a},
    "a set": lambda a: {1.0, 2.0},
    "nothing": lambda a: np.array(None),
    "sparse": lambda a: sparse.coo_array(np.atleast_2d(a)),
}


def whole(a):
    """Return numbers that every dtype holds."""
    return np.abs(np.round(3.0 * a))


PLACES = {
    "X": lambda a, X, y: fitted(MODELS["gd"], a, y),
    "X default": lambda a, X, y: fitted(MODELS["default"], a, y),
    "X l1": lambda a, X, y: fitted(MODELS["l1"], a, y),
    "X batches": lambda a, X, y: fitted(MODELS["batches"], a, y),
    "X gabor": lambda a, X, y: fitted(MODELS["gabor"], a, y),
    "X path": lambda a, X, y: followed(None, a, y),
    "X predict": lambda a, X, y: predicted(MODELS["default"], a, y),
    "X objective": lambda a, X, y: evaluated(MODELS["gabor"], a, y),
    "X_val": lambda a, X, y: validated(MODELS["gd"], a, y),
    "y": lambda a, X, y: fitted(MODELS["gd"], X, a),
    "y default": lambda a, X, y: fitted(MODELS["default"], X, a),
    "y gabor": lambda a, X, y: fitted(MODELS["gabor"], X, a),
    "y path": lambda a, X, y: followed(None, X, a),
    "y_val": lambda a, X, y: validated(MODELS["gd"], X, a),
    "weight": lambda a, X, y: clone(MODELS["gd"]).fit(X, y, a).parameters(),
    "weight path": lambda a, X, y: skgd.path(X, y, n_alphas=3, sample_weight=a).coefs,
    "weight_val": lambda a, X, y: (
        clone(MODELS["gd"]).fit(X, y, X_val=X, y_val=y, sample_weight_val=a).parameters()
    ),
    "init": lambda a, X, y: clone(MODELS["gd"]).set_params(init=a).fit(X, y).parameters(),
    "init gabor": lambda a, X, y: clone(MODELS["gabor"]).set_params(init=a).fit(X, y).parameters(),
    "penalty_weights": lambda a, X, y: (
        clone(MODELS["default"]).set_params(penalty_weights=a).fit(X, y).parameters()
    ),
    "bounds": lambda a, X, y: (
        GDGaborRegressor(bounds=a, n_screen=3, n_init=1, **FEW).fit(X, y).parameters()
    ),
    "alphas": lambda a, X, y: skgd.path(X, y, alphas=a).coefs,
}


def sized(place, X, y):
    """Return numbers of the shape that belongs in a place."""
    if place.startswith("X"):
        return whole(X)
    if place.startswith(("init", "penalty")):
        return np.arange(1.0, 1.0 + P + place.startswith("init"))
    if place == "bounds":
        return np.arange(2.0 * (P + 1)).reshape(P + 1, 2)
    return np.array([0.0, 1.0, 3.0]) if place == "alphas" else 1.0 + whole(y)


def dense_cases(seed):
    rng = np.random.default_rng(seed)
    X, y = data(seed)
    for place, use in PLACES.items():
        a = sized(place, X, y)
        for layout in LAYOUTS:
            dtype = rng.choice(DTYPES)
            found = LAYOUTS[layout](a.astype(dtype))
            yield f"{place}: {layout} {dtype}", partial(use, found, X, y), partial(use, a, X, y)
        for wrong, make in WRONG.items():
            expected = EITHER if is_sensible(place, wrong) else REFUSED
            yield f"{place}: {wrong}", partial(use, make(a), X, y), expected


def is_sensible(place, wrong):
    """Whether an invalid value of other arrays is valid here."""
    return (
        wrong in ("dates", "records")  # which numpy reads as numbers
        or (place.startswith("X") and wrong == "sparse")
        or (place.startswith("weight") and wrong == "a number")
        or (place in ("X predict", "alphas") and wrong in ("too short", "too long"))
    )


# Points


def point_cases(seed):
    rng = np.random.default_rng(seed)
    X, y = data(seed)
    for kind in (np.asarray, sparse.csr_array):
        for name in ("default", "gabor"):
            objective = MODELS[name].objective(kind(X), y)
            calls = {
                **{
                    verb: getattr(objective, verb)
                    for verb in ("value", "value_and_gradient", "data_term", "penalty_term")
                },
                **{
                    verb: getattr(objective, verb)
                    for verb in ("predict", "jacobian", "hessian", "dual_gap", "penalty_curvature")
                },
                "lbfgs": partial(reference.lbfgs, objective, max_iter=2),
                "levenberg_marquardt": partial(
                    reference.levenberg_marquardt, objective, max_iter=2
                ),
            }
            theta = np.arange(1.0, 1.0 + objective.d)
            for verb, call in calls.items():
                shapes = (0, 1, objective.p - 1, objective.d - 1, objective.d + 1, 1000)
                for size in shapes:
                    yield f"{name} {verb}: {size}", partial(call, np.ones(size)), REFUSED
                for wrong in ("complex", "words", "too deep", "a number", "a dictionary"):
                    yield f"{name} {verb}: {wrong}", partial(call, WRONG[wrong](theta)), REFUSED
                if verb in ("lbfgs", "levenberg_marquardt"):
                    continue
                for layout in ("backwards", "spread out", "list", "locked", "misaligned"):
                    dtype = rng.choice(["<f8", ">f8", "<f4", "i1"])
                    found = LAYOUTS[layout](theta.astype(dtype))
                    yield f"{name} {verb}: {layout}", partial(call, found), partial(call, theta)
    yield from attribute_cases(X, y)


def attribute_cases(X, y):
    for name, attribute in (("gd", "coef_"), ("batches", "coef_"), ("gabor", "frequency_")):
        for value in (np.ones(1), np.ones(P + 7), np.ones((3, P)), np.array(["a"] * P)):
            for verb in ("partial_fit", "fit", "predict"):
                model = clone(MODELS[name]).set_params(warm_start=True).fit(X, y)
                setattr(model, attribute, value)
                model.set_params(optimizer="momentum")  # so that it begins from its attributes
                call = model.predict if verb == "predict" else partial(getattr(model, verb), y=y)
                expected = EITHER if verb == "predict" else REFUSED
                yield f"{name} {attribute} {np.shape(value)} {verb}", partial(call, X), expected


# Parts that reach too far


class Greedy(Optimizer):
    __slots__ = ()
    n_memory = 1

    def step(self, g, memory, j, shared):
        memory[5, j] += g
        return memory[5, j], 1.0


class Forgetful(Optimizer):
    __slots__ = ()

    def prepare(self, t, norm, scalars):
        scalars[3] += 1.0
        return 1.0

    def step(self, g, memory, j, shared):
        return g, 1.0


class Wide(Linear):
    __slots__ = ()

    def value(self, z, theta, p):
        return z + theta[p + 40]


class WithModel(GDRegressor):
    def _problem(self, *args):
        problem = super()._problem(*args)
        problem.objectives[0].term.model = Wide()
        return problem


def part_cases(seed):
    X, y = data(seed)
    for rule in (Greedy(), Forgetful()):
        for batch_size in (None, 4):
            model = GDRegressor(optimizer=rule, learning_rate=0.1, batch_size=batch_size, **FEW)
            yield f"{rule} {batch_size}", partial(model.fit, X, y), REFUSED
    yield "model", partial(WithModel(optimizer=GD(), center=False, **FEW).fit, X, y), REFUSED


GROUPS = {
    "sparse": sparse_cases,
    "dense": dense_cases,
    "points": point_cases,
    "parts": part_cases,
}


def outcome(call):
    """Return what a call gives, as arrays, and None; or None and how it has refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            found = call()
        except (TypeError, ValueError) as error:
            return None, error
    return found if isinstance(found, tuple) else (found,), None


def mistake(call, expected):
    """Return what is wrong with a case, or None."""
    try:
        found, refusal = outcome(call)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if expected == REFUSED:
        return None if refusal else "it was not refused"
    if expected == EITHER:
        return None
    if refusal:
        return f"it was refused: {refusal}"
    pairs = zip(found, outcome(expected)[0])
    return None if all(np.allclose(f, w, 1e-5, 1e-5) for f, w in pairs) else f"got {found}"


def main(group, seed):
    failures = 0
    for name, call, expected in GROUPS[group](seed):
        print(name, flush=True)
        wrong = mistake(call, expected)
        if wrong:
            failures += 1
            print(f"  FAILED: {wrong}", flush=True)
    print(f"{failures} failures")
    return failures


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1], int(sys.argv[2]))))
