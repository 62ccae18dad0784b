"""What a benchmark runs on: one thread of a machine that it names, at versions that it names."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from threadpoolctl import threadpool_limits

PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "skgd")


def heading(title):
    """Return a title, the machine, and the versions, as Markdown."""
    versions = [f"{name} {_version(name)}" for name in PACKAGES]
    return (
        f"# {title}\n\n"
        f"- machine: {_processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"load {_load()}\n"
        f"- versions: Python {platform.python_version()}, {', '.join(versions)}\n"
    )


def stay_in_one_thread():
    """Let linear algebra use one thread and, where the system can, keep it on one core."""
    threadpool_limits(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def table(head, lines):
    """Return a Markdown table: the first column to the left, the rest to the right."""
    widths = [max(map(len, column)) for column in zip(head, *lines)]

    def row(cells):
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return f"| {' | '.join([cells[0].ljust(widths[0]), *rest])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([row(head), row(rule), *map(row, lines)])


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return __import__(name).__version__  # run from its sources


def _processor():
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _load():
    """Return how many processes wanted a core over the last minute, where it is known."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
