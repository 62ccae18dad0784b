"""Which file may import which: the layers of the package, checked in its sources.

A file may import the standard library (the parts only `math`), files of its own package, and the
entries for its name in `FLOORS`. A new file needs an entry there.
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

PARTS = {"skgd.losses", "skgd.models", "skgd.optimizers", "skgd.penalties", "skgd.schedules"}
FLOORS = {  # from below; a package may import itself, and what stands beside it
    "skgd.part": {"collections", "inspect", "math", "numbers", "operator", "types", "typing"},
    "skgd.table": set(),
    **{part: {"math", "numpy", "typing", "skgd.part"} for part in PARTS},
    "skgd.kernels": {"numpy", "scipy"},
    "skgd.kernels.compiling": {"numba", "llvmlite", "numpy", "skgd.kernels", "skgd.part"},
    "skgd.objective": {"numpy", "scipy", "skgd.kernels"},
    "skgd.multistart": {"numpy", "scipy", "skgd.kernels", "skgd.table"},
    "skgd.descent": {"numpy", "pandas", "skgd.kernels", "skgd.objective"},
    "skgd.solvers": {
        *("numpy", "scipy", "skgd.kernels", "skgd.objective"),
        *("skgd.descent.minimizer", "skgd.descent.record", "skgd.descent.outcome"),
    },
    "skgd.estimators": {
        *("numpy", "scipy", "sklearn", "joblib", *PARTS, "skgd.part"),
        *("skgd.kernels", "skgd.objective", "skgd.multistart", "skgd.descent", "skgd.solvers"),
    },
    "skgd.reference": {
        *("numpy", "scipy", "sklearn.base", "skgd.table", "skgd.objective", "skgd.estimators"),
    },
    "skgd.datasets": {"numpy", "sklearn", "skgd.kernels", "skgd.models", "skgd.estimators"},
    "skgd.displays": {
        *("PIL", "matplotlib", "mpl_toolkits", "numpy", "scipy", "sklearn"),
        *("skgd.estimators", "skgd.part", "skgd.reference", "skgd.schedules"),
    },
    "skgd.testing": {"numpy", *PARTS, "skgd.part", "skgd.kernels"},
    "skgd": {"skgd.estimators"},
}


def is_inside(name, package):
    """Whether a module is the package or lies in it."""
    return name == package or name.startswith(package + ".")


def row_of(module):
    """Return the row of `FLOORS` that a module stands in: its own, or that of its package."""
    rows = [row for row in FLOORS if is_inside(module, row) and (row != "skgd" or module == row)]
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
    return free or own or any(is_inside(name, package) for package in FLOORS[row])


@pytest.mark.parametrize("module", FILES)
def test_a_file_imports_only_from_floors_below(module):
    assert row_of(module) is not None, f"{module} stands on no floor: put it into FLOORS"
    assert [name for name in imports(module) if not is_allowed(module, name)] == []


def test_every_row_of_the_table_names_a_file():
    assert set(FLOORS) <= set(FILES)


def test_the_walk_finds_imports_everywhere_in_a_file():
    found = imports("skgd.estimators._sklearn")
    assert "sklearn.base._fit_context" in found
    assert "skgd.kernels.rows" in imports("skgd.kernels.compiling")
    assert "skgd.optimizers" in imports("skgd.estimators.estimator")
    assert not is_allowed("skgd.losses", "skgd.penalties")
    assert not is_allowed("skgd.optimizers.classical", "numba")
    assert not is_allowed("skgd.descent.loop", "numba.core.types")
    assert not is_allowed("skgd.objective.objective", "skgd.part")


def test_one_file_imports_numba():
    users = [m for m in FILES if {"numba", "llvmlite"} & {n.split(".")[0] for n in imports(m)}]
    assert users == ["skgd.kernels.compiling"]


def test_only_one_file_uses_names_that_scikit_learn_does_not_promise():
    private = {
        module: [name for name in imports(module) if name.startswith("sklearn.") and "._" in name]
        for module in FILES
    }
    assert {module for module, names in private.items() if names} == {"skgd.estimators._sklearn"}


@pytest.mark.parametrize("module", FILES)
def test_matplotlib_is_imported_only_when_something_is_drawn(module):
    drawn_with = {"PIL", "matplotlib", "mpl_toolkits"}
    anywhere = {name.split(".")[0] for name in imports(module)}
    at_once = {name.split(".")[0] for name in imports(module, inside_functions=False)}
    assert not drawn_with & at_once
    assert is_inside(module, "skgd.displays") or not drawn_with & anywhere


@pytest.mark.parametrize("module", FILES)
def test_no_file_is_longer_than_an_idea(module):
    assert len(FILES[module].read_text(encoding="utf-8").splitlines()) <= 430


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
