"""Classification by a fully connected network."""

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from skgd.activations import Activation
from skgd.estimators._sklearn import StrOptions, method_if
from skgd.estimators.by_blocks import by_blocks
from skgd.estimators.docstrings import documented
from skgd.estimators.minimizers import takes_streams
from skgd.estimators.network import NetworkEstimator, network_outputs
from skgd.estimators.scores import ClassifierOnPieces
from skgd.estimators.validation import MatrixLike
from skgd.losses import CLASS_LOSSES
from skgd.optimizers import Optimizer
from skgd.penalties import Penalty
from skgd.schedules import Schedule


# Docstrings name in braces what `docstrings.py` says of the parameters that estimators share.
@documented
class GDMLPClassifier(ClassifierOnPieces, NetworkEstimator):
    """Classification by a fully connected network, with any of the classic rules.

    As `GDMLPRegressor`, with the logistic loss of one output for two classes, and the cross
    entropy of a softmax of one output for each class for more.

    Parameters
    ----------
    {hidden_layer_sizes}
    {activation}
    {batch_norm}
    loss : {"log_loss"}, default="log_loss"
        ``"log_loss"``: the logistic loss, or the cross entropy of a softmax, averaged over the
        rows.
    {penalty}
    {alpha}
    {l1_ratio}
    {weight_init}
    {statistics_decay}
    {recalibrate}
    {optimizer}
    {learning_rate}
        As for `GDMLPRegressor`.
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
    class_weight : dict, "balanced" or None, default=None
        What the weights of rows are multiplied by, for each class; ``"balanced"`` for the
        reciprocal of its frequency. Not for `partial_fit`.
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
    classes_ : ndarray of shape (n_classes,)
        In the order of the outputs.
    {coefs_}
    {intercepts_}
    {scales_, shifts_}
    {running_means_, running_variances_}
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
    GDMLPRegressor : The same for numbers.
    sklearn.neural_network.MLPClassifier : Networks by Adam, SGD with momentum, or L-BFGS.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep learning" (2016), chapters 6 and 8; Ioffe and Szegedy,
    "Batch normalization" (2015).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgd import GDMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> net = GDMLPClassifier((32,), batch_norm=True, max_iter=20, tol=None, random_state=0)
    >>> bool(net.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.9)
    True
    """

    fitted_attributes = (*NetworkEstimator.fitted_attributes, "classes_")
    _parameter_constraints = {
        **NetworkEstimator._parameter_constraints,
        "loss": [StrOptions(CLASS_LOSSES)],
        "class_weight": [dict, StrOptions(["balanced"]), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | ArrayLike = (100,),
        activation: str | Activation | list[Any] = "relu",
        *,
        batch_norm: bool | list[bool] = False,
        loss: Literal["log_loss"] = "log_loss",
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
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
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
        self.scoring, self.class_weight, self.init = scoring, class_weight, init
        self.record_path, self.warm_start = record_path, warm_start
        self.random_state, self.verbose = random_state, verbose

    @method_if(takes_streams)
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Descend by one epoch on these rows, from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come by; needed in the first call.

        Returns
        -------
        self
        """
        if not self.__sklearn_is_fitted__():
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._all_classes = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first, {self.classes_}.")
        return super().partial_fit(X, y, sample_weight)

    @by_blocks
    def decision_function(self, X: MatrixLike) -> np.ndarray:
        """Return the outputs of the network: log odds, or scores whose softmax are probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, or (n_samples, n_classes)
        """
        f, _ = network_outputs(self, X)
        return f[:, 0] if f.shape[1] == 1 else f

    @by_blocks
    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """Return the logarithms of the probabilities of all classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        f, kind = network_outputs(self, X)
        f = np.column_stack([np.zeros(len(f)), f]) if f.shape[1] == 1 else f
        f = f - f.max(axis=1, keepdims=True)
        return (f - np.log(np.exp(f).sum(axis=1, keepdims=True))).astype(kind, copy=False)

    @by_blocks
    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Return the probabilities of all classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return np.exp(self.predict_log_proba(X))

    @by_blocks
    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the most probable classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            For a dask array or dataframe the predictions are a lazy dask array of the same blocks.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        chosen = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[chosen]
