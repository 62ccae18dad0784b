"""What searches share: the fit of scikit-learn, with candidates trained together."""

import abc
import time
from contextlib import ExitStack, suppress
from functools import partial
from itertools import product
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from skgd.estimators._sklearn import (
    Interval,
    SearchSteps,
    fit_and_score,
    fit_context,
    insert_error_scores,
    named_scorers,
    split_metadata,
    tell_failures,
)
from skgd.estimators.user_warnings import warn
from skgd.search.cells import JointSplit, Task
from skgd.search.events import Events, progress_of
from skgd.search.halving import Halved, Race, divided
from skgd.search.piece_search import ScoresPieces, are_in_pieces, cells_of, given_pieces, planned
from skgd.search.plan import Group, SearchPlan, can_join, plan_search
from skgd.search.reports import failure_report, print_cell, warning_report
from skgd.search.shared_rows import SharedRows

CONSTRAINTS = {  # of the parameters that scikit-learn's searches do not have
    "halving": [Interval(Integral, 1, None, closed="left"), "array-like", None],
    "progress": ["boolean"],
}


class JointSearch(ScoresPieces, abc.ABC):
    """An abstract search whose candidates are trained together where that is possible."""

    @abc.abstractmethod
    def _candidates(self):
        """Return the settings to try, a list of dict."""

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: ArrayLike | None = None, **params: Any) -> Self:
        """Train and score all candidates on all splits, and fit the best one to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or `skgd.pieces.Pieces` with targets and weights of their own, or a dask array or
            dataframe. Candidates that the products of the columns tell of are trained on these;
            others are fitted one by one to the pieces of each split.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        **params : dict
            Metadata of the estimator's ``fit``, the scorers and the splitter, as scikit-learn's
            search takes them: ``groups``, and ``sample_weight`` or, for a step of a pipeline,
            ``step__sample_weight``. What has an entry for each row is split like the rows.

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            Once for all candidates that were trained together, with a table of those that have
            not converged.
        FitFailedWarning
            Once, of fits that have failed, whose cells have ``error_score``.
        """
        if are_in_pieces(X):
            return self._fit_pieces(X, y, params)
        if not can_join(self.estimator):
            super().fit(X, y, **params)
            every = np.arange(len(self.cv_results_["params"]))
            self.plan_ = SearchPlan([Group(every, None, "another kind of estimator")])
            return self
        steps = SearchSteps(self)
        X, y = indexable(X, y)
        params = split_metadata(X, params=params)
        routed = steps.route(params)
        events = Events(self, X, y, params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = [*cv.split(X, y, **routed.splitter.split)]
        task = Task(
            *(X, y, splits, [*self._candidates()], steps.scorers),
            *(routed.estimator.fit, routed.scorer.score),
            *(self.error_score, self.return_train_score),
        )
        self._check(task)
        with events.searching(len(task.candidates) * len(splits)):
            out, halved = self._evaluate(task, events)
        tell_failures(out, self.error_score)
        if callable(self.scoring):
            insert_error_scores(out, self.error_score)
        results = steps.format(task.candidates, self.n_splits_, out)
        if self.halving is not None:
            results["n_epochs"] = halved.column(len(task.candidates))
        by_rank = self.halving is not None and not callable(self.refit)
        self._choose(steps, out, halved.judged(results, self._metric()) if by_rank else results)
        return self._concluded(steps, results, (X, y, routed.estimator.fit), events)

    def _fit_pieces(self, X, y, params):
        """Train and score on the products of the columns of rows in pieces."""
        steps, candidates = SearchSteps(self), [*self._candidates()]
        pieces = given_pieces(self, steps, X, y, params)
        *groups, self.plan_, task = planned(self, steps, candidates, pieces.n_features)
        cells, self.n_splits_ = cells_of(task, *groups, pieces, self.cv)
        self._report(cells, candidates)
        cells.sort(key=lambda cell: (cell.candidate, cell.split))
        out = [cell.result for cell in cells]
        tell_failures(out, self.error_score)
        results = steps.format(candidates, self.n_splits_, out)
        self._choose(steps, out, results)
        return self._concluded(steps, results, (pieces, None, {}), Events(self, None, None, {}))

    def _concluded(self, steps, results, data, events):
        """Fit the best candidate, and set what has been found."""
        if self.refit:
            self._refit(*data, events)
        self.scorer_ = named_scorers(steps.scorers) or steps.scorers
        self.cv_results_ = results
        events.end()
        return self

    def _check(self, task):
        """Say what is to be done, if there is something to do."""
        n_candidates, n_splits = len(task.candidates), len(task.splits)
        if n_splits != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. Expected "
                f"{self.n_splits_} splits, got {n_splits}"
            )
        if self.verbose > 0:
            print(
                f"Fitting {n_splits} folds for each of {n_candidates} candidates, totalling "
                f"{n_candidates * n_splits} fits"
            )
        if not n_candidates or not n_splits:
            raise ValueError(
                "No fits were performed. Was the CV iterator empty? Were there no candidates?"
            )

    def _evaluate(self, task, events):
        """Return the result of every cell, the splits of a candidate side by side."""
        heads, plan = plan_search(self.estimator, task.candidates)
        n_splits, n_cells = len(task.splits), len(task.candidates) * len(task.splits)
        parallel = Parallel(self.n_jobs, pre_dispatch=self.pre_dispatch, require="sharedmem")
        shared = None if type(self.estimator) is Pipeline else SharedRows(task)
        with progress_of(n_cells, self.progress) as advance:
            tell = partial(self._tell, task, advance)
            split_cells, cells = delayed(self._cells_of_split), []
            halved, heads = divided(heads) if self.halving is not None else ([], heads)
            for found in parallel(
                split_cells(task, number, head, shared, events, tell)
                for number in range(n_splits)
                for head in heads
            ):
                cells += found
            halved = self._halved(task, halved, shared, events, parallel)
            tell([*halved.values()])
            cells += halved.values()
            out = [None] * n_cells
            for cell in cells:
                if self.error_score != "raise" or cell.failure is None:
                    out[cell.candidate * n_splits + cell.split] = cell.result
            left = [i for i in range(n_cells) if out[i] is None]
            self.plan_ = plan.after(np.array(left, int) // n_splits)
            for i, result in zip(left, self._lone_results(task, left, events)):
                out[i] = result
                advance(1)
        self._report(cells, task.candidates)
        return out, halved

    def _tell(self, task, advance, cells):
        """Tell of cells that are done."""
        for cell in cells if self.verbose > 1 else ():
            print_cell(cell, task.candidates, len(task.splits), self.verbose)
        advance(len(cells))

    def _cells_of_split(self, task, number, head, shared, events, tell):
        """Return the cells of a split; none of those that only a fit of its own can tell of."""
        cells = []
        try:
            split = JointSplit(task, number, head, shared)
        except Exception:  # of the steps before, or of the rows: each candidate's own fit raises
            return cells
        for train, members in head.groups:
            with events.training(members, split):
                try:
                    found = split.cells(train, members)
                except (ArithmeticError, TypeError, ValueError):
                    found = []
            tell(found)
            cells += found
        return cells

    def _halved(self, task, heads, shared, events, parallel):
        """Return the `Halved` cells of descents of which the half that lags is dropped."""
        races, told = [], ExitStack()
        with told:
            for number, head in product(range(len(task.splits)), heads):
                try:
                    split = JointSplit(task, number, head, shared)
                except Exception:  # as above
                    continue
                for _, members in head.groups:
                    told.enter_context(events.training(members, split))
                    with suppress(ArithmeticError, TypeError, ValueError):
                        races.append(Race(split, members))
            return Halved(races, self.halving, self._metric(), parallel)

    def _metric(self):
        """Return the name of the metric that candidates are compared by."""
        return self.refit if isinstance(self.refit, str) else "score"

    def _lone_results(self, task, numbers, events):
        """Return the results of cells that are fitted one by one, as scikit-learn does."""
        n_candidates, n_splits = len(task.candidates), len(task.splits)
        options = {
            "scorer": task.scorer,
            "fit_params": task.fit_params,
            "score_params": task.score_params,
            "return_train_score": self.return_train_score,
            "return_n_test_samples": True,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": self.verbose,
        }
        cells = [divmod(number, n_splits) for number in numbers]
        return Parallel(self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(fit_and_score)(
                *(clone(self.estimator), task.X, task.y),
                train=task.splits[split][0],
                test=task.splits[split][1],
                parameters=task.candidates[candidate],
                split_progress=(split, n_splits),
                candidate_progress=(candidate, n_candidates),
                **options,
                **events.options(candidate * n_splits + split),
            )
            for candidate, split in cells
        )

    def _report(self, cells, candidates):
        """Tell once what the fits of many candidates would say, and of those that have failed."""
        failed = [cell for cell in cells if cell.failure is not None]
        if failed:
            report = failure_report(failed, candidates)
            for cell in failed:
                cell.result["fit_error"] = report
        unsure = [cell for cell in cells if cell.failure is None and cell.warning is not None]
        if unsure:
            warn(warning_report(unsure, candidates, len(cells)))

    def _choose(self, steps, out, results):
        """Set the best candidate, as scikit-learn chooses it."""
        metric, first = steps.refit_metric, out[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            steps.check_refit(first)
            metric = self.refit
        if not self.refit and self.multimetric_:
            return
        self.best_index_ = steps.select(self.refit, metric, results)
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _refit(self, X, y, fit_params, events):
        """Fit the best candidate to all rows."""
        best = clone(self.best_params_, safe=False)
        self.best_estimator_ = clone(self.estimator).set_params(**best)
        with events.refitting(self.best_estimator_):
            begin = time.time()
            self.best_estimator_.fit(X, y, **fit_params)
            self.refit_time_ = time.time() - begin
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
