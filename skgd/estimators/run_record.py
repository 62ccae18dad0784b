"""What a fit tells of its runs, however they have ended."""

import numpy as np

from skgd.estimators.serialization import TRAINING


def set_record(estimator, problem, runs, last):
    """Set what is known of each target's run, however it has ended, and nothing else.

    Parameters
    ----------
    estimator : DescentEstimator
    problem : Problem
    runs : list of Minimizer
        One for each target.
    last : LastCall or None
        What a resumed fit knows of the last call.
    """
    for name in {estimator.fitted_attributes[0], *TRAINING} & vars(estimator).keys():
        delattr(estimator, name)
    each, before = problem.each, 0 if last is None else last.n_updates
    estimator.loss_curve_ = each([np.array(run.record.curve) for run in runs])
    estimator.history_ = each([run.history() for run in runs])
    estimator.stop_reason_ = each([run.outcome.name.lower() for run in runs])
    estimator.converged_ = each(np.array([run.outcome.settled for run in runs]))
    estimator.n_iter_ = each(np.array([run.record.n_epochs for run in runs]))
    estimator.t_ = each(before + np.array([run.n_updates for run in runs]))
    estimator.learning_rate_ = each(np.array([run.learning_rate for run in runs]))
    if estimator.record_path:
        paths = [problem.in_order_of_init(k, run.record.path) for k, run in enumerate(runs)]
        estimator.path_ = each(paths)
