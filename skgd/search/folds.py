"""One split of the rows of a search, and the products of its columns."""

from functools import cached_property


class Fold:
    """The rows to train on, and those that are held out.

    Parameters
    ----------
    train, test : Rows
        As `skgd.estimators.data.validated_rows` returns them.
    """

    def __init__(self, train, test):
        self.train, self.test = train, test

    @cached_property
    def products(self):
        """The products of the training columns; None where they would lose digits."""
        return None

    @cached_property
    def test_products(self):
        """The products of the held-out columns, about the same centre; None as above."""
        return None
