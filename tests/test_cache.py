"""Compiled loops on disk: they are found again, are never stale, and allocate nothing.

Every test starts its own processes, whose cache is a directory of the test.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skgd

pytestmark = pytest.mark.slow

PACKAGE = Path(skgd.__file__).parent
# One step of plain descent from zero on X = {0, 1, 3}, y = {-1, 1, 5} at rate 3 leads to the
# weight sum(x y) = 16, times whatever share of a step the rule takes.
FITTING = """
import json
from numba.core import event
from skgd import GDRegressor

def weight_and_hits(rule):
    model = GDRegressor(penalty=None, optimizer=rule, fit_intercept=False, learning_rate=3.0)
    model.set_params(max_iter=1, tol=None)
    with event.install_recorder("numba:compile") as compiled:
        weight = model.fit([[0.0], [1.0], [3.0]], [-1.0, 1.0, 5.0]).coef_[0]
    names = [found.data["dispatcher"].py_func.__qualname__ for _, found in compiled.buffer]
    update = [name for name in names if name.startswith(("update_full", type(rule).__name__))]
    return float(weight), 0 if update else 1

def show(answer):
    print(json.dumps(answer))
"""
RULE = """
from skgd.optimizers import Optimizer
{above}
class Share(Optimizer):
    __slots__ = ()

    def step(self, g, memory, j, shared):
        return g, {share}
"""
ONE_FIT = "from fitting import *; from rule import Share; show(weight_and_hits(Share()))"


class Place:
    """A directory with modules, and processes that run in it with their own cache."""

    def __init__(self, folder, package=PACKAGE):
        self.folder, self.cache = folder, folder / "cache"
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(package.parent), str(folder)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(self.cache),
            "NUMBA_DISABLE_JIT": "0",
        }
        self.write("fitting", FITTING)

    def write(self, module, text):
        path = self.folder / f"{module}.py"
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, program=ONE_FIT, **environment):
        """Return what a program, given as text or as a file, prints as json."""
        what = [str(program)] if isinstance(program, Path) else ["-c", program]
        done = subprocess.run(
            [sys.executable, *what],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def files(self, rule=""):
        """Return the files in the cache, of all compiled code or that of a rule."""
        return sorted(path for path in self.cache.rglob("*.*") if rule in path.name)


@pytest.fixture
def place(tmp_path):
    """Return a fresh directory to run processes in."""
    return Place(tmp_path)


def test_a_second_process_finds_the_loop_on_disk_whatever_the_parameters(place):
    rule = RULE.format(share="self.share", above="")
    place.write("rule", rule.replace("__slots__ = ()", "__slots__ = ()\n    share: float = 0.5"))
    assert place.run() == [8.0, 0]
    kept = place.files()
    assert len(place.files("Share")) == 1
    assert place.run(ONE_FIT.replace("Share()", "Share(0.25)")) == [4.0, 1]
    assert place.files() == kept


CHILD = "from parent import Parent\nclass Share(Parent):\n    __slots__ = ()\n"
PARENT = RULE.replace("class Share", "class Parent")
EDITS = {
    "its step": ({"rule": RULE.format(share="{}", above="")}, "rule"),
    "a constant beside it": ({"rule": RULE.format(share="C", above="C = {}")}, "rule"),
    "a constant of another module": (
        {"rule": RULE.format(share="C", above="from numbers_of_mine import C")},
        "numbers_of_mine",
    ),
    "its parent": ({"rule": CHILD, "parent": PARENT.format(share="{}", above="")}, "parent"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_gives_the_new_numbers(place, what):
    texts, edited = EDITS[what]
    for share, weight in [(0.5, 8.0), (0.25, 4.0)]:
        for module, text in ({edited: "C = {}\n"} | texts).items():
            place.write(module, text.format(share))
        assert place.run() == [weight, 0]


NOT_COMPILED = ["descent/growth.py", "estimators/regressor.py", "solvers/auto.py"]
COVERED = ["kernels/rows.py", "kernels/problem.py"]


def test_an_edit_of_the_package_recompiles_what_it_concerns_and_nothing_else(tmp_path):
    package = tmp_path / "library" / "skgd"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    place = Place(tmp_path, package)
    place.write("rule", RULE.format(share=0.5, above=""))
    assert place.run() == [8.0, 0]
    for name in NOT_COMPILED:
        with (package / name).open("a", encoding="utf-8") as file:
            file.write("\n\nEDITED = True\n")
        assert place.run() == [8.0, 1], name
    step = package / "descent" / "step.py"
    text = step.read_text(encoding="utf-8")
    step.write_text(text.replace("w - rate * s * d", "w - 2.0 * rate * s * d"), encoding="utf-8")
    assert place.run() == [16.0, 0]
    assert place.run() == [16.0, 1]
    for name in COVERED:
        with (package / name).open("a", encoding="utf-8") as file:
            file.write("\n\nEDITED = True\n")
        assert place.run() == [16.0, 0], name


def test_a_process_that_imported_the_old_source_does_not_store_its_code_as_the_new(place):
    place.write("rule", RULE.format(share=0.5, above=""))
    place.write("edited", RULE.format(share=0.25, above=""))
    edit = "import shutil; shutil.copy('edited.py', 'rule.py'); show"
    assert place.run(ONE_FIT.replace("show", edit))[0] == 8.0
    assert place.run()[0] == 4.0


def test_a_part_of_the_main_program_is_never_stale_nor_kept(place):
    show = "\nfrom fitting import *\nshow(weight_and_hits(Share()))\n"
    for share, weight in [(0.5, 8.0), (0.25, 4.0)]:
        program = place.write("main", RULE.format(share=share, above="") + show)
        assert place.run(program) == [weight, 0]
    assert place.files("Share") == place.files("update.update") == []


def test_a_class_may_be_redefined_in_one_session(place):
    keep = "\nfrom fitting import *\nbefore = weight_and_hits(Share())\n"
    show = "\nshow([before, weight_and_hits(Share())])\n"
    cells = RULE.format(share=0.5, above="") + keep + RULE.format(share=0.25, above="") + show
    assert place.run(cells) == [[8.0, 0], [4.0, 0]]


def test_classes_made_in_a_function_keep_their_own_numbers_and_leave_nothing_behind(place):
    made = RULE.format(share="share", above="").strip().replace("\n", "\n    ")
    place.write("rule", f"def make(share):\n    {made}\n    return Share()\n")
    program = "show([weight_and_hits(make(share))[0] for share in (0.5, 0.25)])"
    program = f"from fitting import *; from rule import make; {program}"
    assert place.run(program) == [8.0, 4.0]
    kept = place.files()
    assert place.run(program) == [8.0, 4.0]
    assert place.files() == kept


PARALLEL = """
from joblib import Parallel, delayed
from fitting import *
import rule

