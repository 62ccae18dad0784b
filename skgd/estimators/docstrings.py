"""What the parameters and attributes of the estimators mean: one text each.

A docstring names a text by ``{name}`` on a line of its own, and `documented` fills it in, with
the default that the signature has. Lines that are indented below it are added to it; what
belongs to one estimator alone is written in its docstring as usual.
"""

import inspect
import re
from textwrap import indent, wrap
from typing import TypeVar

from skgd.activations import ACTIVATIONS
from skgd.estimators.minimizers import SECOND_ORDER
from skgd.losses import LOSSES
from skgd.optimizers import OPTIMIZERS
from skgd.schedules import SCHEDULES

Documented = TypeVar("Documented")  # a class or a function
WIDTH = 92  # characters of a line, as in the sources

PARAMETERS = """
hidden_layer_sizes : int or array-like of int
    Units of each hidden layer. Without any, the model is linear.
activation : str, Activation or list
    What hidden layers make of their sums, by name or as an instance from `skgd.activations`; or a
    list with one for each layer. The names are
    {activations}
batch_norm : bool or list of bool
    Whether hidden layers, or which, are normalised before their activation: each unit's sum by its
    mean and variance over the batch, weighted by the rows; then it is scaled and shifted. Such a
    layer has no bias. A last batch of a single row joins the batch before.
weight_init : {"auto", "he", "glorot"}
    Variance of the first weights, which are normal: 2 over the inputs (He et al., 2015), or 2 over
    inputs and outputs (Glorot and Bengio, 2010). ``"auto"`` is He's for activations that cut off
    half of the sums, as relu does. Outputs begin at the best constant predictions.
statistics_decay : float
    The share of the past in the running means and variances, from batch to batch; torch calls one
    minus it momentum. On the full batch they are those of all rows.
recalibrate : bool
    Whether at the end the running statistics are computed anew, over all rows; with ``average``
    they always are.
loss : str or Loss
    The loss of one row, which is averaged over the rows, by name or as an instance from
    `skgd.losses`. The names are
    {losses}
penalty : str, Penalty or None
    What is added to the mean loss, ``alpha`` times Omega(w): ``"l1"`` is ``|w|_1``, ``"l2"`` is
    ``|w|^2 / 2``, ``"elasticnet"`` is ``l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2``, and None is
    nothing; or an instance from `skgd.penalties`. Intercepts are never penalised.
alpha : float
    Strength of the penalty, beside a *mean* loss: that of `Lasso`, `ElasticNet` and
    `SGDRegressor`; `Ridge` calls ``W * alpha`` alpha.
l1_ratio : float or None
    Share of the l1 term in ``penalty="elasticnet"``, in [0, 1]. None will do for other penalties.
fit_intercept : bool
    Whether there is an intercept.
penalty_weights : array-like of shape (n_features,) or None
    What ``alpha`` is multiplied by for each weight; 0 leaves it unpenalised. None for ones.
optimizer : str or Optimizer
    The rule that turns gradients into steps, by name or as an instance from `skgd.optimizers`.
    The names are
    {optimizers}
    ``"lbfgs"`` and ``"newton"`` are second-order methods for smooth objectives on the full batch:
    L-BFGS, and Newton's method with a line search. They have no learning rate, and an epoch is
    one iteration. They refuse batches, rates, schedules, clipping, ``average``, `partial_fit`,
    penalties with an l1 part, bounds, and losses whose slope jumps.
    Nested names such as ``optimizer__beta`` work in `set_params` and in grids.
learning_rate : float or "auto"
    The rate per update. A number is used as given. ``"auto"`` does not diverge: on the full
    batch ``1 / L``, L the largest curvature of the smooth part; on smaller batches half the
    reciprocal of the expected smoothness; for rules that normalise the gradient, a stated
    fraction of the first Newton step, in the unit of the parameters, and their ``eps`` is in the
    unit of the gradient: to rescale y rescales the fit.
schedule : str or Schedule
    The multiplier of the rate over time, by name or as an instance from `skgd.schedules`. The
    names are
    {schedules}
    ``"auto"`` lets every rule arrive at the minimum: with ``learning_rate="auto"`` the rate falls
    when the objective stops improving, as explained in `skgd.schedules.Auto`.
batch_size : int or None
    Rows in an update; None for all (gradient descent), 1 for stochastic gradient descent. Under
    ``schedule="auto"`` batches grow where no rate gets rid of their noise.
    On rows in pieces (`skgd.pieces`) an epoch is one `partial_fit` on each in turn, in an order
    that ``random_state`` draws anew for every epoch, or as they stand with ``sampling="cyclic"``:
    no batch has rows of two pieces, and the figures of an epoch are means over the pieces, each at
    the end of its turn. Epochs end when ``n_iter_no_change`` in a row have not lowered the mean
    objective by ``tol`` times that of the best constant prediction.
sampling : {"shuffle", "replacement", "cyclic"}
    Order of the rows on smaller batches: a new order every epoch, each row drawn at random,
    or as they stand.
clip_norm : float or None
    The length to which the gradient of the smooth part is shortened before each update, in the
    unit of the gradient, which is that of the objective over that of the parameter. None for no
    limit.
clip_value : float or None
    The size to which the entries of that gradient are cut after it has been shortened, in the
    same unit. None for no limit.
average : bool or int
    Whether the answer is the mean of the iterates (Polyak), from the first update on or from
    the given one, counted from 1. Under the l1 penalty it has exact zeros: those of a
    proximal step from the mean.
max_iter : int
    The largest number of epochs, which are passes over the data.
tol : float or None
    When to stop: when the objective is proved to be above its minimum by no more than ``tol``
    times that of the best constant prediction, and on the full batch the weights that are zero
    are those of the minimum. Where no lower bound of the minimum is known (`dual_gap_` is
    infinite), on the full batch: when no entry of the proximal gradient exceeds ``tol``, in a
    unit that makes it, for a weight, the correlation of its column with what is left to explain.
    None does ``max_iter`` epochs exactly. 0 ends where rounding hides all further progress.
n_iter_no_change : int
    Epochs in a row without improvement before a descent on smaller batches ends, as does one
    with ``early_stopping``. They have not lowered the objective by ``tol`` times that of the best
    constant prediction, and the descent has not converged. Not with ``schedule="auto"`` where it
    waits for the gap.
early_stopping : bool
    Whether to end when ``n_iter_no_change`` epochs in a row have not raised the validation
    score by ``tol``, and not for any gain of the objective. Unless `fit` is given a validation
    set, a random part of the rows is held out. The parameters of the epoch with the best
    score come back.
validation_fraction : float
    The share of the rows that is held out, in (0, 1); of those that have a weight.
scoring : str, callable or None
    The validation score, the higher the better: a scorer of scikit-learn, ``"loss"`` for minus
    the mean loss, or None for `score`, which is R^2. Sample weights go to scorers that take
    them. A pandas or polars frame reaches the scorer as a frame, all else as an array.
record_path : bool or int
    Whether to keep the parameters after every update, or after every k-th.
warm_start : bool
    Whether a further call of `fit` goes on from where the last one ended.
random_state : int, RandomState instance or None
    Of the order of the rows and, where starts are drawn at random, of these.
verbose : int
    Whether to print the objective after epochs 1, 2, 3, 5, 10, 20, 30, 50, 100, ...
"""

