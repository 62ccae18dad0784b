"""Losses of classes."""

import math

from skgd.losses.contract import Loss


class LogLoss(Loss):
    """``log(1 + exp(f)) - y f``: the logistic loss of two classes, y being 0 or 1.

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning" (2009), section 4.4.
    """

    __slots__ = ()
    curvature = 0.25
    min_target = 0.0
    link = "logit"

    def value(self, f, y):
        return (f if f > 0.0 else 0.0) + math.log1p(math.exp(-abs(f))) - y * f

    def slope(self, f, y):
        e = math.exp(-abs(f))
        p = 1.0 / (1.0 + e)
        return (p if f > 0.0 else 1.0 - p) - y

    def second_derivative(self, f, y):
        e = math.exp(-abs(f))
        return e / ((1.0 + e) * (1.0 + e))

    def inverse_link(self, f):
        return 1.0 / (1.0 + math.exp(-f)) if f > -700.0 else 0.0


class CrossEntropy(Loss):
    """``log sum_j exp(f_j) - f_y``: the cross entropy of a softmax, y being the class.

    References
    ----------
    Hastie, Tibshirani and Friedman, "The elements of statistical learning" (2009), section 4.4.
    """

    __slots__ = ()
    joint = True
    min_target = 0.0
    link = "softmax"

    def slopes(self, F, Y, i, r, scale):
        """Return the loss of row r of F, whose class is ``Y[i, 0]``; scaled slopes replace F."""
        c, top, total = int(Y[i, 0]), F[r, 0], 0.0
        for j in range(1, F.shape[1]):
            top = F[r, j] if F[r, j] > top else top
        chosen = F[r, c] - top
        for j in range(F.shape[1]):
            F[r, j] = math.exp(F[r, j] - top)
            total += F[r, j]
        for j in range(F.shape[1]):
            F[r, j] *= scale / total
        F[r, c] -= scale
        return math.log(total) - chosen