if __name__ == "__main__":
    rules = [rule.Share(), rule.Share(), Share()]
    jobs = [delayed(weight_and_hits)(rule) for rule in rules]
    show(Parallel(n_jobs=2, backend="loky")(jobs))
"""


def test_workers_share_the_loops_on_disk_and_find_parts_of_the_main_program(place):
    place.write("rule", RULE.format(share=0.5, above=""))
    program = place.write("main", RULE.format(share=0.25, above="") + PARALLEL)
    assert [weight for weight, _ in place.run(program)] == [8.0, 8.0, 4.0]
    kept = place.files()
    assert len(place.files("Share")) == 1
    assert place.run(program) == [[8.0, 1], [8.0, 1], [4.0, 0]]
    assert place.files() == kept


BLOCKED = """
import tempfile
from skgd.kernels import cache
tempfile.tempdir = {folder!r}
"""


def blocked_place(tmp_path):
    """Return a place whose package and homes cannot be written to."""
    package, blocked = tmp_path / "library" / "skgd", tmp_path / "file"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    blocked.touch()  # no directory can be made of a file, whoever asks
    for init in package.rglob("__init__.py"):
        init.with_name("__pycache__").touch()
    place = Place(tmp_path, package)
    place.write("rule", RULE.format(share=0.5, above=""))
    names = ["HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"]
    place.environment |= dict.fromkeys(names, str(blocked / "cache"))
    return place


def test_without_a_writable_directory_code_is_kept_in_a_temporary_one_which_is_said_once(tmp_path):
    place = blocked_place(tmp_path)
    (tmp_path / "temporary").mkdir()
    heard = "import logging; heard = []; logging.getLogger('skgd').addFilter(heard.append); "
    answer = "[weight_and_hits(Share()), len(heard)]"
    fit = ONE_FIT.replace("weight_and_hits(Share())", answer)
    program = heard + BLOCKED.format(folder=str(tmp_path / "temporary")) + fit
    assert place.run(program) == [[8.0, 0], 1]
    assert place.run(program) == [[8.0, 1], 0]
    (folder,) = (tmp_path / "temporary").iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.rglob("*Share*.nbc"))


def test_fits_work_without_any_writable_directory(tmp_path):
    place = blocked_place(tmp_path)
    program = BLOCKED.format(folder=str(tmp_path / "file")) + ONE_FIT
    assert place.run(program) == [8.0, 0]
    assert list(tmp_path.rglob("*.nb?")) == []


def test_a_temporary_directory_that_others_can_write_to_is_not_used(tmp_path):
    place = blocked_place(tmp_path)
    (tmp_path / f"skgd-{os.getuid()}").mkdir()
    (tmp_path / f"skgd-{os.getuid()}").chmod(0o777)
    program = BLOCKED.format(folder=str(tmp_path)) + ONE_FIT
    assert place.run(program) == [8.0, 0]
    assert list(tmp_path.rglob("*.nb?")) == []


def test_a_full_cache_is_read_where_nothing_can_be_written(place):
    place.write("rule", RULE.format(share=0.5, above=""))
    assert place.run() == [8.0, 0]
    kept = place.files()
    locked = "from skgd.kernels import cache; cache.is_writable = lambda folder: False; "
    assert place.run(locked + ONE_FIT) == [8.0, 1]
    assert place.files() == kept


# Each damage is done to the one file that a tiny function has left, and asked of a dispatcher that
# knows nothing of it: the answer, whether it came from the disk, and the same once more.
DAMAGES = """
import errno
import json
import os
from pathlib import Path
from types import FunctionType