ATTRIBUTES = """
coefs_ : list of ndarray of shape (inputs, units)
    The weights of each layer; float32 where X is, else float64.
intercepts_ : list of ndarray of shape (units,)
    The biases of each layer; zeros where it is normalised.
scales_, shifts_ : list of ndarray of shape (units,)
    What normalised sums are multiplied by, and what is then added; for each such layer.
running_means_, running_variances_ : list of ndarray of shape (units,)
    By which `predict` normalises sums; of the variances, the denominator is the sum of weights.
n_iter_ : int or ndarray of shape (n_targets,)
    Epochs of the last call of `fit` or `partial_fit`; where ``optimizer="auto"`` takes no steps,
    looks at the data or products with it.
t_ : int or ndarray of shape (n_targets,)
    Updates done in all calls since the fit began.
loss_curve_ : ndarray of shape (n_iter_ + 1,), or list of ndarray
    The objective of the last call's rows, penalty included, at the start of that call and after
    each of its epochs; that of the iterates where ``average`` is set.
history_ : dict of ndarray of shape (n_iter_ + 1,), or list of dict
    More of the same call, by name: ``objective``, ``data_loss``, ``penalty``,
    ``learning_rate``, ``gradient_norm`` (full batch), ``step_norm``, ``n_zeros``, ``seconds``,
    ``compile_seconds``, ``updates`` (of the descent until then, which its schedule counts) and, if
    there is validation, ``validation_score``.
    ``history_.to_frame()`` is a pandas DataFrame.
learning_rate_ : float or ndarray of shape (n_targets,)
    The rate that the schedule multiplies; NaN where ``optimizer="auto"`` needs none, and for
    second-order methods.
converged_ : bool or ndarray of shape (n_targets,)
    Whether the descent ended because there was nothing left to do: never with a gap that
    exceeds ``tol`` times the objective of the best constant prediction.
stop_reason_ : str or list of str
    ``"converged"``, ``"polished"``, ``"plateau"`` (the objective no longer improves, of which
    `converged_` tells whether it is the minimum), ``"overfitting"`` (the validation score no
    longer improves), ``"stopped"`` (by a callback), ``"max_iter"``, ``"diverged"`` or
    ``"nonfinite"``.
path_ : ndarray of shape (kept updates + 1, n_parameters), or list of ndarray
    The parameters at the start of the last call and after each k-th update of the descent, counted
    as ``updates`` in ``history_``, in the order of ``init``; with ``record_path=k``.
n_features_in_ : int
    Columns of X.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the columns, where X has them.
"""

