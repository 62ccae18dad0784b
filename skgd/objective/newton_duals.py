"""Dual vectors of Newton steps: the slopes of the losses at the ends, to first order."""

from typing import NamedTuple

import numpy as np

from skgd.kernels.loss_kernels import blocks
from skgd.kernels.row_kernels import conjugates
from skgd.objective.affine import curvature, rounding, weighted_mean
from skgd.objective.quadratic_model import Model, inverse_of
from skgd.objective.row_losses import add_curved, terms_of


class Target(NamedTuple):
    """The minimum of a quadratic model: the parameters and their signs."""

    z: np.ndarray
    signs: np.ndarray
    model: Model


def dual_of_step(objective, begin, move, refinements):
    """Return the dual vector of a step, which has the slopes at its end to first order.

    It takes the place of the predictions at the begin, if the curvature is from elsewhere.

    Parameters
    ----------
    objective : Objective
    begin : Point
    move : Move
        From there.
    refinements : int
    """
    known, target = move.known, move.target
    second = known.second
    v = np.empty(objective.n) if second.f is begin.f else begin.f
    left_out = _fill_dual(objective, begin, move, v, refinements > 0)
    if left_out is not None:  # these rows have their own slopes
        inside = second.of
        second = second.without(left_out)
        less = curvature(objective, known.J, lambda rows: inside(rows) * left_out[rows])
        target = target._replace(model=target.model._replace(M=target.model.M - less))
    _refine(objective, known.J, v, second, target, refinements)
    return v


def _fill_dual(objective, begin, move, v, refined):
    """Set v to the slopes at an end, to first order; return the rows that have the slopes there.

    These are the rows whose v would be outside of the domain of the conjugate, or None.
    """
    left_out, second = None, move.known.second
    for rows in blocks(0, objective.n):
        change = (move.end.f[rows] - begin.f[rows]) / move.part
        there = begin.f[rows] + change
        slopes = terms_of(objective, begin.f[rows], rows)[0]
        v[rows] = slopes + second.of(rows) * change
        if refined and objective.loss.conjugate is not None:
            outside = np.isinf(conjugates(objective.loss, v[rows], objective.y[rows]))
            if outside.any():
                left_out = np.zeros(objective.n, dtype=bool) if left_out is None else left_out
                left_out[rows] = outside
                v[rows][outside] = terms_of(objective, there, rows)[0][outside]
    return left_out


def _refine(objective, J, v, second, target, refinements):
    """Give a dual vector the slopes of columns that the minimum of the model has."""
    z, signs, model = target
    lengths = np.sqrt(np.append(objective.column_squares[J], np.ones(z.size - J.size)))
    kept = ~model.bounded | (signs != 0.0)
    inverse = within = None
    for _ in range(refinements):
        if within is None:
            within = rounding(objective, v) * lengths[kept]
        u = np.append(objective.rmatvec(v)[J], [weighted_mean(objective, v)] * (z.size - J.size))
        rest = (-u - model.a * signs - model.b * z)[kept]
        if (np.abs(rest) <= within).all():
            break
        inverse = inverse or inverse_of(model.M[np.ix_(kept, kept)])
        move, whole = np.zeros(z.size), np.zeros(objective.p)
        move[kept] = inverse(rest)
        whole[J], z = move[: J.size], z + move
        add_curved(objective, v, second, whole, move[J.size :].sum())
