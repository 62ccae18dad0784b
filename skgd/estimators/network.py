"""What the regressor and the classifier of fully connected networks have in common."""

import abc
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skgd.activations import ACTIVATIONS, Activation
from skgd.estimators._sklearn import Interval, StrOptions
from skgd.estimators.data import feature_names, prediction_rows, validated_rows
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.network_parameters import flat_parameters
from skgd.estimators.network_problem import (
    NetworkProblem,
    coded,
    constants,
    n_outputs,
    network_objective,
    shape_of,
)
from skgd.estimators.targets import numeric_targets
from skgd.estimators.validation import MatrixLike
from skgd.objective import Objective
from skgd.objective.network import NetworkTerm
from skgd.optimizers import OPTIMIZERS, Optimizer


class NetworkEstimator(DescentEstimator, abc.ABC):
    """An abstract estimator that predicts by a fully connected network."""

    steps_on_pieces = True
    fitted_attributes = (
        *("coefs_", "intercepts_", "scales_", "shifts_", "running_means_", "running_variances_"),
        *("n_features_in_", "t_"),
    )
    _parameter_constraints = {
        **DescentEstimator._parameter_constraints,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(ACTIVATIONS), Activation, list, tuple],
        "batch_norm": ["boolean", list, tuple],
        "weight_init": [StrOptions(["auto", "he", "glorot"])],
        "statistics_decay": [Interval(Real, 0, 1, closed="left")],
        "recalibrate": ["boolean"],
        "optimizer": [StrOptions([*OPTIMIZERS, "lbfgs"]), Optimizer],
    }
    _parameter_constraints.pop("penalty_weights")

    def _check_parameters(self, state):
        if "coefs_" in state:
            known = SimpleNamespace(**state)
            flat_parameters(fitted_shape(known), state)

    def _problem(self, rows, last, stream):
        return NetworkProblem(self, rows, last, stream)

    def objective(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Objective:
        """Return what a fit minimises, as a function of `parameters`.

        Normalised layers are in training mode: they use the statistics of all rows.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        Objective
        """
        y, sample_weight, _ = numeric_targets(self, y, sample_weight, (None,) * 3, False)
        rows = validated_rows(clone(self), X, y, sample_weight)
        loss, Y = coded(self, rows.y)
        shape = shape_of(self, rows.X.shape[1], n_outputs(self, loss, Y))
        _, unit = constants(loss, Y, rows.weight, shape.widths[-1])
        return network_objective(self, rows, shape, unit)

    def parameters(self) -> np.ndarray:
        check_is_fitted(self)
        return flat_parameters(fitted_shape(self), vars(self)).astype(float)

    def starting_points(self) -> np.ndarray:
        check_is_fitted(self)
        return self.starts_

    def layer_inputs(self, X: MatrixLike, parameters: ArrayLike | None = None) -> list[np.ndarray]:
        """Return what reaches the activations of each hidden layer.

        Normalised sums are those by the running statistics, scaled and shifted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        parameters : array-like of shape (n_parameters,), default=None
            At which to look, as ``path_`` holds them; None for those of the fit.

        Returns
        -------
        list of ndarray of shape (n_samples, units)
        """
        theta = self.parameters() if parameters is None else np.asarray(parameters, dtype=float)
        term, X = _term_of(self, X)
        if theta.shape != (term.n_parameters,):
            raise ValueError(
                f"parameters must be {term.n_parameters} numbers. Got shape {theta.shape}."
            )
        return term.layer_inputs(theta, X)

    def parameter_names(self) -> list[str]:
        check_is_fitted(self)
        shape, names = fitted_shape(self), []
        for layer, (k, n) in enumerate(shape.sizes):
            inputs = feature_names(self) if layer == 0 else [f"unit {j}" for j in range(k)]
            place = f"in layer {layer + 1}"
            names += [f"weight of {i} for {j} {place}" for i in inputs for j in range(n)]
        flags = [*shape.normalised, False]
        for layer, (n, flag) in enumerate(zip(shape.widths[1:], flags)):
            kind = "shift" if flag else "bias"
            names += [f"{kind} of {j} in layer {layer + 1}" for j in range(n)]
        for kinds in (("scale",), ("mean", "variance")):
            for layer, (n, flag) in enumerate(zip(shape.widths[1:], flags)):
                for kind in kinds if flag else ():
                    names += [f"{kind} of {j} in layer {layer + 1}" for j in range(n)]
        return names

    def parameter_order(self) -> np.ndarray:
        check_is_fitted(self)
        return np.arange(fitted_shape(self).n_parameters)


def fitted_shape(estimator):
    """Return the `Shape` of a fitted network."""
    return shape_of(estimator, estimator.n_features_in_, estimator.coefs_[-1].shape[1])


def network_outputs(estimator, X):
    """Return what the last layer puts out, of shape (n, outputs), and the type to report."""
    term, X = _term_of(estimator, X)
    return term.predictions(estimator.parameters(), X), np.result_type(X.dtype, term.dtype)


def _term_of(estimator, X):
    """Return a term of the fitted network, which has no rows of its own, and rows to pass."""
    X, y = prediction_rows(estimator, X), np.zeros((1, 1))
    none = np.zeros((1, X.shape[1]), estimator.coefs_[0].dtype)
    term = NetworkTerm(none, y, np.ones(1), fitted_shape(estimator), coded(estimator, y)[0])
    return term, X.tocsr() if sparse.issparse(X) else np.ascontiguousarray(X)
