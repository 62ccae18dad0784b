"""The problem of a network: one objective for all outputs, and where its descent begins."""

import math
from numbers import Integral

import numpy as np
from scipy import sparse

from skgd.activations import Activation
from skgd.descent.growth import NOISE
from skgd.descent.outcome import Outcome
from skgd.estimators.nested_parameters import named_part, part_of, plain
from skgd.estimators.network_parameters import given_parameters, named_parameters
from skgd.estimators.problem import Answer, Problem, Starts
from skgd.estimators.validation import stored_as
from skgd.losses import CrossEntropy
from skgd.objective.best_constant import fit_constant
from skgd.objective.network import NetworkTerm, Normalisation, Shape
from skgd.objective.objective import Objective
from skgd.optimizers import AdaDelta, AdaGrad, Lion

# Automatic rates of the rules whose steps have a length of their own, in units of the parameters;
# of most such rules, and of those whose steps are much longer or shorter at the same rate.
RATE, RATES = 3e-3, {Lion: 3e-4, AdaGrad: 3e-2, AdaDelta: 1.0}
PROBED = 512  # rows, by which the curvature at the start is estimated
PROBES = 12  # steps of that estimate
DIFFERENCE = 1e-4  # of theta, by which gradients are differenced
EVEN = 0.01  # of the frequencies of classes at the start, which all have alike
RISEN = 0.1  # of what a descent has gained: to have lost so much again is not to have converged
CAUTION = 0.5  # of the reciprocal of that curvature, which may grow on the way


class NetworkProblem(Problem):
    """One objective: the mean loss of a network, summed over its outputs.

    Parameters
    ----------
    estimator : GDMLPRegressor or GDMLPClassifier
    rows : Rows
    last : LastCall or None
        What a resumed fit knows of the last call.
    stream : bool
        Whether the rows follow those of the last call.
    """

    is_single, n_jobs, means = True, 1, None
    is_random = True

    def __init__(self, estimator, rows, last, stream):
        self.estimator, self.last, self.dtype = estimator, last, rows.X.dtype
        self.target_ndim = rows.y.ndim
        self.loss, Y = coded(estimator, rows.y)
        self.shape = shape_of(estimator, rows.X.shape[1], n_outputs(estimator, self.loss, Y))
        self.levels, unit = constants(self.loss, Y, rows.weight, self.shape.widths[-1])
        scale = spread(self.loss, unit, self.shape)
        self.units = scale if estimator.learning_rate == "auto" else None
        self.objective = network_objective(estimator, rows, self.shape, unit, self.units)
        self.objectives = [self.objective]

    def starts(self, seed):
        if self.last is not None:
            known, asked = self.estimator.coefs_[-1].shape[1], self.shape.widths[-1]
            if known != asked:
                raise ValueError(
                    f"y has {asked} targets, but the network is fitted to {known}. Fit anew."
                )
        point = self._first_point(seed) if self.last is None else self.estimator.parameters()
        self.start = point
        return Starts([(0, point)], {"starts_": point[None]})

    def _first_point(self, seed):
        """Return ``init``, or random weights."""
        estimator, shape = self.estimator, self.shape
        if estimator.init is not None:
            return given_parameters(estimator.init, shape)
        rng, theta = np.random.default_rng(seed), np.zeros(shape.n_parameters)
        weights, shifts, scales, _, variances = shape.split(theta)
        for layer, W in enumerate(weights):
            W[:] = rng.normal(size=W.shape) * self._deviation(layer, *W.shape)
        for one in (*scales, *variances):
            one[:] = 1.0
        shifts[-1][:] = self.levels
        if self.units is not None:
            weights[-1][:] *= self.units[shape.n_weights - 1]
        return theta

    def _deviation(self, layer, k, n):
        """Return the standard deviation of a layer's weights."""
        shape, kind = self.shape, self.estimator.weight_init
        hidden = layer < len(shape.activations)
        gain = shape.activations[layer].gain if hidden else 1.0
        if kind == "he" or (kind == "auto" and gain == 2.0):
            return math.sqrt(2.0 / k)
        return math.sqrt(2.0 / (k + n))

    def learning_rate(self, optimizer, start=None, run=None):
        given = plain(self.estimator.learning_rate)
        if given != "auto" or run is not None:
            return run.learning_rate if given == "auto" else given
        if optimizer.newton_fraction is not None:
            kinds = [rate for kind, rate in RATES.items() if isinstance(optimizer, kind)]
            return kinds[0] if kinds else RATE
        largest = self._curvature(start)
        stable = CAUTION / largest if largest > 0.0 else 1.0
        full = self.estimator.batch_size is None
        return optimizer.resolved(full).automatic_rate(stable, 1.0, full)

    def _curvature(self, start):
        """Estimate the largest curvature at the start, by differences of gradients."""
        term, rng = self.objective.term, np.random.default_rng(0)
        rows = rng.permutation(term.n_samples)[:PROBED]
        units = np.ones(start.size) if self.units is None else self.units
        free = np.ones(start.size)
        free[start.size - self.shape.n_statistics :] = 0.0

        def gradient(theta):
            g = np.zeros(start.size)
            term.accumulate(theta, rows, g, {})
            return units * g

        v, largest, base = rng.normal(size=start.size) * free, 0.0, gradient(start)
        step = DIFFERENCE * max(1.0, float(np.linalg.norm(start / units)) / math.sqrt(start.size))
        for _ in range(PROBES):
            length = np.linalg.norm(v)
            if not 0.0 < length < np.inf:
                break
            v /= length
            v = (gradient(start + step * units * v) - base) / step
            largest = max(largest, float(np.linalg.norm(v)))
        return largest + self.objective.strengths.max() * self.objective.penalty.curvature()

    def in_order_of_init(self, target, theta):
        return theta

    def attributes(self, target, theta):
        theta = stored_as(self.dtype, np.asarray(theta, dtype=float))
        return named_parameters(self.shape, theta) | {"target_ndim_": self.target_ndim}

    def given_targets(self, y):
        classes = vars(self.estimator).get("classes_")
        return y if classes is None else classes[y.astype(int)]

    def accepts(self, run):
        """Let a run fail that ends far above its start, which running losses do not tell of."""
        end, unit = run.record.curve[-1], self.objective.null_objective
        if end > NOISE * unit and not run.outcome.failed:
            with np.errstate(all="ignore"):
                start = self.objective.value(self.start)
            if end > NOISE * max(start, unit):
                run.stop(Outcome.DIVERGED)
        return True

    def answer(self, runs):
        return Answer(runs, [])

    def solution(self, answer):
        (run,) = answer.runs
        theta = np.asarray(run.theta, dtype=float)
        if self.shape.n_statistics and self._recalibrates(run):
            theta = self.objective.term.recalibrated(theta).astype(float)
        curve = np.array(run.record.curve)
        lost = curve[-1] - curve.min() > RISEN * (curve[0] - curve.min())
        arrived = run.outcome.settled and (run.selected is not None or not lost)
        return self.attributes(0, theta) | {"converged_": np.bool_(arrived)}

    def _recalibrates(self, run):
        """Whether the statistics are computed anew: also for means of iterates, and minima."""
        return self.estimator.recalibrate or self.estimator.average or not run.resumable

    def remarks(self, solution):
        return []


