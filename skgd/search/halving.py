"""Successive halving over epochs: candidates that lag are dropped from the descents of a search.

The others go on from where they are; nothing begins anew.
"""

import time
from itertools import chain
from numbers import Integral

import numpy as np
from sklearn.utils.parallel import delayed

from skgd.search import descents
from skgd.search.joint_descents import JointDescents


class Race:
    """Candidates of one group and split that descend together, halting to be compared.

    Parameters
    ----------
    split : JointSplit
    members : list of Member
    """

    def __init__(self, split, members):
        begin = time.time()
        self.split, self.work = split, split.open(members)
        self.descents = JointDescents(self.work.models, self.work.fold)
        self.indices = np.array([member.index for member in members])
        self.seconds = time.time() - begin

    def cells_at(self, n_epochs, kept):
        """Go on up to a number of epochs with those that are kept, and return their cells.

        Parameters
        ----------
        n_epochs : int
        kept : ndarray of int
            Candidates.
        """
        begin, mask = time.time(), np.isin(self.indices, kept)
        self.descents.keep(mask)
        self.descents.advance(max(0, n_epochs - self.descents.n_epochs))
        trained = self.descents.results()
        self.seconds += time.time() - begin
        return self.split.scored(self.work, trained, self.seconds, np.flatnonzero(mask))


class Halved(dict):
    """The cells of candidates by their numbers and splits, and what each was trained for.

    Attributes
    ----------
    n_epochs : dict of int
        Of each candidate.
    kept : ndarray of int
        Those that were never dropped.
    """

    def __init__(self, races, halving, metric, parallel):
        super().__init__()
        self.n_epochs, self.kept = {}, np.unique([i for race in races for i in race.indices])
        last = max((race.descents.max_iter for race in races), default=0)
        for n_epochs in [*halts(halving, last), last] if races else ():
            run = delayed(Race.cells_at)
            found = [*parallel(run(race, n_epochs, self.kept) for race in races)]
            self |= {(cell.candidate, cell.split): cell for cell in chain(*found)}
            for race in races:
                reached = min(n_epochs, race.descents.max_iter)
                self.n_epochs |= dict.fromkeys(np.intersect1d(race.indices, self.kept), reached)
            if n_epochs < last:
                self.kept = self._better_half(metric)

    def _better_half(self, metric):
        """Return those that are kept whose mean score is the better half."""
        scores = {index: [] for index in self.kept}
        for (index, _), cell in self.items():
            if index in scores:
                score = cell.result["test_scores"]
                if isinstance(score, dict) and metric not in score:
                    raise ValueError("With several metrics, halving needs one that refit names.")
                scores[index].append(score[metric] if isinstance(score, dict) else score)
        means = np.array([np.mean(scores[index]) for index in self.kept])
        order = np.argsort(-np.nan_to_num(means, nan=-np.inf), kind="stable")
        return np.sort(self.kept[order[: -(-len(order) // 2)]])

    def column(self, n_candidates):
        """Return how many epochs each candidate was trained for, masked where none are counted."""
        known = np.isin(np.arange(n_candidates), [*self.n_epochs])
        values = [self.n_epochs.get(index, 0) for index in range(n_candidates)]
        return np.ma.array(values, mask=~known, dtype=int)

    def judged(self, results, metric):
        """Return the results as the best is chosen by: those that were dropped rank last."""
        name = f"rank_test_{metric}"
        dropped = np.setdiff1d([*self.n_epochs], self.kept).astype(int)
        if name not in results or not dropped.size:
            return results
        ranks = results[name].copy()
        ranks[dropped] = len(ranks) + 1
        return {**results, name: ranks}


def divided(heads):
    """Return the heads of candidates that descend together, and those of the others.

    Parameters
    ----------
    heads : list of Head
    """
    parts = [], []
    for head in heads:
        for part, halts in zip(parts, (True, False)):
            groups = [group for group in head.groups if (group[0] is descents.train) is halts]
            part += [head._replace(groups=groups)] if groups else []
    return parts


def halts(halving, last):
    """Return the epochs at which the half that lags is dropped, those before the last.

    Parameters
    ----------
    halving : int or array-like of int
        The first of them, each of which has twice the epochs of the one before; or all.
    last : int
    """
    if isinstance(halving, Integral):
        epochs = [int(halving)]
        while 2 * epochs[-1] < last:
            epochs.append(2 * epochs[-1])
    else:
        epochs = sorted({int(n) for n in halving})
    return [n for n in epochs if n < last]
