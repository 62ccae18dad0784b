"""The rate that lets a rule arrive: it falls on a plateau, and rises where the way is straight.

A stage is a run of epochs at one rate. Its review compares the mean excess of the objective over
a lower bound of the minimum in its last third with that in the third before, and the distance that
the iterate has come with the length of its way.

- The objective no longer improves, or on the full batch the iterate bounces while it hardly
  improves: the rate is halved.
- Halving it has not lowered the plateau: the noise is not what keeps the rule from the minimum.
  On smaller batches their size is multiplied by four at the rate before; on the full batch the
  stages grow longer, as the rule's memory is longer than they are.
- The excess rises tenfold: the rate is quartered at once.
- The way is straight: a rule whose steps do not grow with the gradient takes twice the rate.

A rule that settles at a constant rate on the full batch needs no reviews; but one whose own memory
makes its steps ever shorter (AdaGrad) is reviewed once it has taken long.

References
----------
Lang, Xiao and Zhang, "Using statistics to automate stochastic optimization" (2019); Pesme,
Dieuleveut and Flammarion, "On convergence-diagnostic based step sizes for stochastic gradient
descent" (2020); Smith et al., "Don't decay the learning rate, increase the batch size" (2018).
"""

import math
from typing import NamedTuple

import numpy as np

from skgd.kernels.problem import OBJECTIVE, STEP_NORM


class Tuning(NamedTuple):
    """The constants of the reviews, chosen by ``doc/benchmarks/arrival.py``."""

    window: int = 16  # epochs of the first stage
    long: int = 2000  # epochs that a rule which settles is given at its first rate
    first_rate: float = 10.0  # in automatic rates, of rules whose steps do not grow with gradients
    cut: float = 0.5  # of the rate on a plateau
    rise: float = 2.0  # of the rate on a straight way
    overshoot: float = 10.0  # of the excess in a stage, beyond which its rate is too large
    retreat: float = 0.25  # of such a rate
    noise: float = 0.3  # standard errors that an improvement has to exceed
    least: float = 0.1  # improvement of a rule that could take a larger rate, else a plateau
    bouncing: float = 0.15  # distance over length of a way that is not worth its rate
    slow: float = 0.9  # excess over that before, above which a bouncing rule is on a plateau
    straight: float = 0.6  # distance over length of a straight way
    lower: float = 0.6  # excess on a plateau over that on the last, if the cut was of use
    longer: float = 1.25  # the next review of a stage that goes on
    growth: float = 1.2  # of the stages with each cut, on smaller batches
    stretch: float = 1.5  # of the stages where a cut was of no use, on the full batch
    longest: float = 128.0  # epochs of a stage of the full batch
    patience: float = 4.0  # stages that improve a little, before a larger rate is tried
    batch: int = 4  # growth of a batch


TUNING = Tuning()
PLAIN = (
    "rises",
    "first_factor",
    "window",
    "level",
    "objectives",
    "length",
    "ceiling",
    "way",
    "origin",
)


