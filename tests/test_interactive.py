"""The interactive page computes what the package computes, and says so in two languages."""

import json
import math
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from skgd import GDGaborRegressor, GDRegressor
from skgd.displays import interactive
from skgd.displays.inspection import in_objective_order
from skgd.displays.page import surfaces
from skgd.displays.page.assemble import module, page, read
from skgd.displays.page.core import core, data, rules
from skgd.displays.page.translate import UntranslatableError, translate
from skgd.optimizers import Adam

DOC = Path(__file__).parent.parent / "doc"
WORDS, STORIES = json.loads(read("words.json")), json.loads(read("presets.json"))
SURFACES = json.loads(read("surfaces.json"))
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node here")


@pytest.fixture(scope="module")
def build():
    if not DOC.exists():
        pytest.skip("no documentation here")
    sys.path[:0] = [str(DOC), str(DOC / "interactive")]
    yield pytest.importorskip("interactive_page")
    del sys.path[:2]


def run_in_node(script):
    """Return what a script prints, read as JSON."""
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def uses_a_comprehension(x):
    return sum(v for v in x)


def uses_a_while_loop(x):
    while x > 0.0:
        x -= 1.0
    return x


def uses_a_slice(x):
    return x[1:]


def uses_an_unknown_function(x):
    return math.lgamma(x)


def uses_a_chain_of_comparisons(x):
    return 0.0 < x < 1.0


def uses_the_remainder(x):
    return x % 2.0


def uses_a_missing_name(x):
    return x + DOC


def changes_the_variable_of_a_loop(x):
    for k in range(3):
        k += 1
        x += k
    return x


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (uses_a_comprehension, 1),
        (uses_a_while_loop, 1),
        (uses_a_slice, 1),
        (uses_an_unknown_function, 1),
        (uses_a_chain_of_comparisons, 1),
        (uses_the_remainder, 1),
        (changes_the_variable_of_a_loop, 2),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_outside_of_the_language_is_refused_with_its_line(function, line):
    place = f"{Path(__file__).name}:{function.__code__.co_firstlineno + line}:"
    with pytest.raises(UntranslatableError, match=re.escape(place)):
        translate(function)


def test_a_name_that_the_page_does_not_have_is_refused():
    with pytest.raises(UntranslatableError, match="DOC"):
        translate(uses_a_missing_name)


def precedence(a, b, c):
    first = a - (b - c) / (a / (b * c)) - -c
    second = (a + b) ** 2 * -((a - c) ** 3)
    third = (a if a > b else b) * (1.0 if not (a < b or b < c) and c != 2.0 else a - (b - -c))
    return first, second, third, -a * (b + c) - (-(a - b) - c)


@needs_node
@pytest.mark.parametrize("values", [(1.5, -2.25, 0.75), (3.0, 2.0, 1.0), (-1.0, 4.0, 2.0)])
def test_brackets_are_where_the_order_of_operations_needs_them(values):
    script = (
        f"console.log(JSON.stringify(({translate(precedence)})({','.join(map(str, values))})))"
    )
    assert run_in_node(script) == list(precedence(*values))


@needs_node
def test_descents_of_the_page_are_those_of_the_package(build):
    assert build.differences(module()) == []


@needs_node
@pytest.mark.parametrize(
    ("there", "instead", "found"),
    [
        (
            "self.beta1*memory[0][j]+(1-self.beta1)*g",
            "self.beta2*memory[0][j]+(1-self.beta2)*g",
            "adam ",
        ),
        ("G=memory[0][j]+g*g", "G=memory[0][j]+g", "adagrad "),
        ("w-(clipped>-step", "w+(clipped>-step", "gd on penalized"),
        ("n-1-drawn", "n-2-drawn", "gd on line"),
        ("pow(self.decay,k)", "pow(self.decay,k+1)", "gd on line"),
    ],
)
def test_a_changed_rule_is_found(build, there, instead, found):
    script = module()
    assert there in script
    assert any(found in text for text in build.differences(script.replace(there, instead)))


