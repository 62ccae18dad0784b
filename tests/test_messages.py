"""Messages about unknown names, values and attributes, and about rates that are too high."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
from conftest import make_regression
from sklearn.base import clone, is_regressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from skgd import GDGaborRegressor, GDMLPRegressor, GDRegressor
from skgd.descent.rates import stability_limit
from skgd.estimators.minimizers import SECOND_ORDER
from skgd.estimators.nested_parameters import TABLES
from skgd.estimators.suggestions import ATTRIBUTES, PARAMETERS, VALUES, plainly
from skgd.losses import LOSSES, Huber, Loss
from skgd.optimizers import OPTIMIZERS, Adam, Momentum, Nesterov, Optimizer
from skgd.penalties import L1, ElasticNet
from skgd.schedules import Cosine

X, Y = make_regression()
ESTIMATORS = [GDRegressor, GDGaborRegressor]


def refusal(model):
    """Return what a fit says of the parameters of a model."""
    with pytest.raises(ValueError, match="parameter of") as caught:
        model.fit(X[:, :1], Y)
    return str(caught.value)


# Values

GUESSES = [
    ("optimizer", Adam, "optimizer=Adam() or optimizer='adam'"),
    ("optimizer", "Adam", "optimizer='adam'"),
    ("optimizer", "adagrad ", "optimizer='adagrad'"),
    ("optimizer", "RMS-Prop", "optimizer='rmsprop'"),
    ("optimizer", "momentun", "optimizer='momentum'"),
    ("optimizer", "sgd_momentum", 'optimizer="momentum"'),
    ("optimizer", "L-BFGS", "optimizer='lbfgs'"),
    ("optimizer", "newton-cg", 'optimizer="newton"'),
    ("optimizer", "cholesky", 'optimizer="auto"'),
    ("optimizer", None, 'optimizer="auto"'),
    ("optimizer", L1(), "penalty=L1() or penalty='l1'"),
    ("optimizer", "cosine", "schedule='cosine'"),
    ("learning_rate", "constant", 'schedule="constant"'),
    ("learning_rate", "adaptive", 'schedule="adaptive"'),
    ("learning_rate", "invscaling", 'schedule="inverse_scaling"'),
    ("learning_rate", "AUTO", "learning_rate='auto'"),
    ("learning_rate", "exponential", "schedule='exponential'"),
    ("learning_rate", "0.01", "learning_rate=0.01"),
    ("learning_rate", Cosine(), "schedule=Cosine("),
    ("schedule", "Cosine", "schedule='cosine'"),
    ("schedule", "invscaling", 'schedule="inverse_scaling"'),
    ("schedule", Cosine, "schedule=Cosine()"),
    ("penalty", "L1", "penalty='l1'"),
    ("penalty", "elastic-net", "penalty='elasticnet'"),
    ("penalty", "ridge", 'penalty="l2"'),
    ("penalty", "none", "penalty=None"),
    ("penalty", "huber", "loss='huber'"),
    ("penalty", Huber(), "loss=Huber(epsilon=1.35) or loss='huber'"),
    ("penalty", ElasticNet, "penalty=ElasticNet()"),
    ("loss", "mse", 'loss="squared_error"'),
    ("loss", "squared_eror", "loss='squared_error'"),
    ("loss", "mae", 'loss="absolute_error"'),
    ("sampling", "random", 'sampling="shuffle"'),
    ("sampling", False, 'sampling="cyclic"'),
    ("batch_size", "all", "batch_size=None"),
    ("alpha", "l2", "penalty='l2'"),
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("name", "value", "meant"), GUESSES, ids=str)
def test_a_misspelled_value_is_answered_with_the_likely_one(estimator, name, value, meant):
    said = refusal(estimator(**{name: value}))
    assert said.startswith(f"The {name!r} parameter of {estimator.__name__} must be")
    assert f" Did you mean {meant}" in said


@pytest.mark.parametrize("value", ["quantum", 3.5, b"adam", np.array, object], ids=str)
def test_nothing_is_suggested_if_nothing_is_similar(value):
    assert "Did you mean" not in refusal(GDRegressor(optimizer=value))


@pytest.mark.parametrize("kind", TABLES)
def test_names_are_listed_in_the_order_of_their_table(kind):
    said = refusal(user_of(kind)(**{kind: "quantum"}))
    listed = re.search(r"\{(.*?)\}", said)[1]
    assert listed == ", ".join(repr(name) for name in known_names(kind) if name is not None)


@pytest.mark.parametrize("kind", TABLES)
def test_every_name_is_recognised_in_every_spelling(kind):
    for name in [name for name in known_names(kind) if name is not None]:
        identity = name.upper().replace("_", "-") + " "
        assert f" Did you mean {kind}={name!r}?" in refusal(user_of(kind)(**{kind: identity}))


def user_of(kind):
    return GDMLPRegressor if kind == "activation" else GDRegressor


def known_names(kind):
    if kind == "loss":
        return [*LOSSES]
    if kind == "optimizer":
        return ["auto", *OPTIMIZERS, *SECOND_ORDER]
    return [*TABLES[kind]]


def test_the_tables_of_suggestions_have_unique_keys_and_existing_targets():
    signatures = map(inspect.signature, (GDRegressor, GDMLPRegressor))
    parameters = {"n_init"}.union(*(signature.parameters for signature in signatures))
    for table in (*VALUES.values(), PARAMETERS, ATTRIBUTES):
        words = [word for entry in table for word in entry.split()]
        assert words == [plainly(word) for word in words]
        assert len(set(words)) == len(words)
    for parameter, table in VALUES.items():
        assert parameter in parameters
        for words, counterpart in table.items():
            if parameter in TABLES:
                names = [name for name in known_names(parameter) if name is not None]
                assert not {plainly(name) for name in names} & set(words.split())
            for kind, name in re.findall(r'(\w+)="(\w+)"', counterpart):
                assert kind not in TABLES or name in known_names(kind)
            for name in re.findall(r'^"(\w+)"', counterpart):
                allowed = known_names(parameter) if parameter in TABLES else ()
                assert name in allowed or parameter == "sampling"
    assert not {plainly(name) for name in parameters} & {
        word for entry in PARAMETERS for word in entry.split()
    }


# Parameters

COUNTERPARTS = {
    "eta0": "learning_rate",
    "lr": "learning_rate",
    "power_t": "schedule=InverseScaling(power=...)",
    "shuffle": 'sampling="shuffle"',
    "epsilon": "loss=Huber(epsilon=...)",
    "solver": "optimizer",
    "momentum": "optimizer=Momentum(beta=...)",
    "beta_1": "optimizer=Adam(beta1=...)",
    "weight_decay": 'penalty="l2"',
    "C": "alpha",
    "n_epochs": "max_iter",
    "early_stoping": "early_stopping",
    "randomstate": "random_state",
    "l1ratio": "l1_ratio",
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", COUNTERPARTS)
def test_a_parameter_of_another_library_is_answered_with_its_counterpart(estimator, name):
    meant = f"Instead of {name!r} there is {COUNTERPARTS[name]}"
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'") as caught:
        estimator(**{name: 1})
    assert meant in str(caught.value)
    with pytest.raises(ValueError, match=f"Invalid parameter '{name}' for estimator") as caught:
        estimator().set_params(**{name: 1})
    assert meant in str(caught.value)


def test_n_jobs_is_a_parameter_of_one_estimator_and_explained_by_the_other():
    assert GDGaborRegressor(n_jobs=2).n_jobs == 2
    with pytest.raises(TypeError, match=r"'n_jobs'\. Instead of .* a descent runs in one thread"):
        GDRegressor(n_jobs=2)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_signature_is_what_scikit_learn_reads(estimator):
    model = estimator(alpha=0.5)
    assert model.get_params()["alpha"] == 0.5
    assert list(inspect.signature(estimator).parameters)[:3] == ["loss", "penalty", "alpha"]
    assert clone(model).get_params() == model.get_params()
    assert is_regressor(model)


def test_a_subclass_may_have_its_own_parameters():
    class Named(GDRegressor):
        def __init__(self, *, eta0=1.0):
            super().__init__(learning_rate=eta0)
            self.eta0 = eta0

    class Open(GDRegressor):
        def __init__(self, **options):
            super().__init__(**options)

    assert Named(eta0=0.5).learning_rate == 0.5
    assert Open(alpha=0.5).alpha == 0.5
    with pytest.raises(TypeError, match="unexpected keyword argument 'alpha'"):
        Named(alpha=0.5)


# Fields of parts


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ({}, "optimizer__beta1", "'adam', 'adamw', 'nadam', 'amsgrad', 'lion': set optimizer to"),
        ({"optimizer": "gd"}, "optimizer__beta", "unlike 'momentum', 'nesterov': set optimizer"),
        ({"optimizer": "adam"}, "optimizer__beta", "optimizer__beta1 or optimizer__beta2?"),
        ({"optimizer": Momentum()}, "optimizer__betta", "Did you mean optimizer__beta?"),
        ({}, "schedule__decay", "unlike 'exponential', 'inverse_time': set schedule"),
        ({}, "penalty__l1_ratio", "unlike 'elasticnet': set penalty"),
        ({}, "shedule__decay", "Instead of 'shedule' there is schedule"),
        ({"optimizer": "adam"}, "optimizer__gamma", "'optimizer__bias_correction']"),
    ],
)
def test_an_unknown_field_is_answered_with_the_known_ones(options, change, said):
    model = GDRegressor(**options)
    with pytest.raises(ValueError, match="Invalid parameter") as caught:
        model.set_params(**{change: 0.5})
    assert said in str(caught.value)
    assert model.get_params(deep=False) == GDRegressor(**options).get_params(deep=False)


def test_a_name_and_its_field_are_set_in_one_call_in_any_order():
    model = GDRegressor().set_params(optimizer__beta1=0.7, optimizer="adam")
    assert model.optimizer == Adam(0.7)


# Attributes


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_error_of_a_missing_attribute_says_what_sets_it(estimator):
    model = estimator(max_iter=2, tol=None, optimizer="gd", random_state=0)
    for name in ("path_", "feature_names_in_", "loss_curve_", "history_"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'. It is not fitted yet"):
            getattr(model, name)
    model.fit(X[:, :1], Y)
    with pytest.raises(AttributeError, match="A fit with record_path=True sets path_"):
        model.path_
    with pytest.raises(AttributeError, match="columns have names sets feature_names_in_"):
        model.feature_names_in_
    with pytest.raises(
        AttributeError, match=r"has no attribute|object has no attribute 'nothing'"
    ):
        model.nothing
    assert not any(
        hasattr(model, name) for name in ("path_", "_nothing", "__nothing__", "classes_")
    )
    assert model.set_params(record_path=True).fit(X[:, :1], Y).path_ is not None


def test_the_error_of_another_estimators_attribute_names_that_estimator():
    with pytest.raises(AttributeError, match="GDGaborRegressor has it"):
        GDRegressor().fit(X, Y).minima_
    with pytest.raises(AttributeError, match=r"GDRegressor, whose .* has dual_gap_"):
        GDGaborRegressor(init=[0.0, 1.0], max_iter=2, tol=None).fit(X[:, :1], Y).dual_gap_
    with pytest.raises(AttributeError, match="It is not fitted yet"):
        GDRegressor().dual_gap_


def test_the_error_of_an_attribute_after_a_failed_fit_says_so():
    model = GDRegressor(optimizer="gd", learning_rate=1e200)
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, Y)
    with pytest.raises(AttributeError, match="The last fit has set no coef_: see stop_reason_"):
        model.coef_


@pytest.mark.parametrize("fitted", [False, True])
def test_copies_and_pickles_use_no_missing_attribute(fitted):
    model = GDRegressor(optimizer=Nesterov(0.5))
    model = model.fit(X, Y) if fitted else model
    for one in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert one.get_params() == model.get_params()
        assert hasattr(one, "coef_") == fitted
    empty = GDRegressor.__new__(GDRegressor)
    assert not hasattr(empty, "alpha")
    if not fitted:
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


# The largest stable rate


class Unknown(Optimizer):
    """Plain descent that declares no stability limit."""

    def step(self, g, memory, j, shared):
        return g, 1.0


def curvatures(rows):
    """Return the largest curvature of the mean loss, and of a single row."""
    rows = np.column_stack([rows, np.ones(len(rows))])
    return np.linalg.eigvalsh(rows.T @ rows / len(rows))[-1], (rows**2).sum(axis=1).max()


def expected_smoothness(rows, b, replacement):
    """Return what Gower et al. (2019) call the expected smoothness of batches of b rows."""
    n, (L, L_max) = len(rows), curvatures(rows)
    if replacement:
        return (b - 1) / b * L + L_max / b
    return n * (b - 1) / (b * (n - 1)) * L + (n - b) / (b * (n - 1)) * L_max


def what_is_said(**options):
    """Return what is said of a fit whose objective has grown, by a warning or an error."""
    common = {"penalty": None, "tol": None, "max_iter": 40, "random_state": 0}
    model = GDRegressor(**{"optimizer": "gd", **common, **options})
    with pytest.raises((ConvergenceWarning, ValueError), match="GDRegressor diverged") as caught:
        model.fit(X, Y)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "share", "name"),
    [
        ("gd", 1.0, "gradient descent"),
        (Momentum(0.5), 1.5, "Momentum"),
        (Momentum(0.5, averaged=True), 3.0, "Momentum"),
        (Nesterov(0.5), 0.75, "Nesterov"),
        ("nesterov", 2.0 / 3.0, "the accelerated sequence"),
    ],
    ids=str,
)
def test_the_rate_that_is_named_is_that_of_the_rule(rule, share, name):
    said = what_is_said(optimizer=rule, learning_rate=50.0)
    named = re.search(rf"The largest stable rate of {name} on this data is (\S+) \(", said)[1]
    assert float(named) == pytest.approx(share * 2.0 / curvatures(X)[0], rel=0.02)


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
@pytest.mark.parametrize("b", [1, 8])
@pytest.mark.parametrize(("rule", "share"), [("gd", 1.0), ("momentum", 0.1), ("nesterov", 0.1)])
def test_the_rate_that_is_named_is_that_of_the_size_of_the_batches(rule, share, b, sampling):
    said = what_is_said(optimizer=rule, learning_rate=50.0, batch_size=b, sampling=sampling)
    rows = "one row" if b == 1 else "8 rows"
    named = re.search(rf"on batches of {rows} is at least (\S+)\. ", said)[1]
    limit = share * 2.0 / expected_smoothness(X, b, sampling == "replacement")
    assert float(named) == pytest.approx(limit, rel=0.02)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("noise", [1.0, 3.0, 30.0, 1000.0])
def test_momentum_on_batches_is_stable_in_the_mean_square_up_to_the_rate_that_is_named(
    beta, noise
):
    """One weight whose curvature is drawn anew at each update, with mean 1 and square ``noise``.

    The second moments of (weight, velocity) are multiplied by a matrix at each update; S is the
    least number with ``E a^2 <= S E a``, so S is ``noise``.
    """
    for nesterov in (False, True):
        if nesterov:  # v = beta v + a w; w -= rate (a w + beta v)
            drawn = np.array([[-(1.0 + beta), 0.0], [1.0, 0.0]])
            kept = np.array([[1.0, -(beta**2)], [0.0, beta]])
        else:  # v = beta v + a w; w -= rate v
            drawn = np.array([[-1.0, 0.0], [1.0, 0.0]])
            kept = np.array([[1.0, -beta], [0.0, beta]])
        rate = 0.999 * (1.0 - beta) * 2.0 / noise
        kept[0, 1] *= rate
        drawn[0, 0] *= rate
        moments = np.kron(kept, kept) + np.kron(kept, drawn) + np.kron(drawn, kept)
        moments += noise * np.kron(drawn, drawn)
        assert abs(np.linalg.eigvals(moments)).max() < 1.0


def test_optimizers_without_a_largest_stable_rate_have_another_message():
    said = what_is_said(optimizer="adam", learning_rate=1e200)
    automatic = GDRegressor(optimizer="adam", penalty=None, center=False, tol=None, max_iter=1)
    rate = automatic.fit(X, Y).learning_rate_
    assert "The steps of Adam have a length of their own, which the rate multiplies" in said
    assert f"from zero, the automatic rate is {rate:.3g}." in said


@pytest.mark.slow
def test_the_message_of_an_unknown_rule_names_no_rate():
    said = what_is_said(optimizer=Unknown(), learning_rate=50.0)
    assert "Nothing is known of the stability of Unknown on this data." in said


class Steep(Loss):
    """A quartic, whose curvature has no bound."""

    def value(self, f, y):
        return (f - y) ** 4

    def slope(self, f, y):
        return 4.0 * (f - y) ** 3

    def second_derivative(self, f, y):
        return 12.0 * (f - y) ** 2


@pytest.mark.slow
def test_a_loss_whose_curvature_has_no_bound_has_no_largest_stable_rate():
    said = what_is_said(loss=Steep(), learning_rate=50.0)
    assert "Nothing is known of the stability of gradient descent on this data." in said
    assert stability_limit(GDRegressor(loss=Steep()).objective(X, Y), OPTIMIZERS["gd"]()) is None


# Parameters that a part has as a field


def test_l1_ratio_may_be_none_if_unused_and_is_otherwise_refused():
    for penalty in ("l1", "l2", None, L1(), ElasticNet(0.3)):
        with_none = GDRegressor(penalty=penalty, l1_ratio=None).fit(X, Y)
        np.testing.assert_array_equal(
            with_none.coef_, GDRegressor(penalty=penalty).fit(X, Y).coef_
        )
    with pytest.raises(ValueError, match="'l1_ratio' parameter of GDRegressor must be a number"):
        GDRegressor(penalty="elasticnet", l1_ratio=None).fit(X, Y)
    assert GDRegressor(penalty="elasticnet", l1_ratio=None).get_params()["l1_ratio"] is None


def test_a_parameter_that_a_part_overrides_is_refused():
    with pytest.raises(ValueError, match=r"0\.7, has no effect beside penalty=ElasticNet"):
        GDRegressor(penalty=ElasticNet(0.3), l1_ratio=0.7).fit(X, Y)
    same = GDRegressor(penalty=ElasticNet(0.7), l1_ratio=0.7, alpha=0.1).fit(X, Y)
    name = GDRegressor(penalty="elasticnet", l1_ratio=0.7, alpha=0.1).fit(X, Y)
    np.testing.assert_array_equal(same.coef_, name.coef_)


def test_a_field_that_is_set_sets_the_parameter_of_its_name():
    model = GDRegressor(penalty="elasticnet", l1_ratio=0.2, alpha=0.1)
    model.set_params(penalty__l1_ratio=0.9)
    assert (model.penalty, model.l1_ratio) == (ElasticNet(0.9), 0.9)
    expected = GDRegressor(penalty=ElasticNet(0.9), alpha=0.1).fit(X, Y)
    np.testing.assert_array_equal(model.fit(X, Y).coef_, expected.coef_)


# Chance


@pytest.mark.parametrize(
    ("options", "random"),
    [
        ({}, False),
        ({"penalty": "l1"}, False),
        ({"optimizer": "adam"}, False),
        ({"batch_size": 8, "sampling": "cyclic"}, False),
        ({"batch_size": 40}, False),
        ({"warm_start": True}, False),
        ({"batch_size": 8, "random_state": 0}, False),
        ({"batch_size": 8}, True),
        ({"batch_size": 40, "sampling": "replacement"}, True),
        ({"early_stopping": True}, True),
    ],
    ids=str,
)
def test_a_fit_without_randomness_leaves_the_global_generator_alone(options, random):
    np.random.seed(7)
    before = np.random.get_state()[1:3]
    model = GDRegressor(max_iter=2, tol=None if "penalty" not in options else 1e-4, **options)
    model.fit(X, Y)
    model.set_params(early_stopping=False).partial_fit(X, Y)
    after = np.random.get_state()[1:3]
    assert (before[1] == after[1] and (before[0] == after[0]).all()) != random


@pytest.mark.parametrize(("options", "random"), [({"init": [0.0, 1.0]}, False), ({}, True)])
def test_a_wave_fitted_from_a_start_leaves_the_global_generator_alone(options, random):
    np.random.seed(7)
    before = np.random.get_state()[2]
    GDGaborRegressor(max_iter=2, tol=None, **options).fit(X[:, :1], Y)
    assert (before != np.random.get_state()[2]) == random
