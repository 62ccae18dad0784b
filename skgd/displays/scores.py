"""Scores over alpha, with their spread over the folds."""

from typing import Any, Self

import numpy as np

from skgd.displays.alphas import alpha_search, draw_marks
from skgd.displays.arguments import checked
from skgd.displays.inspection import final_estimator, text_of
from skgd.displays.legends import legend_below
from skgd.displays.style import canvas, line_look, merged
from skgd.search.curves import standard_error


class ScoreCurveDisplay:
    """The mean score over the folds for every alpha, and its standard error.

    Create it with `from_estimator`. All parameters are attributes.

    Parameters
    ----------
    names : list of str
        One for each curve: the l1_ratios, if there are several.
    alphas : list of ndarray of shape (n_alphas,)
        For each curve, the smallest first.
    scores : list of ndarray of shape (n_alphas, n_folds)
        For each curve.
    marks : dict of float
        The chosen alphas by their names.
    label : str
        What the scores are.

    Attributes
    ----------
    means, errors : list of ndarray of shape (n_alphas,)
        The means over the folds, and the standard errors of these.
    lines_ : list of matplotlib Line2D
        The means, one for each curve.
    bands_ : list of matplotlib PolyCollection
        One standard error below and above.
    marks_ : list of matplotlib Line2D
        The chosen alphas.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    CoefficientPathDisplay : The coefficients over alpha.
    LearningRateDisplay : The scores of a search over the learning rate.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDRegressorCV
    >>> from skgd.displays import ScoreCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> lasso = GDRegressorCV(penalty="l1", standardize=True).fit(X, y)
    >>> display = ScoreCurveDisplay.from_estimator(lasso)
    >>> {name: round(alpha, 2) for name, alpha in display.marks.items()}
    {'best': 0.08, 'within one standard error': 3.93}
    >>> int(display.means[0].min())
    2991
    """

    def __init__(self, *, names, alphas, scores, marks, label):
        self.names, self.alphas, self.scores = names, alphas, scores
        self.marks, self.label = marks, label
        self.means = [np.nanmean(values, axis=1) for values in scores]
        self.errors = [
            np.array([standard_error(row[np.isfinite(row)]) for row in values])
            for values in scores
        ]

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        *,
        target: int = 0,
        ax: Any = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the scores of a fitted estimator over its alphas.

        Parameters
        ----------
        estimator : fitted GDRegressorCV, or a pipeline that ends with one
        target : int, default=0
            Which target's, where each has an alpha of its own.
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all lines.

        Returns
        -------
        ScoreCurveDisplay
        """
        found, scoring = alpha_search(estimator, target), final_estimator(estimator).scoring
        label = (
            "mean squared error (y squared)" if scoring is None else f"score ({_text(scoring)})"
        )
        names, alphas, scores = map(list, zip(*found.curves))
        made = cls(names=names, alphas=alphas, scores=scores, marks=found.marks, label=label)
        return made.plot(ax, line_kwargs=line_kwargs)

    @checked
    def plot(self, ax: Any = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the means as lines in bands of one standard error, and the chosen alphas.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes; None for a new figure.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot` for all lines.

        Returns
        -------
        ScoreCurveDisplay
            This display.
        """
        ax = canvas(ax)
        self.lines_, self.bands_ = [], []
        known = zip(self.names, self.alphas, self.means, self.errors)
        for k, (name, alphas, mean, error) in enumerate(known):
            look = merged({"linewidth": 2.0, "label": name, **line_look(k)}, line_kwargs)
            self.lines_ += ax.plot(alphas, mean, **look)
            color = self.lines_[-1].get_color()
            band = ax.fill_between(alphas, mean - error, mean + error, color=color, alpha=0.2)
            band.set_linewidth(0.0)
            self.bands_.append(band)
        self.marks_ = draw_marks(ax, self.marks)
        ax.set(xscale="log", xlabel="alpha", ylabel=self.label)
        legend_below(ax, [*(self.lines_ if len(self.lines_) > 1 else []), *self.marks_])
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _text(scoring):
    return (
        getattr(scoring, "__name__", type(scoring).__name__)
        if callable(scoring)
        else text_of(scoring)
    )
