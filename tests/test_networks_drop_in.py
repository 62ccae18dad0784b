"""The tests that scikit-learn has of its networks hold for ours, in its place.

An adapter gives our networks the names of scikit-learn's parameters and attributes.
"""

import numpy as np
import pytest
import sklearn.datasets
import sklearn.neural_network
from conftest import scikit_learn_tests
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from skgd import GDMLPClassifier, GDMLPRegressor

LEFT_OUT = {
    # of private attributes and methods
    *("test_fit", "test_gradient", "test_n_iter_no_change", "test_n_iter_no_change_inf"),
    *("test_adaptive_learning_rate", "test_learning_rate_warmstart"),
    # of several labels for a row, which are not offered
    *("test_multilabel_classification", "test_predict_proba_multilabel"),
    # of evaluations of the objective within an epoch of L-BFGS, which have no limit of their own
    *("test_lbfgs_classification_maxfun", "test_lbfgs_regression_maxfun"),
    # of texts that are printed, or of errors, which have other words
    *("test_verbose_sgd", "test_nonfinite_params", "test_mlp_partial_fit_after_fit"),
    *("test_minimum_input_sample_size", "test_early_stopping_stratified"),
    "test_warm_start",  # of errors, too: a class may be absent when a fit goes on
    "test_preserve_feature_names",  # of a single class, which is refused
    "test_mlp_diverging_loss",  # of scores that are no numbers, where ours are very low
    "test_alpha",  # of the weights of each layer, of which only their sum must shrink
}
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


class Adapter(BaseEstimator):
    """A network of ours, by the names of scikit-learn's parameters and attributes."""

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=1e-4,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=1e-3,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        warm_start=False,
        momentum=0.9,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
    ):
        self.loss, self.hidden_layer_sizes, self.activation = loss, hidden_layer_sizes, activation
        self.solver, self.alpha, self.batch_size = solver, alpha, batch_size
        self.learning_rate, self.learning_rate_init = learning_rate, learning_rate_init
        self.max_iter, self.shuffle, self.random_state = max_iter, shuffle, random_state
        self.tol, self.warm_start, self.momentum = tol, warm_start, momentum
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.n_iter_no_change = n_iter_no_change

    def _network(self, X):
        """Return the network of the last call, or a new one, with the present parameters."""
        if "network_" not in vars(self):
            self.network_ = self.kind()
        n, rule = np.shape(X)[0], self.solver
        if rule == "sgd":
            rule = "momentum" if self.momentum else "gd"
        size = min(200, n) if self.batch_size == "auto" else self.batch_size
        names = ("hidden_layer_sizes", "activation", "max_iter", "random_state", "tol")
        names += "warm_start", "early_stopping", "validation_fraction"
        given = {name: getattr(self, name) for name in names}
        given["n_iter_no_change"] = int(min(self.n_iter_no_change, 10**9))
        given |= {"optimizer": rule, "batch_size": None if rule == "lbfgs" else size}
        given["alpha"] = self.alpha / n
        given["learning_rate"] = "auto" if rule == "lbfgs" else self.learning_rate_init
        given["sampling"] = "shuffle" if self.shuffle else "cyclic"
        if rule == "momentum":
            given["optimizer__beta"] = self.momentum
        if self.kind is GDMLPRegressor:
            given["loss"] = self.loss
        return self.network_.set_params(**given)

    def fit(self, X, y, sample_weight=None):
        before = self._scores if self.warm_start and "_scores" in vars(self) else []
        network = self._network(X).fit(X, y, sample_weight)
        own = network.history_["validation_score"][1:].tolist() if self.early_stopping else []
        self._scores = [*before, *own]
        return self

    @property
    def partial_fit(self):
        learn = self._network([0]).partial_fit

        def partial_fit(X, y, *args, **options):
            self._network(X)
            learn(X, y, *args, **options)
            return self

        return partial_fit

    def __getattr__(self, name):
        if name.startswith("_") or name == "network_":
            raise AttributeError(name)
        return getattr(self.network_, name)

    @property
    def best_loss_(self):
        return None if self.early_stopping else self.network_.loss_curve_.min()

    @property
    def validation_scores_(self):
        return self._scores if self.early_stopping else None

    @property
    def best_validation_score_(self):
        return max(self.validation_scores_) if self.early_stopping else None

    def predict(self, X):
        return self.network_.predict(X)


class Regressor(RegressorMixin, Adapter):
    kind = GDMLPRegressor


class Classifier(ClassifierMixin, Adapter):
    kind = GDMLPClassifier


OURS = {
    "sklearn.neural_network.MLPRegressor": Regressor,
    "sklearn.neural_network.MLPClassifier": Classifier,
}
MODULE = "sklearn.neural_network.tests.test_mlp"
globals().update(scikit_learn_tests(MODULE, OURS, LEFT_OUT))


@pytest.fixture
def global_random_seed():
    return 42


def test_a_larger_alpha_leaves_smaller_weights():
    X, y = sklearn.datasets.load_digits(n_class=2, return_X_y=True)
    rows, sums = X[:100] / 16.0, []
    for alpha in (0.0, 1.0, 10.0):
        weights = Classifier(hidden_layer_sizes=10, alpha=alpha, random_state=1).fit(rows, y[:100])
        sums.append(sum(np.abs(W).sum() for W in weights.coefs_))
    assert sums[0] > sums[1] > sums[2]
