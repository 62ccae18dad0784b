"""What is known of rows in pieces: means, and whom to ask for sums over all of them."""

from functools import cached_property

import numpy as np
from scipy import sparse

from skgd.kernels.moments import columns_of
from skgd.objective.best_constant import MOST_SORTED, TargetFacts, best_constant, fit_constant
from skgd.objective.piece import CONSTANT_TERMS, TARGETS
from skgd.objective.piece_curves import COUNT_WEIGHTED, SAMPLED_ROWS
from skgd.objective.row_sets import ChangedRows, one_target, scaled
from skgd.objective.summary import SUMMARY

MAX_COLUMNS = 4000  # whose products are kept: 128 MB


class PieceFacts:
    """Means over pieces of rows.

    Parameters
    ----------
    engine : engine
        With `ask`, which returns the answer of all pieces to a `Verb`.
    p : int
    dtype : dtype
        Of the columns.
    summary : Summary
        Of all rows.

    Attributes
    ----------
    n, p : int
        Rows and columns.
    total : float
        The sum of the weights.
    means, variances : ndarray of shape (p,)
    levels, target_squares : ndarray of shape (n_targets,)
        The means of the targets, and the mean squares about them.
    G, q : ndarray of shape (p, p) and (n_targets, p), or ()
        The means of the products of columns and targets, seen from their means.
    """

    def __init__(self, engine, p, dtype, summary):
        self.engine, self.p, self.dtype = engine, p, dtype
        self.summary = found = summary
        self.n, self.total, self.n_weighted = found.n, found.total, found.n_weighted
        total = found.total or 1.0
        self.means, self.variances = found.means, found.squares / total
        self.levels, self.target_squares = found.levels, found.target_squares / total
        same = found.lowest == found.highest
        self.levels = np.where(same, found.lowest, self.levels)
        self.target_squares = np.where(same, 0.0, self.target_squares)
        self.G, self.q = (np.asarray(sums) / total for sums in (found.G, found.q))

    @classmethod
    def read(cls, engine, p, dtype, with_products):
        """Return what one reading of all pieces tells.

        Parameters
        ----------
        engine, p, dtype
            As those of the class.
        with_products : bool
            Whether the products of the columns are wanted, if they are not too many.
        """
        return cls(engine, p, dtype, engine.ask(SUMMARY, with_products and p <= MAX_COLUMNS))

    def of_target(self, k):
        """Return the facts of the same rows with one of their targets."""
        names, found = ("levels", "target_squares", "lowest", "highest"), self.summary
        one = {name: getattr(found, name)[k : k + 1] for name in names}
        known = self.p, self.dtype, found._replace(**one, q=found.q[k : k + 1])
        return PieceFacts(ChangedRows(self.engine, one_target, k), *known)

    def scaled(self, scale):
        """Return the facts of the same rows with columns that are divided by a scale."""
        found = self.summary
        moments = {"means": found.means / scale, "squares": found.squares / scale**2}
        if len(found.G):
            moments |= {"G": found.G / scale / scale[:, None], "q": found.q / scale}
        known = self.p, self.dtype, found._replace(**moments)
        return PieceFacts(ChangedRows(self.engine, scaled, scale), *known)

    def columns(self, intercept):
        """Return the `Columns` of all rows; without an intercept none counts as constant."""
        nothing = sparse.csr_matrix((1, self.p), dtype=self.dtype)
        return columns_of(nothing, np.ones(1), self.means, self.variances, intercept)

    def mean(self, verb, *arguments):
        """Return the sums of a verb over the sum of the weights."""
        return tuple(sums / self.total for sums in self.engine.ask(verb, *arguments))

    def constant_terms(self, loss, target, level):
        """Return what `mean_loss_terms` returns of all rows."""
        return self.mean(CONSTANT_TERMS, loss, target, level)[0]

    def targets(self, target):
        """Return the targets of rows that have a weight, and these; of many rows only some."""
        if target not in self._targets:
            every = -(-self.n // MOST_SORTED)
            y, weight = self.engine.ask(TARGETS, target, every)
            if every > 1:
                ends = self.summary.lowest[target], self.summary.highest[target]
                y, weight = np.append(y, ends), np.append(weight, [0.0, 0.0])
            self._targets[target] = y, weight
        return self._targets[target]

    def rows(self, numbers, target):
        """Return some rows, as those that have a weight are counted, with a target and weights."""
        starts = np.append(0, np.cumsum(self.engine.ask(COUNT_WEIGHTED))[:-1])
        return self.engine.ask(SAMPLED_ROWS, starts, numbers, target)

    @cached_property
    def _targets(self):
        return {}

    def constants(self, loss, fitted):
        """Return the best constant prediction of each target, a `ConstantFit`."""
        return [self._constant(loss, fitted, k) for k in range(self.levels.size)]

    def _constant(self, loss, fitted, k):
        if not loss.quadratic and self.n <= MOST_SORTED:
            y, weight = self.targets(k)
            return fit_constant(loss, np.ascontiguousarray(y), weight / weight.mean(), fitted)
        level, spread = float(self.levels[k]), float(self.target_squares[k])
        facts = TargetFacts(
            level,
            spread + level**2,
            spread,
            lambda c: self.constant_terms(loss, k, c),
            lambda: self.targets(k)[0],
        )
        return best_constant(loss, facts, fitted)
