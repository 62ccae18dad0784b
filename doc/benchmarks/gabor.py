"""How often the best minimum of a wave packet is found, and how long the search takes.

Random problems of one column and thirty rows. The best minimum known is the best of what all
contestants and a dense search have found; one that is higher by a millionth counts as missed.
Peers that start at random do so as often as they need to find as many best minima as
`GDGaborRegressor`, a hundred times at most; the number is known only afterwards. "In the truth's
box" tells them what the truth was drawn from, "where the rows are" draws packets as our
screening does. Times are the processor's, in one thread, without compilation.
"""

import warnings
from importlib.metadata import version
from statistics import median

import numpy as np
from clock import seconds
from machine import heading, stay_in_one_thread, table
from scipy.optimize import OptimizeWarning, curve_fit, least_squares, leastsq
from sklearn.exceptions import ConvergenceWarning

from skgd import GDGaborRegressor
from skgd.datasets import make_gabor

try:
    import lmfit
except ImportError:
    lmfit = None

ROWS = 30
OFFSET, FREQUENCY = (-5.0, 5.0), (5.0, 25.0)
AMPLITUDE, BASELINE = (0.5, 20.0), (-5.0, 5.0)
STARTS = 100  # at random, at most
FEW = 10  # problems for basinhopping, which takes long
ALIKE = 1e-6  # of the best objective, by which an answer may be above it


def packet(x, b, w, a=1.0, c=0.0):
    """Return the wave packet at x."""
    u = b + 0.06 * w * x
    return a * np.sin(u) * np.exp(-u * u / 32.0) + c


def slopes(x, b, w, a=1.0, c=None):
    """Return its derivatives in b and w, and in a and c if there is a c."""
    u = b + 0.06 * w * x
    envelope = np.exp(-u * u / 32.0)
    slope = a * (np.cos(u) - u * np.sin(u) / 16.0) * envelope
    columns = [slope, 0.06 * x * slope]
    if c is not None:
        columns += [np.sin(u) * envelope, np.ones_like(x)]
    return np.stack(columns, axis=1)


class Problem:
    """Thirty noisy points of a packet, two or four of whose parameters are to be found."""

    def __init__(self, seed, extras):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(*OFFSET), rng.uniform(*FREQUENCY)
        X, y = make_gabor(ROWS, theta=truth, random_state=seed)
        if extras:
            y = rng.uniform(*AMPLITUDE) * y + rng.uniform(*BASELINE)
        self.seed, self.extras, self.x, self.y = seed, extras, X[:, 0], y
        self.d = 4 if extras else 2

    def objective(self, theta):
        """Return the mean of half the squared errors."""
        return 0.5 * np.mean(self.residuals(theta) ** 2)

    def residuals(self, theta):
        """Return the errors."""
        return packet(self.x, *theta) - self.y

    def jacobian(self, theta):
        """Return their derivatives."""
        return slopes(self.x, *theta)

    def guess(self, b, w):
        """Return an offset and a frequency, with an amplitude and a baseline that suit y."""
        spread = [0.5 * np.ptp(self.y), np.mean(self.y)] if self.extras else []
        return np.array([b, w, *spread])

    def starts(self):
        """Draw starts from the box of the truth, by numbers that the truth was not drawn by."""
        rng = np.random.default_rng([self.seed, 1])
        while True:
            yield self.guess(rng.uniform(*OFFSET), rng.uniform(*FREQUENCY))

    def wide_starts(self):
        """Draw starts whose packets lie where the rows are, up to what the rows resolve."""
        rng = np.random.default_rng([self.seed, 2])
        while True:
            yield self.guess(*(column[0] for column in self.wide(rng, 1)))

    def wide(self, rng, n):
        """Draw n such offsets and frequencies."""
        low, high = self.x.min(), self.x.max()
        w = rng.uniform(-1.0, 1.0, n) * np.pi * (ROWS - 1) / (0.06 * (high - low))
        return rng.uniform(-4.0, 4.0, n) - 0.06 * w * rng.uniform(low, high, n), w


