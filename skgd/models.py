"""Models: what is predicted for a row ``x``, and how that depends on the parameters.

A row enters only by its projection ``z = w . x``, which the descent computes, for dense
and sparse rows alike. The parameters are ``theta = (w_1 ... w_p, others)``: the weights
first, which a penalty shrinks, then the model's others, which none does.
"""

from skgd.part import Part


class Model(Part):
    """A function of the projection and the other parameters; methods are compiled."""

    __slots__ = ()

    def n_others(self):
        """Return how many parameters there are beside the weights."""
        return 0

    def value(self, z, theta, p):
        """Return the prediction; the other parameters are ``theta[p:]``."""
        raise NotImplementedError

    def slope(self, z, theta, p):
        """Return the derivative of `value` in ``z``."""
        raise NotImplementedError

    def pull(self, z, theta, p, r, g):
        """Add ``r`` times the derivatives in the other parameters to ``g[p:]``."""


class Linear(Model):
    """``f = w . x + b``.

    Parameters
    ----------
    intercept : bool, default=True
        Whether there is a ``b``.
    """

    __slots__ = ()
    intercept: bool = True

    def n_others(self):
        return int(self.intercept)

    def value(self, z, theta, p):
        return z + theta[p] if self.intercept else z

    def slope(self, z, theta, p):
        return 1.0

    def pull(self, z, theta, p, r, g):
        if self.intercept:
            g[p] += r
