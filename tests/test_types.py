"""Types: signatures as `inspect` shows them, and what a type checker makes of a user's script."""

import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skgd
from skgd.activations import ACTIVATIONS
from skgd.losses import CLASS_LOSSES, LOSSES, CrossEntropy
from skgd.models import Gabor, Linear
from skgd.optimizers import OPTIMIZERS, Adam, Nesterov
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES, Constant, Schedule, WarmUp

PACKAGE = Path(skgd.__file__).parent
SCRIPT = Path(__file__).parent / "data" / "user_script.py"
PARTS = {
    *(OPTIMIZERS | SCHEDULES | PENALTIES | LOSSES | CLASS_LOSSES | ACTIVATIONS).values(),
    CrossEntropy,
    Linear,
    Gabor,
}
with_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="no mypy")

WRONG = {  # each line, and what a type checker says of it
    'Adam(beta1="x")': 'Argument "beta1" to "Adam" has incompatible type "str"',
    "Adam(gamma=0.9)": 'Unexpected keyword argument "gamma" for "Adam"',
    "Adam(0.9, 0.9, 1e-8, True, 1)": 'arguments for "Adam"',
    "Adam().beta1 = 0.5": 'Property "beta1" defined in "Adam" is read-only',
    "Nesterov(beta=[0.9])": 'Argument "beta" to "Nesterov" has incompatible type',
    "WarmUp(5, then=L1())": 'Argument "then" to "WarmUp" has incompatible type "L1"',
    "GDRegressor(alpha=None)": 'Argument "alpha" to "GDRegressor" has incompatible type "None"',
    "GDRegressor(optimizer=L1())": 'Argument "optimizer" to "GDRegressor" has incompatible type',
    "GDRegressor(sampling='random')": 'Argument "sampling" to "GDRegressor" has incompatible type',
    "GDRegressor(learning_rate='car')": 'Argument "learning_rate" to "GDRegressor" has',
    "GDRegressor().fit()": 'Missing positional argument "X" in call to "fit"',
    "GDRegressor().fit(X, y).predict(X).no_array": 'has no attribute "no_array"',
    "GDGaborRegressor(n_init=0.5)": 'Argument "n_init" to "GDGaborRegressor" has incompatible',
    "path(X, y, n_alphas='many')": 'Argument "n_alphas" to "path" has incompatible type "str"',
    "make_gabor(noise='little')": 'Argument "noise" to "make_gabor" has incompatible type "str"',
    "lbfgs(X)": 'Argument 1 to "lbfgs" has incompatible type',
    "check_optimizer(L1())": 'Argument 1 to "check_optimizer" has incompatible type "L1"',
    "LossCurveDisplay.from_estimator(Adam(), by=3, ax=None, name=3)": "incompatible type",
}
HEAD = """import numpy as np
from skgd import GDGaborRegressor, GDRegressor, path
from skgd.datasets import make_gabor
from skgd.displays import LossCurveDisplay
from skgd.optimizers import Adam, Nesterov
from skgd.penalties import L1
from skgd.reference import lbfgs
from skgd.schedules import WarmUp
from skgd.testing import check_optimizer
X, y = np.ones((4, 2)), np.ones(4)
"""


@pytest.mark.parametrize("cls", sorted(PARTS, key=lambda cls: cls.__name__))
def test_the_signature_of_a_part_shows_its_fields_with_types_and_defaults(cls):
    shown = inspect.signature(cls).parameters
    part = cls()
    assert list(shown) == list(part.get_params(deep=False))
    for name, parameter in shown.items():
        assert parameter.default == getattr(part, name)
        assert parameter.annotation is not inspect.Parameter.empty


def test_the_signature_of_a_part_reads_as_it_is_written():
    assert str(inspect.signature(Adam)) == (
        "(beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-08, "
        "bias_correction: bool = True)"
    )
    assert str(inspect.signature(Nesterov)) == "(beta: float | None = None)"
    then = inspect.signature(WarmUp).parameters["then"]
    assert then.annotation == Schedule | str
    assert then.default == Constant()


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


def public_functions():
    """Yield every public function, and every public method of a class, by its dotted name."""
    modules = ["skgd", "skgd.displays", "skgd.reference", "skgd.datasets", "skgd.testing"]
    for module in map(importlib.import_module, modules):
        for name in getattr(module, "__all__", vars(module)):
            thing = vars(module)[name]
            if name.startswith("_") or not getattr(thing, "__module__", "").startswith("skgd"):
                continue
            if "__all__" not in vars(module) and thing.__module__ != module.__name__:
                continue
            if inspect.isfunction(thing):
                yield f"{module.__name__}.{name}", thing
            for base in thing.__mro__ if inspect.isclass(thing) else ():
                for member, value in vars(base).items():
                    value = getattr(value, "__func__", value)
                    ours = base.__module__.startswith("skgd") and inspect.isfunction(value)
                    if ours and not member.startswith("_"):
                        yield f"{module.__name__}.{name}.{member}", value


@pytest.mark.parametrize(("name", "function"), sorted(dict(public_functions()).items()))
def test_every_parameter_and_result_of_a_public_function_has_a_type(name, function):
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    assert [p.name for p in own if p.annotation is p.empty] == []
    assert signature.return_annotation is not signature.empty


def check_types(script, folder):
    """Return the complaints of mypy about a script, and whether there is none."""
    options = ["--strict", "--follow-imports=silent", "--no-error-summary", "--no-color-output"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", folder / "mypy", script],
        cwd=folder,
        env=os.environ | {"MYPYPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    assert not done.stderr
    return done.stdout, done.returncode == 0


@with_mypy
@pytest.mark.slow
def test_a_script_of_a_users_has_no_wrong_types(tmp_path):
    complaints, clean = check_types(SCRIPT, tmp_path)
    assert clean, complaints


@with_mypy
@pytest.mark.slow
def test_wrong_types_are_told_line_by_line(tmp_path):
    script = tmp_path / "wrong.py"
    script.write_text(HEAD + "\n".join(WRONG) + "\n", encoding="utf-8")
    complaints, clean = check_types(script, tmp_path)
    assert not clean
    told = dict.fromkeys(range(HEAD.count("\n") + 1, HEAD.count("\n") + 1 + len(WRONG)), "")
    for line in complaints.splitlines():
        if ": error: " in line:
            number = int(line.split(":")[1])
            told[number] += line
    missed = {
        text: told[number] for number, text in zip(told, WRONG) if WRONG[text] not in told[number]
    }
    assert missed == {}


@pytest.mark.slow
def test_the_script_of_a_users_runs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", SCRIPT],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
