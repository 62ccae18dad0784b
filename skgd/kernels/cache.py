"""Compiled code on disk, with a checksum.

Without it a truncated, empty or damaged file would break every later fit, with an error in pickle
or LLVM. Here each file starts with a digest of its content and its purpose. If the digest does
not match, the code is compiled again and the file is replaced. Disk errors are ignored.
"""

import hashlib
import os
import pickle
import uuid

DIGEST = hashlib.sha256().digest_size


class CheckedFiles:
    """The files of one function, with the methods that numba's cache calls."""

    def __init__(self, folder, base, stamp, dumps):
        self.folder, self.base, self.stamp, self.dumps = folder, base, stamp, dumps

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
        path, payload = self._path(key), self.dumps((key, data))
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
        return hashlib.sha256(repr(self.stamp).encode() + payload).digest()