OPTIMIZER_NAMES = {"auto": None, **OPTIMIZERS, **SECOND_ORDER}
TABLES = {
    "losses": LOSSES,
    "optimizers": OPTIMIZER_NAMES,
    "schedules": SCHEDULES,
    "activations": ACTIVATIONS,
}


def documented(thing: Documented) -> Documented:
    """Fill the texts into the docstring of a class or a function that names them.

    Parameters
    ----------
    thing : class or function

    Returns
    -------
    class or function
        The same one. Without docstrings (``python -OO``) nothing is done.

    Examples
    --------
    >>> from skgd.estimators.docstrings import documented
    >>> @documented
    ... def fit(max_iter=20):
    ...     '''Fit.
    ...
    ...     {max_iter}
    ...         Twenty will do.
    ...     '''
    >>> print(fit.__doc__)
    Fit.
    <BLANKLINE>
        max_iter : int, default=20
            The largest number of epochs, which are passes over the data.
            Twenty will do.
    <BLANKLINE>
    """
    if thing.__doc__ is not None:
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(thing).parameters.items()
            if parameter.default is not parameter.empty
        }
        thing.__doc__ = re.sub(
            r"^( *)\{(\w+(?:, \w+)*)\}( : .*)?$",
            lambda found: indent(_entry(found[2], found[3], defaults), found[1]),
            thing.__doc__,
            flags=re.MULTILINE,
        )
    return thing


def _entry(name, kind, defaults):
    """Return an entry of a docstring: the name, its type and default, and its text."""
    own, text = TEXTS[name]
    default = f", default={_written(defaults[name])}" if name in defaults else ""
    return f"{name}{kind or own}{default}\n{text}"


def _written(value):
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _parsed(texts):
    """Return the type and the text of each name."""
    for kind, table in TABLES.items():
        lines = wrap(f"{_names(table)}.", WIDTH - 8, break_long_words=False)
        texts = texts.replace(f"    {{{kind}}}", indent("\n".join(lines), "    "))
    found = re.findall(r"^(\w+(?:, \w+)*)( : .*)\n((?: .*\n)+)", texts, flags=re.MULTILINE)
    return {name: (kind, text.rstrip("\n")) for name, kind, text in found}


def _names(table):
    """Return the names in a table; those of one part together."""
    parts = {part: [name for name in table if table[name] is part] for part in table.values()}
    quoted = [[f'``"{name}"``' for name in names if name] for names in parts.values()]
    *most, last = [f"{a} (also {', '.join(b)})" if b else a for a, *b in filter(None, quoted)]
    return f"{', '.join(most)} and {last}"


TEXTS = _parsed(PARAMETERS) | _parsed(ATTRIBUTES)
