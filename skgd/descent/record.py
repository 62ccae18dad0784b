"""The record of a descent, epoch by epoch, as arrays by name."""

import math

import numpy as np

from skgd.kernels.problem import GRADIENT_NORM, N_ZEROS, OBJECTIVE, PENALTY, STEP_NORM


class History(dict):
    """Arrays by name, each with an entry for the start and one for the end of every epoch.

    ``objective``, ``data_loss`` and ``penalty`` (their difference); ``learning_rate`` (of the
    epoch's last update; NaN at the start); ``gradient_norm`` (of the smooth part, on the full
    batch; NaN on smaller ones, which never see it whole); ``step_norm`` (the length of the way
    since the entry before); ``n_zeros`` (weights that are exactly zero); ``seconds`` (since the
    start, without those of compiling; epochs that were run in one go share their time evenly);
    ``compile_seconds`` (those, until then: of compiling the loops, or of loading them); and
    ``validation_score`` where there is a validation set.
    """

    def to_frame(self):
        """Return the record as a pandas DataFrame, one row for each entry.

        Returns
        -------
        pandas.DataFrame
        """
        import pandas as pd

        return pd.DataFrame(dict(self)).rename_axis("epoch")


def history_of(columns, rates, times, scores):
    """Return the `History` of what a descent has kept for each epoch.

    ``times`` holds, for each entry, a reading of a `Stopwatch`.
    """
    kept, (seconds, compiling) = np.array(columns).T, np.array(times).T
    history = History(
        objective=kept[OBJECTIVE],
        data_loss=kept[OBJECTIVE] - kept[PENALTY],
        penalty=kept[PENALTY],
        learning_rate=np.array([math.nan, *rates]),
        gradient_norm=kept[GRADIENT_NORM],
        step_norm=kept[STEP_NORM],
        n_zeros=kept[N_ZEROS].astype(int),
        seconds=seconds - seconds[0],
        compile_seconds=compiling,
    )
    if scores:
        missing = len(columns) - len(scores)
        history["validation_score"] = np.array([*scores, *[math.nan] * missing])
    return history