def test_most_trajectories_are_compared_for_all_steps(build):
    """The others amplify rounding: signs of vanishing gradients, and rules that bounce."""
    goldens = json.loads(build.goldens())
    whole = [spec for spec in goldens if spec["until"] == 200]
    assert len(whole) > 0.9 * len(goldens)
    assert min(spec["until"] for spec in goldens) >= 10
    assert {spec["rule"] for spec in goldens} == set(rules())
    assert {spec["surface"] for spec in goldens} == set(SURFACES)


@pytest.mark.parametrize("name", ["quadratic", "rosenbrock", "saddle", "waves"])
def test_the_gradient_of_a_surface_is_that_of_its_values(name):
    value, gradient = (getattr(surfaces, f"{name}_{kind}") for kind in ("value", "gradient"))
    x, y, k, h = 0.7, -0.4, 3.0, 1e-6
    slopes = [
        (value(x + h, y, k) - value(x - h, y, k)) / (2 * h),
        (value(x, y + h, k) - value(x, y - h, k)) / (2 * h) if name != "waves" else 0.0,
    ]
    np.testing.assert_allclose(gradient(x, y, k), slopes, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("theta", [(0.8, -0.6), (0.01, 1.5), (-2.0, 0.3)])
def test_the_gradient_of_the_network_is_that_of_its_loss(theta, normalized):
    X, y = (np.array(data()["network"][name]) for name in "Xy")
    rows = surfaces.Rows(None, None, X, y, np.arange(len(y)), 1, normalized)
    g, h = np.zeros(2), 1e-6
    surfaces.add_network_gradient(rows, 0, len(y), theta, g)
    moved = [[np.array(theta) + sign * h * np.eye(2)[j] for sign in (1, -1)] for j in range(2)]
    up, down = ([surfaces.network_value(rows, pair[k]) for pair in moved] for k in (0, 1))
    np.testing.assert_allclose(g, (np.array(up) - down) / (2 * h), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("look_ahead", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("h", [0.01, 0.5, 1.0, 1.9, 3.0])
def test_the_convergence_factor_is_the_largest_eigenvalue_of_a_step(h, beta, look_ahead):
    """The step maps (theta, velocity) on a quadratic of curvature one."""
    velocity = np.array([1.0, beta])  # v' = g + beta v, with g = theta
    step = h * (np.array([1.0, 0.0]) + beta * velocity if look_ahead else velocity)
    matrix = np.array([np.array([1.0, 0.0]) - step, velocity])
    expected = abs(np.linalg.eigvals(matrix)).max()
    found = surfaces.convergence_factor(h, beta, look_ahead)
    assert found == pytest.approx(expected, abs=1e-7)  # a double root is good to 1e-8


def test_the_page_asks_for_nothing():
    text = page()
    assert "default-src 'none'" in text
    assert not re.findall(r"https?:|@import|<link[^>]+href=(?!\"data:)|src=", text)


@needs_node
def test_the_page_of_the_site_is_small(build):
    if not build.MINIFIER.exists():
        pytest.skip("no terser here: npm ci --prefix doc/interactive")
    size, zipped = build.sizes(build.minified(page()))
    assert (size <= 60_000, zipped <= 20_000) == (True, True)


def test_all_words_are_in_two_languages():
    for key, words in WORDS.items():
        if not isinstance(words, str):
            assert len(words) == (4 if key.startswith("story.") else 2), key
            assert all(re.search("[가-힣]", text) for text in words[1::2] if text != "Adam"), key
            assert not any(re.search("[가-힣]", text) for text in words[::2]), key


def test_each_story_has_two_sentences():
    for story in STORIES:
        _, _, english, korean = WORDS[f"story.{story}"]
        assert len(re.findall(r"[.:](?: |$)", english)) >= 2, story
        assert len(re.findall(r"\.(?: |$)", korean)) == 2, story


def test_everything_that_can_be_chosen_has_a_name():
    names = [f"rule.{name}" for name in rules()] + [f"surface.{name}" for name in SURFACES]
    assert [name for name in names if name not in WORDS] == []


def test_the_mathematics_does_not_depend_on_the_order_of_building():
    assert core() == core()


def fits():
    """Return fitted models of two parameters with their data, by name."""
    gabor, line, two = (data()[name] for name in ("gabor", "line", "penalized"))
    path = {"max_iter": 40, "tol": None, "record_path": True, "random_state": 3}
    lasso = GDRegressor(
        penalty="l1",
        alpha=0.7,
        fit_intercept=False,
        optimizer=Adam(beta1=0.8),
        learning_rate=0.02,
        **path,
    )
    huber = GDRegressor("huber", penalty=None, center=False, optimizer="momentum", **path)
    wave = GDGaborRegressor(
        init=[-4.0, 12.0], optimizer="gd", learning_rate=2.0, batch_size=4, **path
    )
    models = {"lasso": (lasso, two), "huber": (huber, line), "gabor": (wave, gabor)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: (model.set_params(schedule="constant").fit(rows["X"], rows["y"]), rows)
            for name, (model, rows) in models.items()
        }


@pytest.fixture(scope="module")
def browser(build):
    from browser import Browser, chromium

    if chromium() is None:
        pytest.skip("no Chromium here")
    with Browser(chromium()) as browser:
        browser.resize(1280, 900)
        yield browser


@pytest.mark.parametrize("name", ["lasso", "huber", "gabor"])
def test_the_page_of_an_estimator_takes_its_path(browser, tmp_path, name):
    model, rows = fits()[name]
    file = tmp_path / "page.html"
    interactive(model, rows["X"], rows["y"]).save(file)
    browser.open(file.as_uri())
    assert browser.errors == []
    found = np.array(browser.evaluate("descent.scene().run.path"))
    expected = in_objective_order(model, model.path_)
    np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-9, atol=1e-12)
    assert len(found) == len(expected)
    batch = browser.evaluate("document.getElementById('batch').value")
    assert batch == str(model.batch_size or 0)


NOTEBOOK = """
import numpy as np
from skgd import GDRegressor
from skgd.displays import interactive

X, y = np.array([[0.0], [1.0], [3.0]]), np.array([-1.0, 1.0, 5.0])
descent = GDRegressor(
    optimizer="momentum", init=[1.0, 0.0], schedule="constant", max_iter=40, tol=None,
    penalty=None, center=False, record_path=True,
)
interactive(descent.fit(X, y), X, y)
"""


@pytest.mark.slow
def test_an_executed_notebook_shows_the_page_of_an_estimator(browser, tmp_path):
    pytest.importorskip("nbconvert")
    pytest.importorskip("ipykernel")
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": NOTEBOOK}
    cell |= {"execution_count": None, "outputs": []}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "play.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", "play.ipynb"]
    done = subprocess.run(convert, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    browser.open((tmp_path / "play.html").as_uri())
    inside = "document.querySelector('iframe').contentDocument.getElementById"
    assert browser.wait(f"{inside}('say').textContent.includes('40')")
    assert browser.evaluate(f"{inside}('share').hidden")  # a frame has no address to copy
    before = browser.evaluate(f"{inside}('say').textContent")
    browser.evaluate(f"{inside}('back').click()")
    assert browser.evaluate(f"{inside}('say').textContent") != before


def test_a_page_needs_two_parameters():
    X, y = np.eye(4)[:, :3], np.arange(4.0)
    model = GDRegressor(optimizer="gd", max_iter=3, tol=None, record_path=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    with pytest.raises(ValueError, match="two parameters; the model has 4"):
        interactive(model, X, y)


@pytest.mark.slow
@pytest.mark.parametrize("small", [False, True], ids=["as written", "minified"])
def test_the_page_answers_to_a_person_in_a_browser(build, browser, tmp_path, small):
    from interactive_check import page_faults

    place = tmp_path / build.NAME
    text = page()
    place.write_text(build.minified(text) if small else text, encoding="utf-8")
    assert [*page_faults(browser, place.as_uri(), None, build.goldens())] == []
