"""The scores of many candidates on the same rows: one matrix product, and one call of a metric."""

import numpy as np
from sklearn import metrics
from sklearn.utils.metadata_routing import process_routing

from skgd.estimators._sklearn import metric_of, named_scorers, takes_weights
from skgd.estimators.nested_parameters import part_of
from skgd.kernels.row_kernels import inverse_link
from skgd.kernels.sums import predictions
from skgd.search.errors import r2_scores, squared_errors

# Those whose score of several targets is the mean of the scores of each.
MEANS_OVER_TARGETS = {
    metrics.r2_score,
    metrics.explained_variance_score,
    metrics.mean_squared_error,
    metrics.root_mean_squared_error,
    metrics.mean_absolute_error,
    metrics.mean_absolute_percentage_error,
    metrics.median_absolute_error,
    metrics.mean_squared_log_error,
    metrics.root_mean_squared_log_error,
    metrics.mean_pinball_loss,
}
AT_ONCE = 2**22  # predictions


class Metric:
    """A metric of predictions, as a scorer calls it.

    Parameters
    ----------
    function : callable
        Of the targets and predictions.
    sign : int
    options : dict
    """

    def __init__(self, function, sign, options):
        self.function, self.sign, self.options = function, sign, options
        self.is_joint = function in MEANS_OVER_TARGETS and "multioutput" not in options

    def of_predictions(self, y, f, given):
        """Return the scores of candidates.

        Parameters
        ----------
        y : ndarray of shape (n, n_targets)
        f : ndarray of shape (n, C, n_targets)
        given : array-like of shape (n,) or (n, n_targets)
            The targets as they came, for metrics of a user's own.

        Returns
        -------
        list of float
        """
        n, C, n_targets = f.shape
        if self.is_joint and n > 1:
            both = np.tile(y, C), f.reshape(n, -1)
            each = self.function(*both, multioutput="raw_values", **self.options)
            return (self.sign * np.reshape(each, (C, n_targets)).mean(axis=1)).tolist()
        f = f[:, :, 0] if np.ndim(given) == 1 else f
        return [self.sign * self.function(given, f[:, k], **self.options) for k in range(C)]

    def from_products(self, fold, coef, intercept):
        """Return the scores by the products of the held-out rows; None where these do not tell.

        Parameters
        ----------
        fold : Fold
        coef : ndarray of shape (C, n_targets, p)
        intercept : ndarray of shape (C, n_targets)
        """
        if self.options.keys() - {"sample_weight"}:
            return None
        if self.function is metrics.r2_score:
            return self.sign * r2_scores(fold, coef, intercept)
        if self.function is metrics.mean_squared_error:
            return self.sign * squared_errors(fold, coef, intercept).mean(axis=1)
        if self.function is metrics.root_mean_squared_error:
            return self.sign * np.sqrt(squared_errors(fold, coef, intercept)).mean(axis=1)
        return None


def metrics_of(scorer, score_params, routed):
    """Return the `Metric` of each scorer, by name; None if one of them asks for more.

    Parameters
    ----------
    scorer : callable
    score_params : dict
        Of the rows that are scored.
    routed : bool
        Whether scikit-learn's metadata routing is enabled.
    """
    scorers = named_scorers(scorer) or {"score": scorer}
    options = dict.fromkeys(scorers, score_params)
    if named_scorers(scorer) and routed:
        routes = process_routing(scorer, "score", **score_params)
        options = {name: routes[name].score for name in scorers}
    elif named_scorers(scorer):
        options = {name: score_params if takes_weights(s) else {} for name, s in scorers.items()}
    found = {}
    for name, one in scorers.items():
        metric = metric_of(one)
        if metric is None or options[name].keys() - {"sample_weight"}:
            return None
        function, sign, own = metric
        if own.keys() & options[name].keys():  # of which scikit-learn warns
            return None
        found[name] = Metric(function, sign, {**own, **options[name]})
    return found


def predicted(model, X, coef, intercept):
    """Return the predictions of candidates, as ``predict`` of each would be.

    Parameters
    ----------
    model : GDRegressor
        One of them.
    X : ndarray or sparse matrix of shape (n, p)
    coef : ndarray of shape (C, n_targets, p)
    intercept : ndarray of shape (C, n_targets)

    Returns
    -------
    ndarray of shape (n, C, n_targets)
    """
    C, n_targets, p = coef.shape
    f = predictions(X, np.ascontiguousarray(coef.reshape(-1, p).T))
    f += intercept.reshape(-1)
    values = inverse_link(part_of(model, "loss"), f)
    kind = np.result_type(X.dtype, coef.dtype)
    return values.astype(kind, copy=False).reshape(-1, C, n_targets)


def joint_scores(metrics, model, rows, given, solutions, fold):
    """Return the scores of candidates on the same rows, or None where not all are numbers.

    Parameters
    ----------
    metrics : dict of Metric
    model : GDRegressor
        One of the candidates.
    rows : callable
        Returns the rows as it reads them.
    given : array-like
        The targets as they came.
    solutions : Solutions
    fold : Fold or None
        Of which the rows are those held out, whose products may tell the scores.

    Returns
    -------
    list of dict of float, or None
    """
    (coef, intercept), n = solutions[:2], len(given)
    first, at = distinct(solutions)
    if len(first) < len(at):  # equal candidates have equal scores, whatever BLAS makes of them
        scores = joint_scores(metrics, model, rows, given, solutions.take(first), fold)
        return scores and [scores[place] for place in at]
    found = from_products(metrics, model, fold, solutions) if fold is not None else {}
    left = {name: metric for name, metric in metrics.items() if name not in found}
    at_once = max(1, AT_ONCE // (n * coef.shape[1]))
    rows = rows() if left else None
    found |= {name: [] for name in left}
    for start in range(0, len(coef), at_once) if left else ():
        some = slice(start, start + at_once)
        f = predicted(model, rows.X, coef[some], intercept[some])
        if not np.isfinite(f).all():
            return None
        for name, metric in left.items():
            found[name] += metric.of_predictions(rows.y.reshape(n, -1), f, given)
    lists = [[*map(float, found[name])] for name in metrics]
    return [dict(zip(metrics, scores)) for scores in zip(*lists)]


def distinct(solutions):
    """Return the numbers of those that differ, and for each candidate its place among them."""
    places = {}
    at = [
        places.setdefault(w.tobytes() + b.tobytes(), len(places)) for w, b in zip(*solutions[:2])
    ]
    return [at.index(place) for place in range(len(places))], at


def from_products(metrics, model, fold, solutions):
    """Return the scores that the products of the held-out rows tell, if these are cheap.

    They are where they are there, or where there are more candidates than columns.
    """
    coef, intercept, rows = *solutions[:2], fold.test
    is_exact = coef.dtype == rows.X.dtype == np.float64 and len(rows.y) > 1
    are_cheap = "test_products" in vars(fold) or len(coef) > coef.shape[2]
    if not (is_exact and are_cheap and part_of(model, "loss").link == "identity"):
        return {}
    alike = {k: m for k, m in metrics.items() if ("sample_weight" in m.options) == rows.weighted}
    found = {name: m.from_products(fold, coef, intercept) for name, m in alike.items()}
    return {name: scores for name, scores in found.items() if scores is not None}
