"""What a `GDRegressorCV` asks for: models, alphas, splits, scores, and the metadata of these."""

from contextlib import contextmanager
from functools import cached_property
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.metrics import check_scoring
from sklearn.model_selection import LeaveOneOut, check_cv
from sklearn.utils.metadata_routing import process_routing

from skgd.estimators._sklearn import take_rows, takes_weights
from skgd.estimators.data import validated_rows
from skgd.estimators.nested_parameters import part_of, plain
from skgd.estimators.path import given_alphas
from skgd.estimators.piece_rows import check_columns
from skgd.estimators.regressor import GDRegressor
from skgd.estimators.validation import numbers
from skgd.search.curves import (
    ON_PRODUCTS,
    Curves,
    Scored,
    alpha_grid,
    cross_validate,
    without_each_row,
)
from skgd.search.folds import Whole
from skgd.search.piece_folds import PieceFolds
from skgd.search.piece_search import opened_pieces
from skgd.search.piece_splits import PieceSplits

SHARED = "penalty", "fit_intercept", "positive", "penalty_weights", "max_iter", "tol"


class InMemory:
    """Rows in memory, with their folds.

    Parameters
    ----------
    search : GDRegressorCV
    model : GDRegressor
        That learns the columns.
    data : tuple
        X, y and weights, as they were given.
    params, routed : dict and Bunch or None
        What goes to the scorer and the splitter.
    """

    def __init__(self, search, model, data, params, routed):
        self.rows = validated_rows(model, *data, name=type(search).__name__)
        self._search, self._routed, self._all = search, routed, Whole(self.rows, self.rows)
        self._folds = folds_asked_for(search, self._all, data[:2], routed)
        self.held = self.rows.held

    @cached_property
    def whole(self):
        """All rows as a fold, of which none are scored."""
        return self._all.undivided()

    def curves(self, models, alphas):
        """Return the `Curves` of models."""
        return curves_of(self._search, models, alphas, self._all, self._folds, self._routed)


class InPieces:
    """Rows in pieces, with their folds; none is read before these are asked for.

    Parameters
    ----------
    search, model, data, params, routed
        As for `InMemory`.
    """

    def __init__(self, search, model, data, params, routed):
        name, scoring, (X, y, weight) = type(search).__name__, search.scoring, data
        if isinstance(search.cv, str):
            raise ValueError(f"{name} cannot hold out one row of pieces after the other: set cv.")
        if callable(scoring) or scoring not in ON_PRODUCTS:
            raise ValueError(
                f"{name} on rows in pieces does not take scoring={scoring!r}; only None, 'r2', "
                "'neg_mean_squared_error' and 'neg_root_mean_squared_error', which products tell."
            )
        weighed = routed is None or scoring is None or "sample_weight" in routed.scorer.score
        if weight is not None and not weighed:
            raise ValueError("sample_weight of rows in pieces weighs fits and scores alike.")
        self._pieces = opened_pieces(X, y, {**params, "sample_weight": weight})
        self._search = search
        check_columns(model, self._pieces, True)

    @contextmanager
    def held(self):
        """Hold what the engine holds for a fit, and release it at the end."""
        try:
            yield
        finally:
            self._pieces.engine.release()

    @cached_property
    def _read(self):
        """The `PieceFolds`."""
        loss = part_of(GDRegressor(), "loss")
        return PieceFolds(PieceSplits(self._pieces, self._search.cv), loss, needs_weight=False)

    @property
    def whole(self):
        """All rows as a fold, of which none are scored."""
        return self._read.whole

    def curves(self, models, alphas):
        """Return the `Curves` of models."""
        search, folds = self._search, self._read.folds
        known = np.array([fold.test_products.total > 0.0 for fold in folds])
        folds = [fold for fold, is_known in zip(folds, known) if is_known]
        scoring = ON_PRODUCTS[search.scoring]
        found = cross_validate(models, alphas, folds, scoring, search.standardize, None)
        return found if known.all() else found.spread_over(known)


def splitter_of(search):
    """Return the splitter that ``cv`` stands for."""
    return LeaveOneOut() if isinstance(search.cv, str) else check_cv(search.cv)


