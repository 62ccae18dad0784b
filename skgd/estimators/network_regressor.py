"""Regression by a fully connected network."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import MultiOutputMixin

from skgd.activations import Activation
from skgd.estimators.by_blocks import by_blocks
from skgd.estimators.docstrings import documented
from skgd.estimators.nested_parameters import part_of
from skgd.estimators.network import NetworkEstimator, network_outputs
from skgd.estimators.scores import RegressorOnPieces
from skgd.estimators.validation import MatrixLike
from skgd.kernels.row_kernels import inverse_link
from skgd.losses import Loss
from skgd.optimizers import Optimizer
from skgd.penalties import Penalty
from skgd.schedules import Schedule


# Docstrings name in braces what `docstrings.py` says of the parameters that estimators share.
@documented
class GDMLPRegressor(MultiOutputMixin, RegressorOnPieces, NetworkEstimator):
    """Regression by a fully connected network, with any of the classic rules.

    Minimises ``1/W sum_i s_i sum_k loss(f_k(x_i), y_ik) + alpha Omega(w)`` over the weights w and
    the biases of a network f whose layers are ``activation(x W + b)``, the last without an
    activation. Layers may be normalised by the statistics of each batch.

    Parameters
    ----------
    {hidden_layer_sizes}
    {activation}
    {batch_norm}
    {loss}
        Of each output; they are summed.
    {penalty}
    {alpha}
    {l1_ratio}
    {weight_init}
    {statistics_decay}
    {recalibrate}
    {optimizer}
    {learning_rate}
        The curvature of a network has no bound: ``"auto"`` is 0.003 for rules that normalise the
        gradient (0.0003 for Lion, 0.03 for AdaGrad, 1 for AdaDelta), in units in which outputs
        have the spread of y; for the others half of what the curvature at the start would bear.
    {schedule}
        For networks, ``"auto"`` is constant.
    {batch_size}
        Networks visit pieces in turn with None too: then each piece is one step.
    {sampling}
    {clip_norm}
    {clip_value}
    {average}
    {max_iter}
    {tol}
    {n_iter_no_change}
    {early_stopping}
    {validation_fraction}
    {scoring}
    init : dict or array-like of shape (n_parameters,), default=None
        Where the parameters start: a dict of lists of arrays, by the names of the attributes
        without their underscore (``coefs``, ``intercepts``, ...), or all parameters in the order
        of `parameters`. None for random weights.
    {record_path}
    {warm_start}
    {random_state}
    {verbose}

    Attributes
    ----------
    {coefs_}
    {intercepts_}
    {scales_, shifts_}
    {running_means_, running_variances_}
    target_ndim_ : int
        Dimensions of y, and of predictions.
    starts_ : ndarray of shape (1, n_parameters)
        Where the descent began, in the order of `parameters`.
    {n_iter_} : int
    {t_} : int
    {loss_curve_} : ndarray of shape (n_iter_ + 1,)
        In training mode. On smaller batches it is the mean over the batches of an epoch, each at
        its turn, as torch and scikit-learn report it.
    {history_} : dict of ndarray of shape (n_iter_ + 1,)
    {learning_rate_} : float
    {converged_} : bool
    {stop_reason_} : str
    {path_} : ndarray of shape (t_ // k + 1, n_parameters)
    {n_features_in_}
    {feature_names_in_}

    See Also
    --------
    GDMLPClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : Networks by Adam, SGD with momentum, or L-BFGS.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep learning" (2016), chapters 6 and 8; Ioffe and Szegedy,
    "Batch normalization" (2015).

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import GDMLPRegressor
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> y = np.sin(2 * X[:, 0])
    >>> net = GDMLPRegressor((32, 32), "tanh", max_iter=300, tol=None, random_state=0).fit(X, y)
    >>> bool(net.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = (100,),
        activation: str | Activation | list[Any] = "relu",
        *,
        batch_norm: bool | list[bool] = False,
        loss: str | Loss = "squared_error",
        penalty: str | Penalty | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float | None = 0.5,
        weight_init: Literal["auto", "he", "glorot"] = "auto",
        statistics_decay: float = 0.9,
        recalibrate: bool = False,
        optimizer: str | Optimizer = "adam",
        learning_rate: float | Literal["auto"] = "auto",
        schedule: str | Schedule = "auto",
        batch_size: int | None = 32,
        sampling: Literal["shuffle", "replacement", "cyclic"] = "shuffle",
        clip_norm: float | None = None,
        clip_value: float | None = None,
        average: bool | int = False,
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: str | Callable[..., float] | None = None,
        init: ArrayLike | dict[str, Any] | None = None,
        record_path: bool | int = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | bool = 0,
    ) -> None:
        self.hidden_layer_sizes, self.activation = hidden_layer_sizes, activation
        self.batch_norm, self.loss = batch_norm, loss
        self.penalty, self.alpha, self.l1_ratio = penalty, alpha, l1_ratio
        self.weight_init, self.statistics_decay = weight_init, statistics_decay
        self.recalibrate = recalibrate
        self.optimizer, self.learning_rate, self.schedule = optimizer, learning_rate, schedule
        self.batch_size, self.sampling = batch_size, sampling
        self.clip_norm, self.clip_value, self.average = clip_norm, clip_value, average
        self.max_iter, self.tol, self.n_iter_no_change = max_iter, tol, n_iter_no_change
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.scoring, self.init, self.record_path = scoring, init, record_path
        self.warm_start, self.random_state, self.verbose = warm_start, random_state, verbose

    @by_blocks
    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict by the network; normalised layers use their running statistics.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            float32 where X and the fit are, else float64.
        """
        f, kind = network_outputs(self, X)
        f = inverse_link(part_of(self, "loss"), f)
        f = f[:, 0] if self.target_ndim_ == 1 else f
        return f.astype(kind, copy=False)
