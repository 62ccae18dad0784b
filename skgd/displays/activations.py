"""What reaches the activations of a network, over the updates of its descent."""

from typing import Any, Self

import numpy as np

from skgd.displays.arguments import checked
from skgd.displays.inspection import descent_in, path_of, transformed_rows
from skgd.displays.legends import legend_below
from skgd.displays.style import COLOUR_MAP, canvases, merged, pyplot, round_ticks
from skgd.estimators.network import NetworkEstimator
from skgd.estimators.validation import MatrixLike


class ActivationDisplay:
    """The mean and the spread of what reaches each hidden layer's activations, over updates.

    Create it with `from_estimator`. All parameters are attributes.

    Parameters
    ----------
    updates : ndarray of shape (n_times,)
    means, spreads : ndarray of shape (n_times, n_layers)
        Over the rows and units of each hidden layer: the mean, and the standard deviation.

    Attributes
    ----------
    mean_lines_, spread_lines_ : list of matplotlib Line2D
        One for each hidden layer.
    axes_ : ndarray of matplotlib Axes, of shape (2,)
    figure_ : matplotlib Figure

    See Also
    --------
    LossCurveDisplay : The loss over epochs.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization" (2015), figure 1; Glorot and Bengio, "Understanding
    the difficulty of training deep feedforward neural networks" (2010), figures 2 and 6.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgd import GDMLPClassifier
    >>> from skgd.displays import ActivationDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> net = GDMLPClassifier((8, 8), max_iter=5, tol=None, record_path=True, random_state=0)
    >>> display = ActivationDisplay.from_estimator(net.fit(X, y), X)
    >>> display.spreads.shape
    (26, 2)
    """

    def __init__(self, *, updates, means, spreads):
        self.updates, self.means, self.spreads = updates, means, spreads

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike,
        *,
        n_frames: int = 50,
        ax: Any = None,
        **plot_options: Any,
    ) -> Self:
        """Pass rows through the network at points of its path, and draw.

        Parameters
        ----------
        estimator : fitted GDMLPRegressor or GDMLPClassifier, or a pipeline that ends with one
            With ``record_path``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        n_frames : int, default=50
            How many points of the path are shown, at most.
        ax : list of two matplotlib Axes, default=None
            The axes of the means and of the spreads; None for a new figure.
        **plot_options : dict
            As in `plot`.

        Returns
        -------
        ActivationDisplay
        """
        model = descent_in(estimator)
        if not isinstance(model, NetworkEstimator):
            raise TypeError(f"{type(model).__name__} has no layers whose activations to show.")
        path, updates = path_of(estimator)
        rows = transformed_rows(estimator, X)
        shown = np.unique(np.linspace(0, len(path) - 1, n_frames).round().astype(int))
        passed = [model.layer_inputs(rows, path[k]) for k in shown]
        means, spreads = (
            np.array([[function(sums) for sums in layers] for layers in passed])
            for function in (np.mean, np.std)
        )
        display = cls(updates=updates[shown], means=means, spreads=spreads)
        return display.plot(ax, **plot_options)

    @checked
    def plot(self, ax: Any = None, *, line_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the means and the spreads of all hidden layers, the first one pale.

        Parameters
        ----------
        ax : list of two matplotlib Axes, default=None
            None for a new figure.
        line_kwargs : dict, default=None
            Options of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        ActivationDisplay
            This display.
        """
        axes, n_layers = canvases(ax, 2), self.means.shape[1]
        colours = pyplot().get_cmap(COLOUR_MAP)(np.linspace(0.85, 0.05, n_layers))
        lines = []
        for one, values, label in zip(axes, (self.means, self.spreads), ("mean", "spread")):
            drawn = []
            for layer, colour in enumerate(colours):
                look = {"color": colour, "linewidth": 2.0, "label": f"layer {layer + 1}"}
                look = merged(look, line_kwargs)
                drawn += one.plot(self.updates, values[:, layer], **look)
            one.set(xlabel="update", ylabel=f"{label} before the activation")
            lines.append(drawn)
        if (self.spreads > 0.0).all():
            axes[1].set_yscale("log")
            round_ticks(axes[1].yaxis, self.spreads.min(), self.spreads.max())
        legend_below(axes[1], lines[1])
        self.mean_lines_, self.spread_lines_ = lines
        self.axes_, self.figure_ = axes, axes[0].figure
        return self
