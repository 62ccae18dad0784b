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

    Attributes
    ----------
    train_index, test_index : ndarray of int
        The same.
    """

    def __init__(self, whole, train, test):
        self._whole, self.train_index, self.test_index = whole, train, test

    @cached_property
    def train(self):
        """The rows to train on."""
        return self._whole.rows.take(self.train_index)

    @cached_property
    def test(self):
        """The rows that are held out."""
        return self._whole.scored.take(self.test_index)

    @cached_property
    def products(self):
        """The `Products` of the training rows; None where there are more columns than rows."""
        rows, whole, left_out = self._whole.rows, None, self._left_out
        if rows.X.shape[1] > self.train_index.size:
            return None
        if left_out is not None and left_out.size <= self.train_index.size:
            whole = self._whole.products
        if whole is not None and left_out.size:
            part = self.test_products if self._tests_the_rest else products_of(rows.take(left_out))
            whole = part and whole.less(part, self.train_index.size)
        return whole._replace(n=self.train_index.size) if whole else products_of(self.train)

    @cached_property
    def test_products(self):
        """The `Products` of the held-out rows; None where there are none of the others."""
        p = self._whole.rows.X.shape[1]
        return None if p > self.train_index.size else products_of(self.test)

    @cached_property
    def _left_out(self):
        """The rows that have a weight and are not trained on; None where some are drawn twice."""
        counts = np.bincount(self.train_index, minlength=len(self._whole.rows.weight))
        if counts.max(initial=0) > 1:
            return None
        return np.flatnonzero((counts == 0) & (self._whole.rows.weight > 0.0))

    @property
    def _tests_the_rest(self):
        """Whether just these are tested, with the weights of the fits."""
        return self._whole.same_weights and np.array_equal(
            np.sort(self.test_index), self._left_out
        )


class ScaledFold:
    """A `Fold` whose columns have a spread of one in the rows to train on.

    Parameters
    ----------
    fold : Fold

    Attributes
    ----------
    scale : ndarray of shape (p,)
        What the columns are divided by: their spread, and one for constant columns.
    """

    def __init__(self, fold):
        self._fold = fold
        if fold.products is None:
            columns = fold.train.columns(True)
            variance, constant = columns.variance, columns.constant
        else:
            variance, constant = fold.products.G.diagonal(), fold.products.constant
        self.scale = np.sqrt(np.where((variance > 0.0) & ~constant, variance, 1.0))

    @cached_property
    def train(self):
        """The rows to train on, copied in other units."""
        return self._fold.train.scaled(self.scale)

    @cached_property
    def products(self):
        """The `Products` of these rows, or None."""
        products = self._fold.products
        return None if products is None else products.scaled(self.scale)


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
