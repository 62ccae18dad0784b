"""Who is told of a search as it goes on: scikit-learn's callbacks, and a bar of progress."""

from contextlib import contextmanager

from skgd.estimators._sklearn import open_search


class Events:
    """Tells scikit-learn's callbacks of a search about its tasks, where there are any.

    Candidates that are trained together have a task each, without tasks of their epochs.

    Parameters
    ----------
    search : BaseSearchCV
    X, y : array-like
    params : dict
        Metadata of the fit.
    """

    def __init__(self, search, X, y, params):
        self.search, self.cells, self.root = search, [], open_search(search)
        self.rows = {"X": X, "y": y, "metadata": weights_of(params)}
        if self.root is not None:
            self.root.call_on_fit_task_begin(estimator=search, **self.rows)

    @contextmanager
    def searching(self, n_cells):
        """Tell that the search is on, within the context."""
        if self.root is None:
            self.cells = [None] * n_cells
            yield
            return
        names = {"task_name": "search", "sequential_subtasks": False}
        context = self.root.subcontext(**names, max_subtasks=n_cells)
        context.call_on_fit_task_begin(estimator=self.search)
        name = "candidate-split-evaluation"
        self.cells = [context.subcontext(task_name=name, task_id=i) for i in range(n_cells)]
        yield
        context.call_on_fit_task_end(estimator=self.search)

    @contextmanager
    def training(self, members, split):
        """Tell of some candidates that they are fitted to a split, within the context."""
        n_splits = len(split.task.splits)
        found = [self.cells[member.index * n_splits + split.number] for member in members]
        contexts = [context for context in found if context is not None]
        rows = {"metadata": weights_of(split.fit_params), "y": split.training.y}
        rows["X"] = split.training.X if contexts else None
        for context in contexts:
            context.call_on_fit_task_begin(estimator=self.search, **rows)
        try:
            yield
        finally:
            for context in contexts:
                context.call_on_fit_task_end(estimator=self.search, **rows)

    def options(self, number):
        """Return what a cell that is fitted alone is given to tell of itself."""
        context = self.cells[number]
        return {} if context is None else {"caller": self.search, "callback_ctx": context}

    @contextmanager
    def refitting(self, estimator):
        """Tell of the fit to all rows, within the context."""
        if self.root is None:
            yield
            return
        context = self.root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(estimator):
            context.call_on_fit_task_begin(estimator=self.search, **self.rows)
            yield
        context.call_on_fit_task_end(estimator=self.search, **self.rows)

    def end(self):
        """Tell that the search has ended."""
        if self.root is not None:
            self.root.call_on_fit_task_end(estimator=self.search, **self.rows)


def weights_of(params):
    """Return the metadata that callbacks are shown."""
    weight = params.get("sample_weight")
    return None if weight is None else {"sample_weight": weight}


@contextmanager
def progress_of(n_cells, shown):
    """Show a bar of the cells that are done, and yield what moves it.

    Parameters
    ----------
    n_cells : int
    shown : bool
    """
    if not shown:
        yield lambda n: None
        return
    try:
        from rich.progress import Progress
    except ImportError as error:
        raise ImportError('progress=True needs rich: pip install "skgd[progress]".') from error
    with Progress() as bar:
        task = bar.add_task("Candidates and splits", total=n_cells)
        yield lambda n: bar.advance(task, n)
