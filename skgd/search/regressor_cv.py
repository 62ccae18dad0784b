"""Linear regression whose alpha is chosen by cross-validation."""

from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import MultiOutputMixin, clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from skgd.estimators._sklearn import Interval, StrOptions, fit_context
from skgd.estimators.by_blocks import by_blocks
from skgd.estimators.data import prediction_rows
from skgd.estimators.docstrings import documented
from skgd.estimators.nested_parameters import NamedParts, part_of
from skgd.estimators.regressor import GDRegressor
from skgd.estimators.scores import RegressorOnPieces
from skgd.estimators.user_warnings import warn
from skgd.estimators.validation import MatrixLike, stored_as
from skgd.kernels.sums import predictions
from skgd.penalties import Penalty
from skgd.search.alphas import alpha_path, certified
from skgd.search.curves import choice_of
from skgd.search.cv_inputs import (
    SHARED,
    InMemory,
    InPieces,
    alphas_of,
    known_columns,
    models_of,
    routed_metadata,
    splitter_of,
)
from skgd.search.folds import ScaledFold
from skgd.search.piece_search import are_in_pieces


@documented
class GDRegressorCV(MultiOutputMixin, RegressorOnPieces, NamedParts):
    """`GDRegressor` with the alpha that cross-validation finds best.

    The squared error with any penalty of l1 and l2 parts, by direct solvers: along one path of
    alphas on each fold, on the products of its columns where these are exact, so that all folds
    together read the rows once. With ``penalty="l1"`` it does what `LassoCV` does, with
    ``"elasticnet"`` what `ElasticNetCV` does, and with ``"l2"`` what `RidgeCV` does.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        In any order; or how many, in equal ratios from the smallest that leaves no weight. For a
        penalty without an l1 part from ten times the sum of the mean squares of the columns.
    eps : float, default=1e-3
        The ratio of the smallest alpha to the largest, in (0, 1), where ``alphas`` is a number;
        its square for a penalty without an l1 part.
    {penalty}
    {l1_ratio} : float, array-like or None
        Of several, the one whose best alpha scores highest is chosen.
    cv : int, splitter, iterable or None, default=None
        None for five folds of rows as they stand. ``"loo"`` holds out one row after the other: for
        an l2 penalty with ``scoring=None`` by one decomposition for all rows.
    scoring : str, callable or None, default=None
        The score that alpha is chosen by, of scikit-learn. None for the mean squared error. Sample
        weights go to scorers that take them.
    selection : {"min", "1se"}, default="min"
        ``"min"`` chooses the alpha of the best mean score over the folds; ``"1se"`` the largest
        whose mean is within one standard error of that, which is the spread over the folds
        over the root of their number.
    standardize : bool, default=False
        Whether columns are divided by their spread before they are penalised, in each fold by
        that of its training rows. Coefficients are those of the columns as given. A scaler that
        stands before this estimator in a Pipeline has seen the held-out rows of every fold.
    alpha_per_target : bool, default=False
        Whether each target has an alpha, and an l1_ratio, of its own.
    {fit_intercept}
    positive : bool, default=False
        Whether the weights are kept from being negative.
    {penalty_weights}
    {max_iter}
    {tol}
    n_jobs : int or None, default=None
        Threads over the folds.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The one that is chosen; of each target with ``alpha_per_target``.
    alpha_min_, alpha_1se_ : float or ndarray of shape (n_targets,)
        What each ``selection`` chooses.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        The largest first.
    l1_ratio_ : float or ndarray of shape (n_targets,)
        The one that is chosen.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        The mean squared error on each fold, the mean over targets; with ``alpha_per_target`` and
        two dimensions of y, another axis for the targets. Weighted by ``sample_weight``; NaN on
        folds whose held-out rows have no weight, which do not count.
    score_path_ : ndarray of the same shape
        The scores; the negative of ``mse_path_`` with ``scoring=None``.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        The coefficients at the chosen l1_ratio on all rows.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        At the chosen alpha on all rows; float32 where X is.
    intercept_ : float or ndarray of shape (n_targets,)
        On the scale of ``coef_``; 0.0 without an intercept.
    dual_gap_ : float or ndarray of shape (n_targets,)
        The objective at the chosen alpha minus a lower bound of its minimum.
    {n_iter_}
    {converged_}
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    GDRegressor : The same at one alpha, and by descents.
    skgd.path : The coefficients over alpha.
    sklearn.linear_model.LassoCV, sklearn.linear_model.ElasticNetCV, sklearn.linear_model.RidgeCV

    Notes
    -----
    The best mean score is the mean over folds, each of which counts once. alpha is that of a mean
    loss, so that it means the same for the training rows of a fold as for all rows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = GDRegressorCV(penalty="l1", standardize=True).fit(X, y)
    >>> round(lasso.alpha_, 2), round(lasso.score(X, y), 3)
    (0.08, 0.517)
    >>> sparser = GDRegressorCV(penalty="l1", standardize=True, selection="1se").fit(X, y)
    >>> round(sparser.alpha_, 2), (sparser.coef_ != 0.0).sum().item()
    (3.93, 6)
    """

    _parameter_constraints = {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like", None],
        "cv": ["cv_object", StrOptions(["loo"])],
        "scoring": [str, callable, None],
        "selection": [StrOptions(["min", "1se"])],
        "standardize": ["boolean"],
        "alpha_per_target": ["boolean"],
        "n_jobs": [Integral, None],
        **{name: GDRegressor._parameter_constraints[name] for name in SHARED},
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        alphas: int | ArrayLike = 100,
        eps: float = 1e-3,
        penalty: str | Penalty | None = "l2",
        l1_ratio: float | ArrayLike | None = 0.5,
        cv: int | BaseCrossValidator | Iterable | str | None = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        standardize: bool = False,
        alpha_per_target: bool = False,
        fit_intercept: bool = True,
        positive: bool = False,
        penalty_weights: ArrayLike | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-4,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas, self.eps, self.penalty, self.l1_ratio = alphas, eps, penalty, l1_ratio
        self.cv, self.scoring, self.selection = cv, scoring, selection
        self.standardize, self.alpha_per_target = standardize, alpha_per_target
        self.fit_intercept, self.positive = fit_intercept, positive
        self.penalty_weights, self.max_iter, self.tol = penalty_weights, max_iter, tol
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what of the metadata goes to the scorer, and what to the splitter.

        Returns
        -------
        MetadataRouter
        """
        router, caller = MetadataRouter(owner=self).add_self_request(self), MethodMapping()
        splits = caller.add(caller="fit", callee="split")
        router.add(splitter=splitter_of(self), method_mapping=splits)
        if self.scoring is not None:
            scores = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=check_scoring(GDRegressor(), self.scoring), method_mapping=scores)
        return router

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose alpha by cross-validation, and fit to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or `skgd.pieces.Pieces` with targets and weights of their own, or a dask array or
            dataframe: one reading tells the products of all folds.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Not negative; a weight of two equals a row given twice in the same fold. The mean over
            folds is not weighted.
        **params : dict
            What goes to the scorer and to the splitter, with metadata routing enabled.

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            Once for all folds, and for the fit to all rows.
        """
        routed, models = routed_metadata(self, sample_weight, params), models_of(self)
        kind = InPieces if are_in_pieces(X) else InMemory
        rows = kind(self, models[0], (X, y, sample_weight), params, routed)
        vars(self).pop("feature_names_in_", None)
        vars(self).update(known_columns(models[0]))
        with rows.held():
            whole = ScaledFold(rows.whole) if self.standardize else rows.whole
            alphas = alphas_of(self, models, whole)
            curves = rows.curves(models, alphas)
            if curves.messages:
                warn(
                    f"{len(curves.messages)} of the fits on the folds have not converged; the "
                    f"first: {curves.messages[0].sentence}"
                )
            each = self.alpha_per_target and not whole.train.is_single
            self._set_curves(alphas, curves, each)
            self._set_solution(models, alphas, curves, whole, each)
        return self

    def _set_curves(self, alphas, curves, each):
        """Set what is known of all alphas on all folds."""
        one = (slice(None) if np.ndim(self.l1_ratio) else 0,)
        values = [v if each else v.mean(axis=3) for v in (curves.errors, curves.scores)]
        self.alphas_ = np.stack(alphas)[one]
        self.mse_path_, self.score_path_ = (v[one] for v in values)

    def _set_solution(self, models, alphas, curves, whole, each):
        """Choose an alpha, for each target or for all, and set what fits to all rows come to."""
        scores, rows = curves.scores, whole.train
        scores = scores if each else scores.mean(axis=3, keepdims=True)
        choices = [choice_of(scores[..., k]) for k in range(scores.shape[3])]
        form = np.array if each else lambda values: float(values[0])
        self.alpha_min_ = form([alphas[c.path][c.best] for c in choices])
        self.alpha_1se_ = form([alphas[c.path][c.within_error] for c in choices])
        self.alpha_ = self.alpha_min_ if self.selection == "min" else self.alpha_1se_
        self.l1_ratio_ = form([part_of(models[c.path], "penalty").elastic()[0] for c in choices])
        scale = whole.scale if self.standardize else np.ones(rows.shape[1])
        paths, fits = [], []
        for k, (choice, alpha) in enumerate(zip(choices, np.ravel(self.alpha_))):
            model, targets = models[choice.path], slice(k, k + 1) if each else slice(None)
            path = alpha_path(model, whole, alphas[choice.path])
            paths.append(path.coef[:, targets] / scale)
            at = int(np.flatnonzero(alphas[choice.path] == alpha)[0])
            model = clone(model).set_params(alpha=alpha)
            fits.append(certified(model, rows.target(k) if each else rows, path.coef[at, targets]))
        coefs = np.moveaxis(np.concatenate(paths, axis=1), 0, -1)
        self.coef_path_ = coefs[0] if rows.is_single else coefs
        for name in fits[0]:
            found = [fit[name] for fit in fits]
            setattr(self, name, np.array(found) if each else found[0])
        self.coef_ = stored_as(rows.dtype, self.coef_.astype(float) / scale, scale.size)

    @by_blocks
    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict by the linear function at the chosen alpha.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            float32 where X and the fit are, else float64.
        """
        X = prediction_rows(self, X)
        f = predictions(X, self.coef_.T) + self.intercept_
        return f.astype(np.result_type(X.dtype, self.coef_.dtype), copy=False)
