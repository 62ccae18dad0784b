"""
Fit a wave packet without a start: GDGaborRegressor and curve_fit
=================================================================

A least-squares routine that starts at a bad point ends in a bad minimum, and does not report that
there are better ones. `GDGaborRegressor` evaluates many points, descends from the best of them,
and lists the minima that it finds.
"""

# %%
# Two packets: the thirty noisy points of `load_gabor`, with two parameters, and a simulated
# ultrasonic echo in microseconds and millivolts, with five. ``curve_fit`` starts at its default,
# all ones, and once more at our solution.
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import curve_fit

from skgd import GDGaborRegressor
from skgd.datasets import load_gabor


def packet(x, offset, frequency, amplitude=1.0, width=4.0, baseline=0.0):
    """Return the wave packet at x."""
    u = offset + 0.06 * frequency * x
    return amplitude * np.sin(u) * np.exp(-0.5 * (u / width) ** 2) + baseline


def two_parameters(x, offset, frequency):
    """Return the packet of offset and frequency, with the other parameters fixed."""
    return packet(x, offset, frequency)


names = ["offset", "frequency", "amplitude", "width", "baseline"]
rng = np.random.default_rng(1)
time = np.arange(0.0, 40.0, 0.2)
truth = [-48.4, 36.7, 12.0, 6.6, 2.5]
echo = packet(time, *truth) + rng.normal(0.0, 1.5, time.size)
problem = load_gabor()
x, y = problem.data[:, 0], problem.target
all_five = {"fit_amplitude": True, "fit_width": True, "fit_baseline": True}
cases = {
    "thirty points": (two_parameters, x, y, problem.theta, {}),
    "an echo": (packet, time, echo, truth, all_five),
}

# %%
# The parameters and their standard errors. In the same minimum both methods give the same standard
# errors. In a wrong minimum the standard errors do not show the distance to the truth, as for the
# frequency of the echo.
answers = {}
for title, (function, x, y, truth, settings) in cases.items():
    fit = GDGaborRegressor(random_state=0, **settings).fit(x[:, None], y)
    theirs = curve_fit(function, x, y, np.ones(len(truth)))
    again = curve_fit(function, x, y, fit.theta_)
    answers[title] = fit, theirs[0]
    columns = [(fit.theta_, fit.standard_errors_)]
    columns += [(theta, np.sqrt(np.diag(errors))) for theta, errors in (theirs, again)]
    print(f"{title}\n\n{'':9}   truth    GDGaborRegressor  curve_fit from ones  from our answer")
    for i, name in enumerate(names[: len(truth)]):
        cells = [f"{theta[i]:8.3f} +- {error[i]:6.3f}" for theta, error in columns]
        print(f"{name:9}  {truth[i]:6.1f}  {cells[0]}   {cells[1]}  {cells[2]}")
    objective = [0.5 * np.mean((y - function(x, *theta)) ** 2) for theta, _ in columns]
    print(f"{'objective':9}  {'':6}  " + "  ".join(f"{value:17.4f}" for value in objective))
    print(f"\nThe minima that were found:\n\n{fit.minima_}\n")

echoed = answers["an echo"][0]
speed = 0.06 * echoed.frequency_[0]  # of the phase, in radians per microsecond
print(f"The echo arrives after {-echoed.offset_ / speed:.2f} microseconds, ", end="")
print(f"at {speed / (2.0 * np.pi):.3f} megahertz.")

# %%
# The curves. Left: the packet of curve_fit has so low a frequency that it is almost a straight
# line over the data. Right: it is a small oscillation in the noise.
fig, axes = plt.subplots(1, 2, figsize=(7.5, 3.8), layout="constrained")
for ax, (title, (function, x, y, _, _)) in zip(axes, cases.items()):
    fit, theta = answers[title]
    grid = np.linspace(x.min(), x.max(), 801)
    ax.plot(x, y, ".", color="0.5", label="data")
    ax.plot(grid, function(grid, *theta), "--", color="#D55E00", lw=2, label="curve_fit from ones")
    ax.plot(grid, fit.predict(grid[:, None]), color="#0072B2", lw=2, label="GDGaborRegressor")
    ax.set_title(title)
axes[0].set(xlabel="x", ylabel="y", ylim=(-1.2, 1.7))
axes[1].set(xlabel="time (microseconds)", ylabel="signal (millivolts)")
fig.legend(handles=axes[0].get_lines(), loc="outside lower center", ncols=3)
plt.show()
