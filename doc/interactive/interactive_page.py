"""Write the interactive page into the site, and compare its descents with those of the package.

``python doc/interactive/interactive_page.py FOLDER`` does it by hand. The comparison runs under
node; where there is none, only the check of the site compares, in a browser.
"""

import gzip
import json
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from skgd.displays.page.assemble import module, page, read

HERE = Path(__file__).parent
NAME = "interactive.html"
MAX_SIZE, MAX_ZIPPED = 60_000, 20_000  # bytes
MINIFIER = HERE / "node_modules/terser"  # after ``npm ci`` in this folder
# Properties that the address and the checks name.
PUBLIC = (
    *("preset", "surface", "k", "rule", "rate", "fields", "schedule", "scheduleFields", "batch"),
    *("sampling", "seed", "penalty", "alpha", "l1_ratio", "data", "ghost", "ghostRate", "start"),
    *("ghostFields", "horizon", "n", "map", "descend", "surfaceOf", "state", "scene", "chart"),
    *("frame", "run", "rows", "X", "y", "path", "to", "cells", "box"),
)


@cache
def goldens():
    """Return the trajectories of the package, in JSON, computed by a Python of their own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "goldens.json"
        subprocess.run(
            [sys.executable, HERE / "goldens.py", file], check=True, capture_output=True
        )
        return file.read_text(encoding="utf-8")


def differences(script):
    """Return what node finds different between a module of the page and the package.

    Parameters
    ----------
    script : str
        The mathematics of the page as a module.

    Returns
    -------
    list of str, or None
        A sentence for each trajectory that differs; None where there is no node.
    """
    if shutil.which("node") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        core, expected = Path(folder) / "core.mjs", Path(folder) / "goldens.json"
        core.write_text(script, encoding="utf-8")
        expected.write_text(goldens(), encoding="utf-8")
        command = ["node", HERE / "compare.mjs", core, expected]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.stderr:
        raise RuntimeError(done.stderr)
    return done.stdout.split("\n")[:-1] if done.returncode else []


def minified(text):
    """Return the page with a small script; as it is, where node has no minifier."""
    if not MINIFIER.exists():
        return text
    before, script, after = re.split(r"(?<=<script>)|(?=</script>)", text)
    filled = re.findall(r"\{(\w+)\}", read("words.json"))
    command = ["node", HERE / "minify.mjs", *PUBLIC, *filled]
    done = subprocess.run(command, input=script.encode(), capture_output=True, check=True)
    return before + done.stdout.decode() + after


def sizes(text):
    """Return the size of the page, and its size when zipped, in bytes."""
    data = text.encode()
    return len(data), len(gzip.compress(data, 9))


def places():
    """Return what a link to the page may name after its address: its stories."""
    return {f"preset={story}" for story in json.loads(read("presets.json"))}


def build(folder):
    """Write the page into a folder; raise an error if its descents are not the package's."""
    text = minified(page())
    size, zipped = sizes(text)
    if MINIFIER.exists() and (size > MAX_SIZE or zipped > MAX_ZIPPED):
        raise ValueError(f"{NAME} has {size} bytes, {zipped} zipped.")
    found = differences(module())
    if found:
        raise ValueError("The page differs from the package:\n" + "\n".join(found))
    (Path(folder) / NAME).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    build(sys.argv[1])
