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

PARTS = {
    *("skgd.activations", "skgd.losses", "skgd.models", "skgd.optimizers"),
    *("skgd.penalties", "skgd.schedules"),
}
FLOORS = {  # from below; a package may import itself, and what stands beside it
    "skgd.part": {"collections", "inspect", "math", "numbers", "operator", "types", "typing"},
    "skgd.table": set(),
    "skgd.elementary": {"math"},
    **{part: {"math", "numpy", "typing", "skgd.part", "skgd.elementary"} for part in PARTS},
    "skgd.kernels": {"numpy", "scipy"},
    "skgd.kernels.column_products": {"numpy", "scipy", "skgd.kernels", "skgd.engines"},
    "skgd.kernels.sums": {"numpy", "scipy", "skgd.kernels", "skgd.engines"},
    "skgd.kernels.moments": {"numpy", "scipy", "skgd.kernels", "skgd.engines"},
    "skgd.kernels.compiling": {"numba", "numpy", "skgd.kernels"},
    "skgd.kernels.inlining": {"numba"},
    "skgd.kernels.blocks": {"numpy", "skgd.part"},
    "skgd.kernels.products": set(),
    "skgd.kernels.lowering_registers": {"numba", "llvmlite"},
    "skgd.kernels.lowering_elementary": {"numba", "llvmlite", "skgd.elementary"},
    "skgd.kernels.lowering_products": {"numba", "llvmlite", "skgd.kernels"},
    "skgd.kernels.lowering_rows": {"numba", "llvmlite", "skgd.kernels"},
    "skgd.kernels.lowering": {"numba", "llvmlite", "numpy", "skgd.kernels", "skgd.part"},
    "skgd.engines": {"numpy", "joblib", "threadpoolctl", "skgd.kernels"},
    "skgd.engines.dask_": {"dask", "distributed", "skgd.engines"},
    "skgd.objective": {"numpy", "scipy", "skgd.kernels", "skgd.engines"},
    "skgd.pieces": {"numpy", "scipy", "skgd.engines", "skgd.objective"},
    "skgd.pieces.parquet": {"numpy", "pyarrow", "skgd.engines", "skgd.pieces"},
    "skgd.pieces.dask_": {"dask", "numpy", "scipy", "skgd.engines", "skgd.pieces"},
    "skgd.multistart": {"numpy", "scipy", "skgd.kernels", "skgd.table"},
    "skgd.descent": {"numpy", "pandas", "skgd.kernels", "skgd.objective"},
    "skgd.solvers": {
        *("numpy", "scipy", "skgd.kernels", "skgd.objective"),
        *("skgd.descent.minimizer", "skgd.descent.record", "skgd.descent.outcome"),
    },
    "skgd.estimators": {
        *("numpy", "scipy", "sklearn", "joblib", *PARTS, "skgd.part"),
        *("skgd.kernels", "skgd.objective", "skgd.multistart", "skgd.descent", "skgd.solvers"),
        "skgd.pieces",
    },
    "skgd.estimators.scores": {
        "numpy",
        "sklearn",
        "skgd.engines",
        "skgd.estimators",
        "skgd.pieces",
    },
    "skgd.search": {
        *("numpy", "scipy", "sklearn", "joblib", "rich", *PARTS, "skgd.part"),
        *("skgd.kernels", "skgd.objective", "skgd.descent", "skgd.solvers", "skgd.estimators"),
        "skgd.pieces",
    },
    "skgd.reference": {
        *("numpy", "scipy", "sklearn.base", "skgd.table", "skgd.objective", "skgd.estimators"),
    },
    "skgd.datasets": {"numpy", "sklearn", "skgd.kernels", "skgd.models", "skgd.estimators"},
    "skgd.displays": {
        *("PIL", "matplotlib", "mpl_toolkits", "numpy", "scipy", "sklearn"),
        *("skgd.estimators", "skgd.part", "skgd.reference", "skgd.search", *PARTS),
    },
    "skgd.displays.page": {
        *("numpy", *PARTS, "skgd.elementary", "skgd.kernels", "skgd.descent", "skgd.datasets"),
    },
    "skgd.testing": {"numpy", *PARTS, "skgd.part", "skgd.kernels"},
    "skgd": {"skgd.estimators", "skgd.search"},
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
    assert "skgd.kernels.rows" in imports("skgd.kernels.lowering")
    assert "skgd.optimizers" in imports("skgd.estimators.estimator")
    assert not is_allowed("skgd.losses", "skgd.penalties")
    assert not is_allowed("skgd.optimizers.classical", "numba")
    assert not is_allowed("skgd.descent.loop", "numba.core.types")
    assert not is_allowed("skgd.objective.objective", "skgd.part")


def test_numba_is_imported_by_what_compiles_and_by_nothing_else():
    users = {m for m in FILES if {"numba", "llvmlite"} & {n.split(".")[0] for n in imports(m)}}
    kinds = "", "_elementary", "_products", "_registers", "_rows"
    lowerings = {f"skgd.kernels.lowering{kind}" for kind in kinds}
    assert users == {"skgd.kernels.compiling", "skgd.kernels.inlining", *lowerings}


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


def tree_of(module):
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def test_no_import_leads_back_to_where_it_came_from():
    """Follow imports at the top of files; those within functions wait until they are called."""
    ends, open_ones = set(), []

    def follow(module):
        assert module not in open_ones, f"a circle: {[*open_ones, module]}"
        if module not in ends:
            open_ones.append(module)
            for name in imports(module, inside_functions=False):
                if name in FILES and name != module:
                    follow(name)
            ends.add(open_ones.pop())

    for module in FILES:
        follow(module)
    assert ends == set(FILES)


# Underscore names that are a protocol: of named tuples, parts and scikit-learn's estimators.
PROTOCOLS = {
    *("_asdict", "_fields", "_replace", "_values"),
    *("_get_param_names", "_parameter_constraints"),
    *("_cache_path", "_impl"),  # numba's, of the cache that is subclassed
    *("_compiler_pipeline", "_do_work", "_getvalue"),  # numba's, of its inlining and its arrays
    "_getframe",  # of sys
}


OF_SCIKIT_LEARN = {
    *("estimator._init_callback_context", "search._init_callback_context"),
    *("search._get_scorers", "search._get_routed_params_for_fit"),
    *("search._format_results", "search._select_best_index"),
    *("search._check_refit_for_multimetric", "scorer._scorers", "scorer._response_method"),
    *("scorer._score_func", "scorer._sign", "scorer._kwargs"),
}


def names_of_its_own(tree):
    """Return the names that a file defines, as functions, classes, variables or attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


@pytest.mark.parametrize("module", FILES)
def test_no_file_uses_an_underscore_name_of_another(module):
    tree, used = tree_of(module), []
    own = {*names_of_its_own(tree), *PROTOCOLS}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and is_inside(node.module or "", "skgd"):
            used += [a.name for a in node.names if a.name.startswith("_")]
        elif isinstance(node, ast.Attribute) and node.attr[0] == "_" and node.attr[:2] != "__":
            used += [] if node.attr in own else [ast.unparse(node)]
    allowed = OF_SCIKIT_LEARN if module == "skgd.estimators._sklearn" else set()
    assert set(used) == allowed


def test_no_file_is_longer_than_an_idea():
    lengths = {m: len(f.read_text(encoding="utf-8").splitlines()) for m, f in FILES.items()}
    assert {m for m, length in lengths.items() if length > 300} == set()


def functions():
    """Return every function by its dotted name."""
    for module in FILES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef):
                yield f"{module}.{node.name}", node


def is_public(name):
    return not any(part.startswith("_") and part != "__init__" for part in name.split("."))


def test_no_function_is_longer_than_a_screen():
    """Count the lines of code, those of the docstring apart."""
    found = {}
    for name, node in functions():
        docstring = ast.get_docstring(node, clean=False)
        length = node.end_lineno - node.lineno + 1
        found[name] = length - (len(docstring.splitlines()) if docstring else 0)
    assert {name for name, length in found.items() if length > 60} == set()


def test_no_function_has_more_than_eight_parameters():
    """Keyword-only parameters of what is public do not count: each has a name and a default."""
    found = {}
    for name, node in functions():
        a = node.args
        count = len(a.posonlyargs) + len(a.args) + bool(a.vararg) + bool(a.kwarg)
        count -= bool(a.args and a.args[0].arg in ("self", "cls"))
        found[name] = count + (0 if is_public(name) else len(a.kwonlyargs))
    assert {name for name, count in found.items() if count > 8} == set()


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
