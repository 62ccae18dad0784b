"""Who may import whom: the floors of the package, read off its sources.

A file may import the standard library (the parts: `math` alone), files of its own package,
and what stands beside its name in `ALLOWED`. A file that is added must be put there.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skgd

ROOT = Path(skgd.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

A_PART = {"math", "numpy", "skgd.part"}
PARTS = {"skgd.losses", "skgd.models", "skgd.optimizers", "skgd.penalties", "skgd.schedules"}
ESTIMATORS_USE = {
    *("skgd._sklearn", "skgd.arrays", "skgd.part", "skgd.descent", "skgd.matrix", *PARTS),
    *("skgd.constant", "skgd.objective", "skgd.screening", "skgd.seen", "skgd.speaking"),
    *("skgd.stationary", "skgd.storing", "skgd.texts", "skgd.verdict", "skgd.watching"),
}
ALLOWED = {
    # beneath all
    "skgd.part": {"collections", "inspect", "math", "numbers", "operator"},
    # floor 0: numbers in, numbers out; never each other
    **dict.fromkeys(PARTS, A_PART),
    # floor 1: parts are arguments
    "skgd.descent": {"numpy", "scipy", "skgd.least_squares"},
    "skgd.descent.compiled": {"numba", "numpy", "llvmlite", "skgd.descent", "skgd.part"},
    "skgd.descent.cache": {"numba"},
    "skgd.descent.history": {"numpy", "pandas", "skgd.descent"},
    "skgd.matrix": {"numpy", "scipy"},
    "skgd.least_squares": {"numpy", "scipy"},
    "skgd.duality": {"numpy", "scipy", "skgd.least_squares"},
    "skgd.second_order": {"numpy", "scipy", "skgd.descent"},
    "skgd.objective": {
        *("numpy", "scipy", "skgd.descent", "skgd.duality", "skgd.matrix", "skgd.second_order"),
    },
    "skgd.constant": {"numpy", "scipy", "skgd.models", "skgd.objective", "skgd.penalties"},
    # floor 2
    "skgd.arrays": {"numpy", "scipy", "sklearn"},
    "skgd.table": set(),
    "skgd.reference": {
        *("numpy", "scipy", "sklearn.base"),
        *("skgd._sklearn", "skgd.arrays", "skgd.objective", "skgd.table"),
    },
    "skgd.stationary": {"numpy", "scipy", "skgd.objective", "skgd.table"},
    "skgd.screening": {"numpy", "scipy", "skgd.arrays", "skgd.descent", "skgd.objective"},
    # floor 3
    "skgd._sklearn": {"numpy", "sklearn", "skgd.part"},
    "skgd.datasets": {
        *("numpy", "sklearn", "skgd._sklearn", "skgd.arrays", "skgd.descent", "skgd.models"),
    },
    "skgd.seen": {"numpy"},
    "skgd.storing": {"numpy", "skgd.descent", "skgd.seen", "skgd.stationary"},
    "skgd.synonyms": {"skgd.part"},
    "skgd.naming": {"sklearn.base", "skgd._sklearn", "skgd.part", "skgd.synonyms", *PARTS},
    "skgd.texts": PARTS,
    "skgd.speaking": {"joblib", "sklearn", "skgd._sklearn"},
    "skgd.verdict": {"numpy", "skgd.descent", "skgd.speaking"},
    "skgd.watching": {"numpy", "sklearn", "skgd._sklearn", "skgd.descent"},
    "skgd.estimator": {"numpy", "scipy", "sklearn", "skgd.naming", *ESTIMATORS_USE},
    "skgd.targets": {"numpy", "sklearn", "skgd.estimator", *ESTIMATORS_USE},
    "skgd.starts": {"numpy", "sklearn", "skgd.estimator", *ESTIMATORS_USE},
    "skgd.linear": {"numpy", "scipy", "sklearn", "skgd.targets", *ESTIMATORS_USE},
    "skgd.gabor": {"numpy", "sklearn", "skgd.starts", *ESTIMATORS_USE},
    "skgd.paths": {"numpy", "sklearn", "skgd.linear", "skgd.naming", *ESTIMATORS_USE},
    # floor 4: the public surface of what lies below
    "skgd.displays": {
        *("PIL", "matplotlib", "mpl_toolkits", "numpy", "scipy", "sklearn"),
        *("skgd._sklearn", "skgd.arrays", "skgd.estimator", "skgd.gabor", "skgd.linear"),
        *("skgd.part", "skgd.reference", "skgd.schedules"),
    },
    # the way in
    "skgd": {"skgd.linear", "skgd.gabor", "skgd.paths"},
}


def is_inside(name, package):
    """Whether a module is the package or lies in it."""
    return name == package or name.startswith(package + ".")


def row_of(module):
    """Return the row of `ALLOWED` that a module stands in: its own, or that of its package."""
    rows = [row for row in ALLOWED if is_inside(module, row) and (row != "skgd" or module == row)]
    return max(rows, key=len, default=None)


def imported(node):
    """Return what an import statement imports: files of skgd, or dotted names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    origin = "." * node.level + (node.module or "")
    names = [f"{origin}.{alias.name}" for alias in node.names]
    if not is_inside(origin, "skgd"):
        return names
    return [name if name in FILES else origin for name in names]


