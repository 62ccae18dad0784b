"""What a fitted `GDRegressorCV` has found over alpha, in the form of the displays."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skgd.displays.inspection import final_estimator, text_of
from skgd.displays.style import GREY
from skgd.estimators.data import feature_names
from skgd.search.regressor_cv import GDRegressorCV

BEST, WITHIN = "best", "within one standard error"
DASHES = {BEST: "--", WITHIN: ":"}


class AlphaCurve(NamedTuple):
    """Scores on the folds over alpha, at one l1_ratio."""

    name: str
    alphas: np.ndarray  # (n_alphas,), rising
    scores: np.ndarray  # (n_alphas, n_folds)


class AlphaSearch(NamedTuple):
    """What is known of one target."""

    names: list  # of the features
    penalty: str
    alphas: np.ndarray  # (n_alphas,), rising
    coefs: np.ndarray  # (n_alphas, n_features)
    curves: list  # of AlphaCurve
    marks: dict  # the chosen alphas by their names


def alpha_search(estimator, target):
    """Return the `AlphaSearch` of one target of a fitted estimator.

    Parameters
    ----------
    estimator : GDRegressorCV, or a pipeline that ends with one
    target : int
    """
    search = final_estimator(estimator)
    if not isinstance(search, GDRegressorCV):
        raise TypeError(f"The display is for GDRegressorCV. Got {type(search).__name__} instead.")
    check_is_fitted(search, "alphas_")
    coefs = search.coef_path_ if search.coef_path_.ndim == 3 else search.coef_path_[None]
    if target >= len(coefs):
        raise ValueError(f"The 'target' parameter must be below {len(coefs)}. Got {target!r}.")
    several = np.ndim(search.alphas_) == 2
    alphas, scores = search.alphas_, search.score_path_
    alphas, scores = (alphas, scores) if several else (alphas[None], scores[None])
    scores = scores[..., target] if scores.ndim == 4 else scores
    scores = -scores if search.scoring is None else scores
    ratios = np.ravel(search.l1_ratio) if several else [None]
    curves = [
        AlphaCurve("score" if ratio is None else f"l1_ratio={ratio:g}", *_rising(a, s))
        for ratio, a, s in zip(ratios, alphas, scores)
    ]
    chosen = {BEST: search.alpha_min_, WITHIN: search.alpha_1se_}
    marks = {name: float(np.ravel(v)[target if np.ndim(v) else 0]) for name, v in chosen.items()}
    ratio = np.ravel(search.l1_ratio_)[target if np.ndim(search.l1_ratio_) else 0]
    at = int(np.argmin(np.abs(np.asarray(ratios) - ratio))) if several else 0
    penalty = text_of(search.penalty)
    return AlphaSearch(
        feature_names(search), penalty, *_rising(alphas[at], coefs[target].T), curves, marks
    )


def _rising(alphas, values):
    """Return the alphas of a logarithmic axis, and what belongs to them, the smallest first."""
    kept = np.flatnonzero(alphas > 0.0)[::-1]
    return alphas[kept], values[kept]


def draw_marks(ax, marks):
    """Draw the chosen alphas as vertical lines, and return these."""
    return [
        ax.axvline(alpha, color=GREY, linestyle=DASHES[name], linewidth=1.4, zorder=0, label=name)
        for name, alpha in marks.items()
        if alpha > 0.0
    ]
