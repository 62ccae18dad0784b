"""Compiled code on disk, with a checksum.

Without it a truncated, empty or damaged file would break every later fit, with an error in pickle
or LLVM. Here each file starts with a digest of its content and its purpose. If the digest does
not match, the code is compiled again and the file is replaced. Disk errors are ignored.
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
    """numba's cache of one function, with one file for each combination of types.

    The types determine the name of the file, so processes that write at the same time need no
    common index. Files are replaced atomically.

    Raises
    ------
    RuntimeError
        If no directory is writable.
    """

    def __init__(self, function):
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CheckedFiles(Path(self._cache_path), self._impl.filename_base, stamp)

    def load_overload(self, sig, target_context):
        """Return the compiled code for some types, or None."""
        with suppress(Exception):
            return super().load_overload(sig, target_context)

    def save_overload(self, sig, data):
        """Store the compiled code for some types, if possible."""
        with suppress(Exception):
            super().save_overload(sig, data)


class _CheckedFiles:
    """The files of one function, with the methods that numba's cache calls."""

    def __init__(self, folder, base, stamp):
        self.folder, self.base, self.stamp = folder, base, stamp

    def load(self, key):
        """Return the data of a key; None if there is no valid file."""
        content = self._path(key).read_bytes()
        digest, payload = content[:DIGEST], content[DIGEST:]
        if digest != self._digest(payload):
            return None
        kept, data = pickle.loads(payload)
        return data if kept == key else None

    def save(self, key, data):
        """Write a file atomically."""
        path, payload = self._path(key), dumps((key, data))
        written = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
        try:
            written.write_bytes(self._digest(payload) + payload)
            os.replace(written, path)
        finally:
            written.unlink(missing_ok=True)

    def flush(self):
        """Do nothing: there is no index, and files are replaced."""

    def _path(self, key):
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return self.folder / f"{self.base}.{name}.nbc"

    def _digest(self, payload):
        origin = repr((numba.__version__, self.stamp)).encode()
        return hashlib.sha256(origin + payload).digest()