def ours(problem):
    """Run GDGaborRegressor as it is."""
    extras = {"fit_amplitude": True, "fit_baseline": True} if problem.extras else {}
    fit = GDGaborRegressor(random_state=problem.seed, **extras).fit(problem.x[:, None], problem.y)
    return fit.theta_


def fitted(problem, start):
    """Run curve_fit from a start; it may give up."""
    try:
        return curve_fit(packet, problem.x, problem.y, start)[0]
    except RuntimeError:
        return start


def from_ones(problem):
    """Run curve_fit from its default start."""
    return fitted(problem, np.ones(problem.d))


def from_one(problem):
    """Run curve_fit from one random start."""
    return fitted(problem, next(problem.starts()))


def lmfit_model(problem, box=False):
    """Return lmfit's model, its parameters, and the x and y to fit it to."""
    model = lmfit.Model(packet)
    params = model.make_params(**dict(zip("bwac", np.ones(4))))
    if box:
        b, w, *rest = params.values()
        b.set(0.0, min=OFFSET[0], max=OFFSET[1], brute_step=0.5)
        w.set(15.0, min=FREQUENCY[0], max=FREQUENCY[1], brute_step=1.0)
        for param, value in zip(rest, problem.guess(0.0, 0.0)[2:]):
            reach = 2.0 * np.ptp(problem.y)
            param.set(value, min=value - reach, max=value + reach, brute_step=reach / 2.0)
    if not problem.extras:
        params["a"].set(1.0, vary=False)
        params["c"].set(0.0, vary=False)
    return model, params


def answer(result, problem):
    """Return the parameters of an lmfit result."""
    return np.array([result.params[name].value for name in "bwac"[: problem.d]])


def lmfit_ones(problem):
    """Run lmfit's default method from ones."""
    model, params = lmfit_model(problem)
    return answer(model.fit(problem.y, params, x=problem.x), problem)


def lmfit_brute(problem):
    """Run lmfit's default method from the best point of a grid."""
    model, params = lmfit_model(problem, box=True)
    coarse = model.fit(problem.y, params, x=problem.x, method="brute", calc_covar=False)
    params = coarse.params.copy()
    for param in params.values():
        param.set(min=-np.inf, max=np.inf)
    return answer(model.fit(problem.y, params, x=problem.x), problem)


def lmfit_basins(problem):
    """Run lmfit's basinhopping, a hundred hops from the middle of the box, and its default."""
    model, params = lmfit_model(problem, box=True)
    for param in params.values():
        param.set(min=-np.inf, max=np.inf)
    options = {"seed": problem.seed}
    hopped = model.fit(
        problem.y, params, x=problem.x, method="basinhopping", calc_covar=False, fit_kws=options
    )
    return answer(model.fit(problem.y, hopped.params, x=problem.x), problem)


CONTESTANTS = {
    "GDGaborRegressor()": ours,
    "curve_fit from ones": from_ones,
    "curve_fit, one random start": from_one,
}
PEERS = {
    "lmfit, leastsq from ones": lmfit_ones,
    "lmfit, brute, then leastsq": lmfit_brute,
    "lmfit, basinhopping": lmfit_basins,
}


def timed(contestant, problem):
    """Return the objective that a contestant reaches, and its seconds."""
    found = []
    taken = seconds(lambda: found.append(contestant(problem)))
    return problem.objective(found[0]), taken


def with_derivatives(problem, start):
    """Run least_squares by Levenberg and Marquardt's method with exact derivatives."""
    return least_squares(problem.residuals, start, problem.jacobian, method="lm").x


MANY = {
    "curve_fit, {} starts in the truth's box": (fitted, Problem.starts),
    "least_squares, {} starts in the truth's box": (with_derivatives, Problem.starts),
    "curve_fit, {} starts where the rows are": (fitted, Problem.wide_starts),
}


