"""One split of the rows of a search, and the products of its columns."""

from functools import cached_property

import numpy as np
from scipy import sparse

from skgd.search.products import joined, products_of

MOST_PARTS = 20  # of the rows, whose products are kept at once


class Fold:
    """The rows to train on, and those that are held out, with columns of their own.

    Parameters
    ----------
    train, test : Rows
        As `skgd.estimators.data.validated_rows` returns them.
    """

    def __init__(self, train, test):
        self.train, self.test = train, test

    @property
    def form(self):
        """The targets and columns by their number, and the type of the columns."""
        return form_of(self.train)

    @property
    def targets(self):
        """The rows to train on, of which columns need not be there."""
        return self.train

    @property
    def entries(self):
        """The number of entries to train on."""
        return entries_of(self.train)

    @cached_property
    def products(self):
        """The `Products` of the training rows; None where there are more columns than rows."""
        n, p = self.train.X.shape
        products = products_of(self.train) if p <= n else None
        return products and products.cleared()

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
        self.rows, self.scored, self._folds = rows, scored, []
        self.same_weights = np.array_equal(rows.weight, scored.weight)

    def folds(self, splits):
        """Return a `SharedFold` for each split, with the rows to train on and those to test on."""
        self._folds = [SharedFold(self, *map(_numbers, split)) for split in splits]
        return self._folds

    def undivided(self):
        """Return the `SharedFold` that is trained on all rows, and tested on none."""
        everywhere = np.arange(len(self.rows.weight))
        return SharedFold(self, everywhere, everywhere[:0])

    @cached_property
    def products(self):
        """The `Products` of all rows, or None: those of their parts where each is in one."""
        left_out = [fold.left_out for fold in self._folds]
        if 1 < len(left_out) <= MOST_PARTS and all(part is not None for part in left_out):
            weighted, indices = np.flatnonzero(self.rows.weight), np.concatenate(left_out)
            if np.array_equal(np.sort(indices), weighted) and all(map(len, left_out)):
                found = joined([fold.part for fold in self._folds], self.rows.X.dtype)
                if found is not None:
                    return found._replace(n=len(self.rows.y))
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

    @property
    def form(self):
        """The targets and columns by their number, and the type of the columns."""
        return form_of(self._whole.rows)

    @cached_property
    def targets(self):
        """The rows to train on without their columns."""
        rows = self._whole.rows
        return rows._replace(X=rows.X[:, :0], frame=None, moments=()).take(self.train_index)

    @property
    def entries(self):
        """The number of entries to train on, if rows have as many as others."""
        rows = self._whole.rows
        return entries_of(rows) * self.train_index.size // len(rows.y)

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
        n, whole, left_out = self.train_index.size, None, self.left_out
        if self.form[1] > n:
            return None
        if left_out is not None and left_out.size <= n:
            whole = self._whole.products
        if whole is not None and left_out.size:
            whole = self.part and whole.less(self.part, n)
        products = whole._replace(n=n) if whole else products_of(self.train)
        return products and products.cleared()

    @cached_property
    def test_products(self):
        """The `Products` of the held-out rows; None where there are none of the others."""
        return None if self.form[1] > self.train_index.size else products_of(self.test)

    @cached_property
    def left_out(self):
        """The rows that have a weight and are not trained on; None where some are drawn twice."""
        counts = np.bincount(self.train_index, minlength=len(self._whole.rows.weight))
        if counts.max(initial=0) > 1:
            return None
        return np.flatnonzero((counts == 0) & (self._whole.rows.weight > 0.0))

    @cached_property
    def part(self):
        """The `Products` of the rows left out, which may be those held out; or None."""
        whole, left_out, tested = self._whole, self.left_out, np.sort(self.test_index)
        if whole.same_weights and np.array_equal(tested, left_out):
            return self.test_products
        return products_of(whole.rows.take(left_out))


class ScaledFold:
    """A `Fold` whose columns have a spread of one in the rows to train on.

    Parameters
    ----------
    fold : Fold

    Attributes
    ----------
    form : tuple
        As that of the fold.
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
        self.form = fold.form
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
    return Whole(rows, rows if scored is None else scored).folds(splits)


def form_of(rows):
    """Return the numbers of targets and columns, and the type of the columns."""
    return rows.y[0].size, rows.X.shape[1], rows.X.dtype


def entries_of(rows):
    """Return the number of entries of some rows."""
    return rows.X.nnz if sparse.issparse(rows.X) else rows.X.size


def _numbers(index):
    """Return which rows a list of numbers or a mask chooses."""
    index = np.asarray(index)
    return np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp, copy=False)