def imports(module, inside_functions=True):
    """Return everything that a file imports, also in branches and, if asked for, functions."""
    found, nodes = [], [ast.parse(FILES[module].read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += imported(node)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        nodes += ast.iter_child_nodes(node) if inside_functions or not function else ()
    return found


def is_allowed(module, name):
    row = row_of(module)
    standard = name.partition(".")[0] in sys.stdlib_module_names
    free = standard and row not in {"skgd.part", *PARTS}
    own = row != "skgd" and is_inside(name, row)
    return free or own or any(is_inside(name, package) for package in ALLOWED[row])


@pytest.mark.parametrize("module", FILES)
def test_a_file_imports_only_from_floors_below(module):
    assert row_of(module) is not None, f"{module} stands on no floor: put it into ALLOWED"
    assert [name for name in imports(module) if not is_allowed(module, name)] == []


def test_every_row_of_the_table_speaks_of_a_file():
    assert set(ALLOWED) <= set(FILES)


def test_the_walk_sees_imports_wherever_they_stand():
    found = imports("skgd._sklearn")
    assert "sklearn.base._fit_context" in found
    assert "skgd.descent.rows" in imports("skgd.descent.compiled")
    assert "skgd.optimizers" in imports("skgd.estimator")
    assert not is_allowed("skgd.losses", "skgd.penalties")
    assert not is_allowed("skgd.optimizers.classical", "numba")
    assert not is_allowed("skgd.descent.loop", "numba.core.types")
    assert not is_allowed("skgd.objective", "skgd.part")


def test_only_what_compiles_and_keeps_the_result_imports_numba():
    users = [m for m in FILES if {"numba", "llvmlite"} & {n.split(".")[0] for n in imports(m)}]
    assert users == ["skgd.descent.cache", "skgd.descent.compiled"]


def test_only_one_file_uses_names_that_scikit_learn_does_not_promise():
    private = {
        module: [name for name in imports(module) if name.startswith("sklearn.") and "._" in name]
        for module in FILES
    }
    assert {module for module, names in private.items() if names} == {"skgd._sklearn"}


@pytest.mark.parametrize("module", FILES)
def test_matplotlib_waits_until_something_is_drawn(module):
    drawn_with = {"PIL", "matplotlib", "mpl_toolkits"}
    anywhere = {name.split(".")[0] for name in imports(module)}
    at_once = {name.split(".")[0] for name in imports(module, inside_functions=False)}
    assert not drawn_with & at_once
    assert is_inside(module, "skgd.displays") or not drawn_with & anywhere


@pytest.mark.parametrize("module", FILES)
def test_no_file_is_longer_than_an_idea(module):
    assert len(FILES[module].read_text(encoding="utf-8").splitlines()) <= 400


def test_importing_skgd_imports_nothing_that_only_some_need():
    heavy = {"matplotlib", "pandas", "polars", "pytest", "torch"}
    program = (
        "import sys, sklearn.base; theirs = set(sys.modules); import skgd; "
        f"print(*sorted({heavy} & (set(sys.modules) - theirs)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT.parent, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
