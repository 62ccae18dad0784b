"""Compiled code on disk, with a checksum.

Without it a truncated, empty or damaged file would break every later fit, with an error in pickle
or LLVM. Here each file starts with a digest of its content and its purpose. If the digest does
not match, the code is compiled again and the file is replaced. Disk errors are ignored.
"""

import hashlib
import logging
import os
import pickle
import tempfile
import uuid
from contextlib import suppress
from functools import cache
from operator import itemgetter
from pathlib import Path
from types import CodeType, FunctionType

COVERED = (Path(__file__).parent,)  # folders any edit of which is compiled anew
DIGEST = hashlib.sha256().digest_size


logger = logging.getLogger("skgd")


class CheckedFiles:
    """The files of one function, with the methods that numba's cache calls.

    They are written to the first folder that can be written to, and read from it and those before
    it; so one may be filled once, and then be read-only.
    """

    def __init__(self, folders, base, stamp, dumps):
        self.folders, self.base, self.stamp, self.dumps = folders, base, stamp, dumps

    def load(self, key):
        """Return the data of a key; None if there is no valid file."""
        for folder in self.folders:
            data = self._load(folder / self._name(key), key) if is_trusted(folder) else None
            if data is not None or is_writable(folder):
                return data

    def _load(self, path, key):
        with suppress(Exception):
            content = path.read_bytes()
            digest, payload = content[:DIGEST], content[DIGEST:]
            if digest == self._digest(payload):
                kept, data = pickle.loads(payload)
                return data if kept == key else None

    def save(self, key, data):
        """Write a file atomically."""
        folder = next(filter(is_writable, self.folders))
        path, payload = folder / self._name(key), self.dumps((key, data))
        written = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
        try:
            written.write_bytes(self._digest(payload) + payload)
            os.replace(written, path)
        finally:
            written.unlink(missing_ok=True)

    def flush(self):
        """Do nothing: there is no index, and files are replaced."""

    def _name(self, key):
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return f"{self.base}.{name}.nbc"

    def _digest(self, payload):
        return hashlib.sha256(repr(self.stamp).encode() + payload).digest()


@cache
def is_writable(folder):
    """Whether files can be made in a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=folder).close()
        is_empty = not any(folder.iterdir())
    except OSError:
        return False
    if folder == temporary_folder() and is_empty:
        logger.warning(
            "skgd keeps compiled code in the temporary folder %s, as no other can be written to. "
            "Set the environment variable NUMBA_CACHE_DIR to a folder that lasts.",
            folder,
        )
    return is_trusted(folder)


def is_trusted(folder):
    """Whether a folder is not a temporary one in which another user can put files for us to read.

    They are pickles, which can run anything.
    """
    if folder != temporary_folder() or not hasattr(os, "getuid"):
        return True
    with suppress(OSError):
        found = folder.lstat()
        return found.st_uid == os.getuid() and not found.st_mode & 0o022
    return False


def temporary_folder():
    """Return the folder of this user among the temporary files."""
    name = f"skgd-{os.getuid()}" if hasattr(os, "getuid") else "skgd"
    return Path(tempfile.gettempdir(), name)


def digest_of(function, classes):
    """Return a digest of the code of a function and of classes; None if it is not permanent."""
    bases = {base for cls in classes for base in cls.__mro__} - {object}
    if any(base.__module__ == "__main__" or "<locals>" in base.__qualname__ for base in bases):
        return None
    text = hashlib.sha256()
    for path in sorted(path for folder in COVERED for path in folder.glob("*.py")):
        text.update(path.read_bytes())
    text.update(repr(_spelled(function, ())).encode())
    for base in sorted(bases, key=lambda base: (base.__module__, base.__qualname__)):
        for name, value in sorted(vars(base).items(), key=itemgetter(0)):
            if isinstance(value, FunctionType | int | float | str):
                text.update(repr((base.__qualname__, name, _spelled(value, ()))).encode())
    return text.hexdigest()[:16]


def _spelled(value, above):
    """Return a description of a function: its code and the outer values that it uses."""
    value = getattr(value, "py_func", value)  # of a function compiled by numba
    if isinstance(value, CodeType):
        inner = [_spelled(constant, above) for constant in value.co_consts]
        return value.co_code, value.co_names, value.co_varnames, inner
    if not isinstance(value, FunctionType):
        return getattr(value, "__qualname__", None) or getattr(value, "__name__", repr(value))
    if value in above:
        return value.__qualname__
    code, outside = value.__code__, value.__globals__
    found = [outside[name] for name in code.co_names if name in outside]
    found += [cell.cell_contents for cell in value.__closure__ or ()]
    found += value.__defaults__ or ()
    return _spelled(code, above), [_spelled(item, (*above, value)) for item in found]


def combined_digest(*texts):
    """Return one digest for all of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
