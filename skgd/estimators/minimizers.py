"""What the words for ``optimizer`` stand for that name no rule.

``"auto"`` is a direct solver where one may serve, else a descent; ``"lbfgs"`` and ``"newton"`` are
second-order methods, which refuse what only a descent can honour.
"""

from functools import partial

from skgd.descent.descent import Descent
from skgd.descent.options import Options
from skgd.estimators.nested_parameters import part_of
from skgd.objective.pieces import MAX_COLUMNS, PiecesTerm
from skgd.optimizers import Nesterov
from skgd.penalties import Penalty
from skgd.schedules import Auto, Constant
from skgd.solvers.auto import AutoSolver
from skgd.solvers.centred import CentredSolver, gains_by_centre
from skgd.solvers.convex import ConvexSolver
from skgd.solvers.lbfgs import LBFGS
from skgd.solvers.newton import Newton
from skgd.solvers.newton_on_pieces import NewtonOnPieces
from skgd.solvers.on_products import ProductsSolver
from skgd.solvers.second_order import refusal

SOLVERS = {True: AutoSolver, False: ConvexSolver}  # of the squared error, and of other losses
SOLVERS_ON_PIECES = {True: ProductsSolver, False: NewtonOnPieces}
SECOND_ORDER = {"lbfgs": LBFGS, "newton": Newton}  # by their words for ``optimizer``


def accelerated(tol, objective, start):
    """Return the descent that goes on where a direct solver ends too early."""
    return Descent(objective, Nesterov(), Constant(), start, options=Options(tol=tol))


def smoothed(tol, objective, start):
    """Return the solver that goes on where slopes jump: Newton steps on smoothed losses."""
    pieces = objective.on(PiecesTerm.of_rows(objective.term))
    return NewtonOnPieces(pieces, tol, partial(accelerated, tol), start)


def direct(objective, tol, start=None, **options):
    """Return the direct solver, and what goes on where it leaves something to do."""
    kinds = SOLVERS if objective.term.at_hand else SOLVERS_ON_PIECES
    kind = kinds[objective.quadratic]

    jumps = objective.term.at_hand and objective.loss.kinks is not None
    few = objective.p <= MAX_COLUMNS
    fallback = partial(smoothed if jumps and few else accelerated, tol)

    def solver(objective, tol, start):
        return kind(objective, tol, fallback, start, **options)

    if not objective.quadratic and gains_by_centre(objective):
        return CentredSolver(objective, tol, start, solver)
    return solver(objective, tol, start)


def asked_of_a_descent(params, schedule, streams, validates):
    """Return what of `skgd.solvers.auto.REASONS` is asked for, and only a descent can do.

    Parameters
    ----------
    params : dict
        The parameters of an estimator.
    schedule : Schedule
    streams, validates : bool
        Whether rows of a stream are fitted by one epoch, and whether there are rows to score on.
    """
    asked = {
        "partial_fit": streams,
        "validation_set": validates,
        "learning_rate": params["learning_rate"] != "auto",
        "schedule": is_asked(schedule),
        "tol": params["tol"] is None,
        **{name: params[name] for name in ("record_path", "average", "early_stopping")},
    }
    for name in ("batch_size", "init", "clip_norm", "clip_value"):
        asked[name] = params[name] is not None
    return {name for name, is_asked in asked.items() if is_asked}


def may_solve(estimator, stream=False):
    """Whether ``optimizer`` is "auto", and nothing is asked of it that only a descent can do.

    Parameters
    ----------
    estimator : DescentEstimator
    stream : bool
        Whether the call is one of `partial_fit`.
    """
    if not isinstance(estimator.optimizer, str) or estimator.optimizer != "auto":
        return False
    known = vars(estimator), part_of(estimator, "schedule")
    return not asked_of_a_descent(*known, stream, False)


def is_asked(schedule):
    """Whether a schedule changes what a method without a rate does."""
    return not isinstance(schedule, (Auto, Constant))


def second_order_method(optimizer):
    """Return the class of the second-order method that ``optimizer`` names; None for others."""
    return SECOND_ORDER.get(optimizer) if isinstance(optimizer, str) else None


def takes_streams(estimator):
    """Whether an estimator has `partial_fit`: a second-order method has not, as scikit-learn asks.

    Parameters
    ----------
    estimator : DescentEstimator
    """
    return second_order_method(estimator.optimizer) is None


def check_second_order(estimator):
    """Refuse, for a second-order method, what it cannot honour.

    Parameters
    ----------
    estimator : DescentEstimator

    Raises
    ------
    ValueError
        That says what and why, as in `skgd.solvers.second_order.REASONS`.
    """
    if takes_streams(estimator):
        return
    params = vars(estimator)
    asked = {
        "learning_rate": params["learning_rate"] != "auto",
        "schedule": is_asked(part_of(estimator, "schedule")),
        "average": params["average"],
        "positive": params.get("positive"),
        "penalty": not _is_smooth(part_of(estimator, "penalty"), params["alpha"]),
        "loss": part_of(estimator, "loss").nonsmooth,
    }
    for name in ("batch_size", "clip_norm", "clip_value"):
        asked[name] = params[name] is not None
    sentence = refusal({name for name, is_asked in asked.items() if is_asked})
    if sentence is not None:
        name = type(estimator).__name__
        raise ValueError(f"{name} cannot use optimizer={estimator.optimizer!r} as {sentence}")


def _is_smooth(penalty, alpha):
    """Whether a penalty of this strength leaves nothing to its prox."""
    elastic = penalty.elastic()
    if elastic is None:
        return alpha == 0.0 or type(penalty).prox is Penalty.prox
    return alpha == 0.0 or elastic[0] == 0.0
