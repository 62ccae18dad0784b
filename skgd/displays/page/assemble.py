"""The page as one text: its mathematics, its scripts, its style and its words."""

import json
import re
from functools import cache
from pathlib import Path

from skgd.displays.page.core import core, literal, rules
from skgd.kernels.problem import SAMPLINGS
from skgd.penalties import PENALTIES
from skgd.schedules import SCHEDULES

HERE = Path(__file__).parent
EXPORTED = ("descend", "surfaceOf", "factorOf", "curvatures", "RULES", "SURFACES")
INITIALS, VOWELS = "ABCDEFGHIJKLMNOPQRS", "abcdefghijklmnopqrstu"  # of syllables, as in Unicode
FINALS = " 0123456789TUVWXYZvwxyz#$%&*"
USUAL_LOSSES = ("squared_error", "poisson")


def read(name):
    """Return a file of the page."""
    return (HERE / name).read_text(encoding="utf-8")


def read_json(name):
    """Return what a table of the page holds."""
    return json.loads(read(name))


def mathematics(losses=USUAL_LOSSES):
    """Return what runs descents, for the page and for node."""
    numbers, looks = list(words()), read_json("surfaces.json")
    for look in looks.values():
        look |= {"names": [numbers.index(n) for n in look["names"]]} if "names" in look else {}
    return "\n".join([core(losses), f"const SURFACES={literal(looks)};", read("runner.js")])


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


def groups():
    """Return the names whose words are numbered in the order of a table of the page, by group."""
    looks, stories = read_json("surfaces.json"), read_json("presets.json")
    return {
        "rule": rules(),
        "surface": [*looks, "given"],
        "k": [name for name, look in looks.items() if "k" in look],
        "penalty": [name or "none" for name in PENALTIES],
        "schedule": SCHEDULES,
        "sampling": SAMPLINGS,
        "story": stories,
        "told": stories,
    }


@cache
def words():
    """Return all words by name, each in English and in Korean, in the order of their numbers.

    A word that is the same in both languages is empty in Korean. The text of a story follows its
    title.
    """
    given = {
        key: [text, ""] if isinstance(text, str) else text
        for key, text in read_json("words.json").items()
    }
    told = {key.replace("story", "told"): v[2:] for key, v in given.items() if v[2:]}
    given = {key: texts[:2] for key, texts in (given | told).items()}
    grouped = [f"{group}.{name}" for group, names in groups().items() for name in names]
    alone = [key for key in given if key not in grouped]
    return {key: given[key] for key in [*alone, *grouped]}


def numbered(text):
    """Return a script or the frame with the numbers of words, and of the first of a group."""
    numbers = {key: k for k, key in enumerate(words())}
    first = {group: numbers[f"{group}.{next(iter(names))}"] for group, names in groups().items()}
    text = re.sub(r'wordsOf\("(\w+)"\)', lambda m: str(first[m[1]]), text)
    text = re.sub(r'\bword\("([\w.]+)"\)', lambda m: f"word({numbers[m[1]]})", text)
    return re.sub(r'data-(word|label)="(\w+)"', lambda m: f"data-{m[1]}={numbers[m[2]]}", text)


@cache
def script(losses=USUAL_LOSSES):
    """Return the script of the page."""
    english, korean = zip(*words().values())
    texts = ["|".join(english), "|".join(map(jamo, korean))]
    tables = [
        f'const WORDS={literal(texts)}.map(t=>t.split("|"));',
        f"const FINALS={literal(FINALS)};",
        f"const PRESETS={literal(read_json('presets.json'))};",
    ]
    scripts = [mathematics(losses), *map(read, ("pictures.js", "page.js"))]
    return numbered("\n".join([*tables, *scripts]))


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
    frame = numbered(without_spaces(read("page.html")))
    return re.sub(r"/\*(STYLE|GIVEN|SCRIPT)\*/", lambda m: parts[m[1]], frame)
