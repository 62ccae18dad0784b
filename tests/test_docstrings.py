"""Every parameter of an estimator is documented once, in order, with its default and its names."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.base import is_regressor

import skgd
from skgd.estimators.docstrings import TEXTS, documented
from skgd.estimators.estimator import DescentEstimator
from skgd.estimators.nested_parameters import TABLES

ESTIMATORS = [cls for name in skgd.__all__ if inspect.isclass(cls := getattr(skgd, name))]
DESCENTS = [cls for cls in ESTIMATORS if issubclass(cls, DescentEstimator)]
estimators = pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)


def section(cls, title):
    """Return the entries of a section of a docstring, as the lines of each name."""
    text = inspect.cleandoc(cls.__doc__)
    body = text.split(f"\n{title}\n{'-' * len(title)}\n")[1]
    body = re.split(r"\n\n\S[^\n]*\n-+\n", body)[0]
    entries = re.findall(r"^(\S.*)\n((?:(?: .*)?\n?)*)", body, flags=re.MULTILINE)
    return [(*head.partition(" : ")[::2], text) for head, text in entries]


@estimators
def test_every_parameter_is_documented_once_in_the_order_of_the_signature(cls):
    documented_names = [name for name, _, _ in section(cls, "Parameters")]
    assert documented_names == list(inspect.signature(cls).parameters)


@estimators
def test_every_parameter_has_a_type_a_text_and_the_default_of_the_signature(cls):
    parameters = inspect.signature(cls).parameters
    for name, kind, text in section(cls, "Parameters"):
        allowed, _, default = kind.rpartition(", default=")
        assert text.strip()
        expected = parameters[name].default
        assert bool(allowed) == (expected is not inspect.Parameter.empty)
        if allowed:
            found = float(default) if default == "nan" else ast.literal_eval(default)
            assert found == expected or default == repr(expected)


@pytest.mark.parametrize("cls", DESCENTS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("kind", TABLES)
def test_a_part_lists_every_name_of_its_table(cls, kind):
    texts = [f"{k}\n{t}" for name, k, t in section(cls, "Parameters") if name == kind]
    allowed = cls._parameter_constraints.get(kind, ())
    assert len(texts) == (kind in inspect.signature(cls).parameters)
    for text in texts:
        names = {name for name in TABLES[kind] if name and is_allowed(name, allowed)}
        assert names
        assert names <= set(re.findall(r'``"(\w+)"``', text))
        assert (None in TABLES[kind]) == bool(re.search(r"\bNone\b", text))


def is_allowed(name, constraints):
    """Whether one of the constraints of a parameter allows a name."""
    named = [one for one in constraints if hasattr(one, "is_satisfied_by")]
    return any(one.is_satisfied_by(name) for one in named)


@estimators
def test_no_text_refers_to_another_page(cls):
    assert "As in" not in cls.__doc__
    assert "as in `GD" not in cls.__doc__
    assert not re.search(r"^ *\{\w+\}", cls.__doc__, flags=re.MULTILINE)


@pytest.mark.parametrize("name", TEXTS)
def test_every_text_is_used_and_no_estimator_has_another_for_it(name):
    title = "Attributes" if name.endswith("_") else "Parameters"
    regressors = [cls for cls in DESCENTS if name != "loss" or is_regressor(cls())]
    users = [t for cls in regressors for n, _, t in section(cls, title) if n == name]
    assert users
    common = inspect.cleandoc(TEXTS[name][1])
    assert all(inspect.cleandoc("\n" + text).startswith(common) for text in users)


def test_a_name_without_a_text_is_an_error():
    def fit():
        """Fit.

        {nothing}
        """

    with pytest.raises(KeyError, match="nothing"):
        documented(fit)


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_the_package_is_imported_without_docstrings(flag):
    program = "import skgd; skgd.GDRegressor(); print(skgd.GDRegressor.__doc__ is None)"
    done = subprocess.run(
        [sys.executable, flag, "-c", program],
        cwd=Path(skgd.__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(flag == "-OO")), done.stderr