def known_columns(model):
    """Return what a model knows of the columns, as attributes."""
    names = "n_features_in_", "feature_names_in_"
    return {name: vars(model)[name] for name in names if name in vars(model)}


def routed_metadata(search, sample_weight, params):
    """Return the metadata of splitter and scorer."""
    if get_config()["enable_metadata_routing"]:
        return process_routing(search, "fit", sample_weight=sample_weight, **params)
    if params:
        raise ValueError(
            f"fit of {type(search).__name__} takes {sorted(params)} only with metadata routing: "
            "sklearn.set_config(enable_metadata_routing=True)."
        )
    return None


def models_of(search):
    """Return a model for each l1_ratio, at alpha = 1."""
    shared, ratio = {name: vars(search)[name] for name in SHARED}, search.l1_ratio
    ratios = [ratio]
    if np.ndim(ratio):
        ratios = numbers(ratio, "l1_ratio", {np.shape(ratio): "one number for each path"})
        if ratios.ndim != 1 or not ratios.size or ratios.min() < 0.0 or ratios.max() > 1.0:
            raise ValueError(f"l1_ratio must hold numbers in [0, 1]. Got {ratio!r} instead.")
    models = [GDRegressor(alpha=1.0, l1_ratio=plain(ratio), **shared) for ratio in ratios]
    if part_of(models[0], "penalty").elastic() is None:
        raise ValueError(
            f"{type(search).__name__} needs a penalty of l1 and l2 parts, by its `elastic`; "
            f"{search.penalty!r} is none. Search for the alpha of a GDRegressor by "
            "sklearn.model_selection.GridSearchCV instead."
        )
    return models


def alphas_of(search, models, whole):
    """Return the alphas of each model, the largest first."""
    if isinstance(search.alphas, Integral):
        n_alphas, eps = int(search.alphas), float(search.eps)
        return [alpha_grid(model, whole, n_alphas, eps) for model in models]
    return [given_alphas(search.alphas)] * len(models)


def folds_asked_for(search, whole, data, routed):
    """Return the folds of the splitter; None where a decomposition may do without."""
    if isinstance(search.cv, str) and search.scoring is None and not search.standardize:
        return None
    (X, y), how = data, {} if routed is None else routed.splitter.split
    folds = whole.folds(splitter_of(search).split(X, y, **how))
    if not folds:
        raise ValueError(f"cv gives no folds: {search.cv!r}.")
    if not all(whole.rows.weight[fold.train_index].any() for fold in folds):
        raise ValueError("Sample weights must contain a non-zero number in every training fold.")
    return folds


def curves_of(search, models, alphas, whole, folds, routed):
    """Return the `Curves` of the models."""
    rows = whole.rows
    if folds is None:
        found = [without_each_row(model, a, rows) for model, a in zip(models, alphas)]
        if all(errors is not None for errors in found):
            errors = np.where(rows.weight[:, None] > 0.0, np.stack(found), np.nan)
            return Curves(errors, -errors, [])
        folds = whole.folds(LeaveOneOut().split(rows.weight))
    known = [bool(rows.weight[fold.test_index].any()) for fold in folds]
    folds = [fold for fold, is_known in zip(folds, known) if is_known]
    scoring = _scoring(search, rows, folds, routed)
    found = cross_validate(models, alphas, folds, scoring, search.standardize, search.n_jobs)
    return found if all(known) else found.spread_over(np.array(known))


def _scoring(search, rows, folds, routed):
    """Return what scores the coefficients on a fold."""
    if search.scoring is None or (routed is None and search.scoring in ON_PRODUCTS):
        return ON_PRODUCTS[search.scoring]
    scorer = check_scoring(GDRegressor(), search.scoring)
    if routed is not None:
        given = routed.scorer.score
    else:
        given = rows.weight_options if takes_weights(scorer) else {}
    options = [{k: take_rows(v, fold.test_index) for k, v in given.items()} for fold in folds]
    columns, single = known_columns(search), rows.y.ndim == 1
    return Scored(scorer, columns, single, search.alpha_per_target, options)
