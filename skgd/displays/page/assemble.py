"""The page as one text: its mathematics, its scripts, its style and its words."""

import json
import re
from functools import cache
from pathlib import Path

from skgd.displays.page.core import core, literal

HERE = Path(__file__).parent
EXPORTED = ("descend", "surfaceOf", "factorOf", "curvatures", "RULES", "SURFACES")
INITIALS, VOWELS = "ABCDEFGHIJKLMNOPQRS", "abcdefghijklmnopqrstu"  # of syllables, as in Unicode
FINALS = " 0123456789TUVWXYZvwxyz#$%&*"
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


def jamo(text):
    """Return a Korean text with two or three letters for each syllable, which zips better.

    The page composes the syllables again. What stands between grave accents is as it was.
    """

    def letters(match):
        initial, rest = divmod(ord(match[0]) - ord("가"), 588)
        vowel, final = divmod(rest, 28)
        return INITIALS[initial] + VOWELS[vowel] + FINALS[final].strip()

    marked = re.sub(r"[A-Za-z0-9{}]+", r"`\g<0>`", text)
    return re.sub(r"[가-힣]", letters, marked)


def words():
    """Return the keys of all words, the words in English, and those in Korean, each as one text.

    A word that is the same in both languages is empty in Korean. The text of a story follows its
    title; its key is that of the title with a point.
    """
    rows = []
    for key, texts in json.loads(read("words.json")).items():
        english, korean, *story = [texts, ""] if isinstance(texts, str) else texts
        rows.append((key, english, jamo(korean)))
        rows += [(f"{key}.", story[0], jamo(story[1]))] if story else []
    return ["|".join(column) for column in zip(*rows)]


@cache
def script(losses=USUAL_LOSSES):
    """Return the script of the page."""
    tables = [
        f'const [KEYS,...WORDS]={literal(words())}.map(t=>t.split("|"));',
        f"const FINALS={literal(FINALS)};",
        f"const PRESETS={literal(json.loads(read('presets.json')))};",
    ]
    scripts = [mathematics(losses), *map(read, ("pictures.js", "page.js"))]
    return "\n".join([*tables, *scripts])


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