def many_starts(problem, method, draw):
    """Return objective and seconds of a method from each of many starts."""
    starts = draw(problem)
    return [timed(lambda problem: method(problem, next(starts)), problem) for _ in range(STARTS)]


def dense_search(problem, points=20_000, most=60):
    """Return the lowest objective reached from the best of many random points."""
    b, w = problem.wide(np.random.default_rng([problem.seed, 3]), points)
    curves = packet(problem.x, b[:, None], w[:, None])
    a, c = np.ones(points), np.zeros(points)
    if problem.extras:
        mean, level = curves.mean(axis=1), problem.y.mean()
        shape = curves - mean[:, None]
        a = shape @ (problem.y - level) / np.maximum((shape**2).sum(axis=1), 1e-12)
        c = level - a * mean
    errors = np.mean((a[:, None] * curves + c[:, None] - problem.y) ** 2, axis=1)
    lowest = np.inf
    for k in np.argsort(errors)[:most]:
        start = np.array([b[k], w[k], a[k], c[k]][: problem.d])
        theta = leastsq(problem.residuals, start, Dfun=problem.jacobian, maxfev=500)[0]
        lowest = min(lowest, problem.objective(theta))
    return lowest


def enough_starts(name, objectives, times, best, rate):
    """Return the line of a peer with as many starts as it needs for a rate."""
    reached = np.logical_or.accumulate(objectives <= (1.0 + ALIKE) * best[:, None], axis=1)
    default_n_screen = np.flatnonzero(reached.sum(axis=0) >= rate)
    k = default_n_screen[0] + 1 if default_n_screen.size else STARTS
    return line(name.format(k), reached[:, k - 1], times[:, :k].sum(axis=1))


def line(name, found, times):
    """Return a line of the table."""
    milliseconds = (f"{1e3 * f(times):.1f}" for f in (median, max))
    return name, f"{np.sum(found)} of {len(found)}", *milliseconds


def race(n, extras):
    """Return the table of n problems."""
    problems = [Problem(seed, extras) for seed in range(n)]
    timed(ours, problems[0])  # compiles
    single = {
        name: np.array([timed(run, problem) for problem in problems[: some(name, n)]])
        for name, run in (CONTESTANTS | (PEERS if lmfit else {})).items()
    }
    many = {
        name: np.array([many_starts(problem, *how) for problem in problems])
        for name, how in MANY.items()
    }
    best = np.array([dense_search(problem) for problem in problems])
    for results in many.values():
        best = np.minimum(best, results[:, :, 0].min(axis=1))
    for results in single.values():
        m = len(results)
        best[:m] = np.minimum(best[:m], results[:, 0])
    found = {name: r[:, 0] <= (1.0 + ALIKE) * best[: len(r)] for name, r in single.items()}
    rate = found["GDGaborRegressor()"].sum()
    lines = [line(name, found[name], results[:, 1]) for name, results in single.items()]
    lines[3:3] = [
        enough_starts(name, results[:, :, 0], results[:, :, 1], best, rate)
        for name, results in many.items()
    ]
    return table(("", "best minimum found", "median ms", "most ms"), lines)


def some(name, n):
    """Return how many problems a contestant gets."""
    return min(n, FEW) if name == "lmfit, basinhopping" else n


def main():
    """Run both races and print their tables."""
    for category in (ConvergenceWarning, OptimizeWarning, RuntimeWarning):
        warnings.simplefilter("ignore", category)
    stay_in_one_thread()
    print(heading("The best of many minima"))
    print(f"lmfit {version('lmfit')}\n" if lmfit else "lmfit is not installed and left out\n")
    print(f"Offset and frequency\n\n{race(100, extras=False)}\n")
    print(f"With amplitude and baseline\n\n{race(30, extras=True)}")


if __name__ == "__main__":
    main()