from skgd.kernels.compiling import compile_cached

FOLDER = Path(os.environ["NUMBA_CACHE_DIR"])

def double(x):
    return 2.0 * x

def ask():
    function = FunctionType(double.__code__, globals(), "double")
    compiled = compile_cached(function, (), "damage")
    return [compiled(21.0), sum(compiled.stats.cache_hits.values())]

def flipped(content, k):
    return content[:k] + bytes([content[k] ^ 255]) + content[k + 1 :]

answers = {"fresh": [ask(), ask()]}
(path,) = FOLDER.rglob("*.nbc")
sound = path.read_bytes()
n = len(sound)
damages = {f"cut to {k}": sound[:k] for k in (0, 1, 31, 32, 33, 100, n // 2, n - 1)}
damages |= {f"flipped {k}": flipped(sound, k) for k in (0, 31, 32, 40, n // 3, n // 2, n - 1)}
damages |= {"longer": sound + b"0", "zeros": bytes(n), "random": os.urandom(n), "text": b"{}" * n}
for name, content in damages.items():
    path.write_bytes(content)
    answers[name] = [ask(), ask()]
path.unlink()
path.mkdir()
answers["folder"] = [ask(), ask()]
path.rmdir()

def full(self, content):
    with open(self, "wb") as file:
        file.write(content[: len(content) // 2])
    raise OSError(errno.ENOSPC, "No space left on device")

kept, Path.write_bytes = Path.write_bytes, full
answers["full"] = [ask(), ask()]
Path.write_bytes = kept
answers["litter"] = [path.name for path in FOLDER.rglob("*.*")]
answers["room again"] = [ask(), ask()]
print(json.dumps(answers))
"""


def test_a_damaged_file_is_compiled_again_and_replaced(place):
    answers = place.run(place.write("damages", DAMAGES))
    assert answers.pop("litter") == []
    for name in ("folder", "full"):
        assert answers.pop(name) == [[42.0, 0], [42.0, 0]]
    assert len(answers) > 20
    assert {name for name, found in answers.items() if found != [[42.0, 0], [42.0, 1]]} == set()


def test_a_fit_after_damage_is_right_and_replaces_the_file(place):
    place.write("rule", RULE.format(share=0.5, above=""))
    assert place.run() == [8.0, 0]
    for path in place.files():
        path.write_bytes(path.read_bytes()[:-1000])
    assert place.run() == [8.0, 0]
    assert place.run() == [8.0, 1]


GREEDY = """
import numba
import numpy as np
from fitting import *
from numba.core.errors import NumbaError
from skgd.optimizers import Optimizer

class Array(Optimizer):
    __slots__ = ()

    def step(self, g, memory, j, shared):
        return g, np.ones(1)[0]

class List(Optimizer):
    __slots__ = ()

    def step(self, g, memory, j, shared):
        return g, [1.0][0]

class Temporary(Optimizer):
    __slots__ = ()
    n_memory = 1

    def step(self, g, memory, j, shared):
        return g, 1.0 + (2.0 * memory[0])[j]

def refused(rule):
    assert numba.njit(type(rule).step)(rule, 1.0, np.zeros((1, 1)), 0, 0.0) == (1.0, 1.0)
    try:
        weight_and_hits(rule)
    except NumbaError:
        return True

show([refused(Array()), refused(List()), refused(Temporary())])
"""


def test_a_part_that_allocates_is_refused_though_numba_could_compile_it(place):
    assert place.run(GREEDY) == [True, True, True]


ALLOCATIONS = """
import json
import numba
import numpy as np
from numba.core.runtime import rtsys
from scipy import sparse
from skgd import GDRegressor

def counted(function):
    function(), function()
    before = rtsys.get_allocation_stats()
    function()
    return sum(rtsys.get_allocation_stats()) - sum(before)

X = np.random.default_rng(0).standard_normal((20, 3))
models = [
    (GDRegressor(optimizer="gd", learning_rate=0.01, max_iter=9, tol=None, batch_size=size), rows)
    for size, rows in [(None, X), (4, X), (1, X), (4, sparse.csr_matrix(X))]
]
found = [counted(lambda: model.fit(rows, X[:, 0])) for model, rows in models]
found.append(counted(lambda: models[0][0].objective(X, X[:, 0]).value(np.ones(4))))
print(json.dumps([counted(numba.njit(lambda: np.ones(3)[0])), *found]))
"""


def test_compiled_loops_allocate_nothing(place):
    elsewhere, *ours = place.run(ALLOCATIONS, NUMBA_NRT_STATS="1")
    assert elsewhere > 0
    assert ours == [0] * 5