class RateControl:
    """The reviews of the stages of a descent.

    Parameters
    ----------
    rises : bool
        Whether the rule could take a larger rate: its steps do not grow with the gradient.
    iterate : ndarray of shape (d,)
    settles : bool, default=False
        Whether it is expected to arrive at its first rate.
    tuning : Tuning
    """

    def __init__(self, rises, iterate, settles=False, tuning=TUNING):
        self.rises, self.tuning = rises, tuning
        self.window, self.level = float(tuning.window), math.inf
        self._begin(iterate)
        self.first_factor = tuning.first_rate if rises and not settles else 1.0  # of the rate
        self.length = tuning.long if settles else self.length

    def stored(self):
        """Return it as plain data."""
        return {name: getattr(self, name) for name in PLAIN}

    @classmethod
    def restored(cls, data):
        """Return the control that was stored as ``data``."""
        control = cls.__new__(cls)
        control.tuning = TUNING
        for name in PLAIN:
            setattr(control, name, data[name])
        control.origin = np.array(control.origin, dtype=float)
        control.objectives = [*map(float, control.objectives)]
        return control

    def _begin(self, iterate, excess=math.inf, lower_bound=0.0):
        """Begin a stage, whose objective may not rise to many times the excess at hand."""
        self.objectives, self.length = [], int(self.window)
        self.ceiling = lower_bound + self.tuning.overshoot * excess
        self._mark(iterate)

    def _mark(self, iterate):
        self.way, self.origin = 0.0, iterate.copy()

    @property
    def left(self):
        """The epochs until the next review."""
        return self.length - len(self.objectives)

    def note(self, columns):
        """Take note of epochs, by their columns of the record."""
        self.objectives += [column[OBJECTIVE] for column in columns]
        self.way += sum(column[STEP_NORM] for column in columns)

    def review(self, iterate, lower_bound, full):
        """Return what the rate, and what the size of batches, is to be multiplied by.

        Parameters
        ----------
        iterate : ndarray of shape (d,)
        lower_bound : float
            Of the minimum.
        full : bool
            Whether an update uses all rows.
        """
        tuning, third = self.tuning, len(self.objectives) // 3
        excesses = np.array(self.objectives[-2 * third :]) - lower_bound
        before, now = excesses[:third], excesses[third:]
        level, gain = now.mean(), before.mean() - now.mean()
        with np.errstate(all="ignore"):  # of objectives whose squares are no numbers
            noise = tuning.noise * math.sqrt((before.var() + now.var()) / third)
        least = tuning.least * before.mean() if self.rises and not full else 0.0
        straight = float(np.linalg.norm(iterate - self.origin)) / self.way if self.way else 0.0
        bounces = straight < tuning.bouncing and level > tuning.slow * before.mean()
        if gain <= max(noise, least) or (full and bounces):
            factors = self._cut(level, full)
        elif self.rises and straight > tuning.straight:
            self.window = max(tuning.window, self.window / (1.0 if full else tuning.growth))
            factors = tuning.rise, 1
        elif self.rises and not full and len(self.objectives) >= tuning.patience * self.window:
            factors = tuning.rise, 1
        elif full:
            factors = 1.0, 1
        else:  # the stage goes on
            self.length = int(tuning.longer * len(self.objectives)) + 1
            self._mark(iterate)
            return 1.0, 1
        self._begin(iterate, now[-1], lower_bound)
        return factors

    def retreat(self, iterate, excess, lower_bound):
        """Return what a rate is to be multiplied by at which the objective has risen too far."""
        self.level = math.inf
        self._begin(iterate, excess, lower_bound)
        return self.tuning.retreat

    def _cut(self, level, full):
        """Return the factors on a plateau."""
        tuning, useless = self.tuning, level > self.tuning.lower * self.level
        self.level = math.inf if useless else level
        if useless and full:
            self.window = min(tuning.stretch * self.window, tuning.longest)
            return 1.0, 1
        if useless:
            self.window = float(tuning.window)
            return 1.0 / tuning.cut, tuning.batch
        self.window *= 1.0 if full else tuning.growth
        return tuning.cut, 1


def control_of(objective, rule, full, options, iterate):
    """Return the control of the rate of a descent; None for one that keeps its rate.

    That is one without a tolerance or with a rate that is given, one of whose minimum no lower
    bound can be known, one with another fixed point, and one that arrives at a constant rate.
    Where no slopes jump, rules do that settle on the full batch, or reduce the variance on others.

    Parameters
    ----------
    objective : Objective
    rule : Optimizer
    full : bool
        Whether an update uses all rows.
    options : Options
    iterate : ndarray of shape (d,)
    """
    if options.learning_rate != "auto" or not options.certifies:
        return None
    if rule.decoupled or (rule.variance_reduced and not objective.term.nonsmooth):
        return None
    settles = full and rule.settles and not objective.term.nonsmooth
    if settles and rule.newton_fraction is None:
        return None
    return RateControl(rule.newton_fraction is not None, iterate, settles)
