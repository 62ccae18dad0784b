"""Compiled code on disk, which is checked before it is used.

A file that is truncated, empty or damaged would otherwise end every later fit, in an error of
pickle's or in LLVM. Here each file begins with a digest of all that follows and of what it is
for; whatever does not fit is compiled anew and written over. Nothing about a disk is an error.
"""

import hashlib
import os
import pickle
import uuid
from contextlib import suppress
from pathlib import Path

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

DIGEST = hashlib.sha256().digest_size


class CheckedCache(FunctionCache):
    """numba's cache of one function, with a file of its own for each combination of types.

    The names of the files tell the types apart, so that processes which write at the same time
    need no index in common, and every file is put in its place in one piece.

    Raises
    ------
    RuntimeError
        Where no directory can be written to.
    """

    def __init__(self, function):
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFiles(Path(self._cache_path), self._impl.filename_base, stamp)

    def load_overload(self, sig, target_context):
        """Return what was compiled for some types, or None."""
        with suppress(Exception):
            return super().load_overload(sig, target_context)

    def save_overload(self, sig, data):
        """Keep what was compiled for some types, if it can be kept."""
        with suppress(Exception):
            super().save_overload(sig, data)


class _CheckedFiles:
    """The files of one function: what numba's cache calls ``load``, ``save`` and ``flush`` of."""

    def __init__(self, folder, base, stamp):
        self.folder, self.base, self.stamp = folder, base, stamp

    def load(self, key):
        """Return what was saved under a key; None where there is nothing that is sound."""
        content = self._path(key).read_bytes()
        digest, payload = content[:DIGEST], content[DIGEST:]
        if digest != self._digest(payload):
            return None
        kept, data = pickle.loads(payload)
        return data if kept == key else None

    def save(self, key, data):
        """Write a file, in one piece."""
        path, payload = self._path(key), dumps((key, data))
        written = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
        try:
            written.write_bytes(self._digest(payload) + payload)
            os.replace(written, path)
        finally:
            written.unlink(missing_ok=True)

    def flush(self):
        """Forget everything: there is no index, and files are written over."""

    def _path(self, key):
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return self.folder / f"{self.base}.{name}.nbc"

    def _digest(self, payload):
        origin = repr((numba.__version__, self.stamp)).encode()
        return hashlib.sha256(origin + payload).digest()
