"""One split of the rows of a search, and the products of its columns."""

from functools import cached_property

import numpy as np

from skgd.search.products import products_of


class Fold:
    """The rows to train on, and those that are held out, with columns of their own.

    Parameters
    ----------
    train, test : Rows
        As `skgd.estimators.data.validated_rows` returns them.
    """

    def __init__(self, train, test):
        self.train, self.test = train, test

    @cached_property
    def products(self):
        """The `Products` of the training rows; None where there are more columns than rows."""
        n, p = self.train.X.shape
        return products_of(self.train) if p <= n else None

    @cached_property
    def test_products(self):
        """The `Products` of the held-out rows; None where there are none of the others."""
        return None if self.products is None else products_of(self.test)


class Whole:
    """All rows of a search, and their products.

    Parameters
    ----------
    rows, scored : Rows
        With the weights of the fits, and with those of the scores.
    """

    def __init__(self, rows, scored):
        self.rows, self.scored = rows, scored
        self.same_weights = np.array_equal(rows.weight, scored.weight)

    @cached_property
    def products(self):
        """The `Products` of all rows, or None."""
        return products_of(self.rows)


class SharedFold:
    """A `Fold` of rows that others share: its products are those of all rows less some.

    Parameters
    ----------
    whole : Whole
    train, test : ndarray of int
        Which of the rows.
    """

    def __init__(self, whole, train, test):
        self._whole, self._train, self._test = whole, train, test

    @cached_property
    def train(self):
        """The rows to train on."""
        return self._whole.rows.take(self._train)

    @cached_property
    def test(self):
        """The rows that are held out."""
        return self._whole.scored.take(self._test)

    @cached_property
    def products(self):
        """The `Products` of the training rows; None where there are more columns than rows."""
        rows, whole, left_out = self._whole.rows, None, self._left_out
        if rows.X.shape[1] > self._train.size:
            return None
        if left_out is not None and left_out.size <= self._train.size:
            whole = self._whole.products
        if whole is not None and left_out.size:
            part = self.test_products if self._tests_the_rest else products_of(rows.take(left_out))
            whole = part and whole.less(part, self._train.size)
        return whole._replace(n=self._train.size) if whole else products_of(self.train)

    @cached_property
    def test_products(self):
        """The `Products` of the held-out rows; None where there are none of the others."""
        return None if self.test.X.shape[1] > self._train.size else products_of(self.test)

    @cached_property
    def _left_out(self):
        """The rows that have a weight and are not trained on; None where some are drawn twice."""
        counts = np.bincount(self._train, minlength=len(self._whole.rows.weight))
        if counts.max(initial=0) > 1:
            return None
        return np.flatnonzero((counts == 0) & (self._whole.rows.weight > 0.0))

    @property
    def _tests_the_rest(self):
        """Whether just these are tested, with the weights of the fits."""
        return self._whole.same_weights and np.array_equal(np.sort(self._test), self._left_out)


def folds_of(rows, splits, scored=None):
    """Return the folds of some rows, whose products are computed together.

    Parameters
    ----------
    rows : Rows
    splits : iterable of two array-like
        The rows to train on, and those to test on, as numbers or masks.
    scored : Rows or None
        The same with the weights of the scores; None for those of the fits.

    Returns
    -------
    list of SharedFold
    """
    whole = Whole(rows, rows if scored is None else scored)
    return [SharedFold(whole, _numbers(train), _numbers(test)) for train, test in splits]


def _numbers(index):
    """Return which rows a list of numbers or a mask chooses."""
    index = np.asarray(index)
    return np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp, copy=False)