def shape_of(estimator, p, outputs):
    """Return the `Shape` of an estimator's network.

    Parameters
    ----------
    estimator : GDMLPRegressor or GDMLPClassifier
    p, outputs : int
        Columns of X, and outputs.
    """
    sizes = np.atleast_1d(np.asarray(estimator.hidden_layer_sizes)).tolist()
    if not all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be whole numbers above zero. Got "
            f"{estimator.hidden_layer_sizes!r} instead."
        )
    activations = of_layers(estimator.activation, len(sizes), "activation")
    activations = tuple(named_part("activation", one, {}) for one in activations)
    wrong = [one for one in activations if not isinstance(one, Activation)]
    if wrong:
        raise ValueError(f"activation must be of skgd.activations. Got {wrong[0]!r}.")
    flags = of_layers(estimator.batch_norm, len(sizes), "batch_norm")
    wrong = [flag for flag in flags if not isinstance(flag, bool | np.bool_)]
    if wrong:
        raise ValueError(f"batch_norm must hold True or False. Got {wrong[0]!r} instead.")
    if any(flags) and estimator.batch_size == 1:
        raise ValueError(
            "batch_size=1 leaves batch_norm nothing to normalise by: the variance of a single row "
            "is zero. Take batches of two rows or more."
        )
    return Shape((p, *sizes, outputs), activations, tuple(map(bool, flags)))


def of_layers(value, n_layers, name):
    """Return a value for each hidden layer, of one or a list of them."""
    if not isinstance(value, list | tuple):
        return [value] * n_layers
    if len(value) != n_layers:
        raise ValueError(
            f"{name} must be one value, or one for each of the {n_layers} hidden layers. Got "
            f"{len(value)} of them."
        )
    return list(value)


def coded(estimator, y):
    """Return the loss, and targets as the network's term takes them: of two dimensions."""
    loss = part_of(estimator, "loss")
    classes = vars(estimator).get("classes_")
    if classes is not None and len(classes) > 2:
        loss = CrossEntropy()
    return loss, np.ascontiguousarray(y.reshape(len(y), -1), dtype=float)


def n_outputs(estimator, loss, Y):
    """Return the outputs of the network."""
    return len(estimator.classes_) if loss.joint else Y.shape[1]


def constants(loss, Y, weight, outputs):
    """Return the best constant predictions, and the objective that they have.

    For classes these are those of their frequencies, a hundredth of which goes to all alike: a
    class may be absent.
    """
    if loss.joint or loss.link == "logit":
        kinds = outputs if loss.joint else 2
        frequencies = np.bincount(Y[:, 0].astype(int), weight, minlength=kinds) / weight.sum()
        frequencies = (1.0 - EVEN) * frequencies + EVEN / kinds
        unit = -float(frequencies @ np.log(frequencies))
        odds = frequencies if loss.joint else frequencies[1:] / frequencies[0]
        return np.log(odds), unit
    fits = [fit_constant(loss, np.ascontiguousarray(y), weight) for y in Y.T]
    return np.array([fit.level for fit in fits]), sum(fit.unit for fit in fits)


def spread(loss, unit, shape):
    """Return units of the parameters in which the outputs have the spread of the targets."""
    units, apart = np.ones(shape.n_parameters), shape.widths[-1]
    if loss.link == "identity":
        weights, shifts, *_ = shape.split(units)
        weights[-1][:] = shifts[-1][:] = math.sqrt(2.0 * unit / apart)
    return units


def network_objective(estimator, rows, shape, unit, units=None):
    """Return F, for all outputs together."""
    loss, Y = coded(estimator, rows.y)
    X = rows.X.tocsr() if sparse.issparse(rows.X) else np.ascontiguousarray(rows.X)
    if shape.n_statistics and len(Y) < 2:
        raise ValueError("batch_norm needs two rows or more. Got n_samples=1.")
    normalisation = Normalisation(estimator.batch_size, estimator.statistics_decay)
    term = NetworkTerm(X, Y, rows.weight, shape, loss, normalisation, units)
    return Objective(term, part_of(estimator, "penalty"), estimator.alpha, null_objective=unit)
