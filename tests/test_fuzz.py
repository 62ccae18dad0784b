"""No input of a user crashes the process: a fuzz test of the arrays that compiled code reads.

Each group of cases runs in its own process, whose last line names the case of a crash.
"""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fuzz import GROUPS
from scipy import sparse

from skgd import GDRegressor
from skgd.estimators.validation import canonical, checked_matrix

FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_every_case_is_right_or_refused_and_none_ends_the_process(group):
    done = subprocess.run(
        [sys.executable, str(FUZZ), group, "0"], capture_output=True, text=True, timeout=600
    )
    lines = done.stdout.splitlines() or ["nothing"]
    failures = [pair for pair in pairwise(lines) if pair[1].startswith("  FAILED")]
    assert failures == []
    assert done.returncode == 0, f"died in {lines[-1]!r}: {done.stderr[-2000:]}"


def test_sound_rows_keep_their_arrays():
    X = sparse.random(50, 20, 0.2, format="csr", random_state=0)
    for kind in (np.int32, np.int64):
        X.indices, X.indptr = X.indices.astype(kind), X.indptr.astype(kind)
        assert checked_matrix(X) is X
        assert canonical(checked_matrix(X)).indices is X.indices
        assert canonical(checked_matrix(X)).data is X.data


def test_short_indices_beside_long_pointers_are_kept():
    X = sparse.random(50, 20, 0.2, format="csr", random_state=0)
    X.indptr = X.indptr.astype(np.int64)
    found = checked_matrix(X)
    assert found.indices is X.indices
    assert found.indptr.dtype == np.int32


@pytest.mark.parametrize(
    ("array", "place", "value", "message"),
    [
        ("indices", 0, -1, r"indices run from -1 to \d+, and should lie in \[0, 4\)"),
        ("indices", 3, 2**30, "indices run from 0 to 1073741824"),
        ("indptr", 0, 1, "its indptr must have 6 entries that rise from 0 to at most"),
        ("indptr", 2, 100, "its indptr must have 6 entries that rise from 0 to at most"),
        ("indptr", -1, 2**30, "its indptr must have 6 entries that rise from 0 to at most"),
    ],
)
def test_damaged_rows_are_refused_with_a_message(array, place, value, message):
    X = sparse.csr_array(np.arange(20.0).reshape(5, 4) + 1.0)
    getattr(X, array)[place] = value
    with pytest.raises(ValueError, match=f"The sparse matrix X is damaged: .*{message}"):
        GDRegressor().fit(X, np.arange(5.0))


def test_masked_entries_are_refused():
    X = np.ma.masked_array(np.ones((5, 2)), mask=np.eye(5, 2))
    with pytest.raises(ValueError, match="X has masked entries"):
        GDRegressor().fit(X, np.arange(5.0))
