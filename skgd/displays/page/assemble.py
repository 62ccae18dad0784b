"""The page as one text: its mathematics, its scripts, its style and its words."""

import json
import re
from functools import cache
from pathlib import Path

from skgd.displays.page.core import core, literal
from skgd.displays.page.shrink import shrunk

HERE = Path(__file__).parent
EXPORTED = ("Run", "surfaceOf", "factorOf", "curvatures", "RULES", "SURFACES")
USUAL_LOSSES = ("squared_error", "poisson")


def read(name):
    """Return a file of the page."""
    return (HERE / name).read_text(encoding="utf-8")


def mathematics(losses=USUAL_LOSSES):
    """Return what runs descents, for the page and for node."""
    surfaces = literal(json.loads(read("surfaces.json")))
    return "\n".join([core(losses), f"const SURFACES={surfaces};", read("runner.js")])


def module():
    """Return the mathematics of the page as a module of JavaScript."""
    return f"{mathematics()}\nexport {{ {', '.join(EXPORTED)} }};\n"


def without_spaces(text):
    """Return a style sheet or the frame of the page without indentation and line breaks."""
    return re.sub(r"\n\s*", "\n", text).replace("\n", "")


@cache
def script(losses=USUAL_LOSSES):
    """Return the script of the page."""
    words, presets = json.loads(read("words.json")), json.loads(read("presets.json"))
    quoted = ",".join(
        f"{key if key.isidentifier() else json.dumps(key)}:{literal(pair)}"
        for key, pair in words.items()
    )
    scripts = [mathematics(losses), *map(read, ("pictures.js", "page.js"))]
    tables = [f"const WORDS={{{quoted}}};", f"const PRESETS={literal(presets)};"]
    return shrunk("\n".join([*tables, *scripts]))


def page(given=None):
    """Return the page.

    Parameters
    ----------
    given : dict, default=None
        A surface and a path of the user, as `skgd.displays.interactive` collects them.

    Returns
    -------
    str
    """
    losses = (*USUAL_LOSSES, given["surface"]["loss"]) if given else USUAL_LOSSES
    data = json.dumps(given).replace("<", "\\u003c")
    parts = {
        "STYLE": re.sub(r"\s*([{};:,])\s*", r"\1", without_spaces(read("style.css"))),
        "GIVEN": data,
        "SCRIPT": script(tuple(dict.fromkeys(losses))),
    }
    frame = without_spaces(read("page.html"))
    return re.sub(r"/\*(STYLE|GIVEN|SCRIPT)\*/", lambda m: parts[m[1]], frame)
