"""Make scripts small: without comments and spaces, and with short names for what is their own.

A name is shortened, wherever it stands, unless it is part of a text or belongs to the browser.
Scripts end every statement with a semicolon and have no regular expressions.
"""

import re
from collections import Counter
from itertools import count
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<text>"(?:\\.|[^"\\])*")|(?P<template>`(?:\\.|[^`\\])*`)
    |(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_$][\w$]*)|(?P<space>\s+)|(?P<sign>\+\+|--|.)""",
    re.VERBOSE,
)
# Words of the language, and names of the browser that the scripts use.
KEPT = set((Path(__file__).parent / "kept_names.txt").read_text(encoding="utf-8").split())


def tokens(script):
    """Return the kinds and the texts of what stands in a script, without comments."""
    found = [(m.lastgroup, m[0]) for m in TOKEN.finditer(script)]
    return [(kind, text) for kind, text in found if kind != "comment"]


def inner(template):
    """Return the expressions in a template."""
    return re.findall(r"\$\{([^{}]*)\}", template)


def short_names():
    """Yield short names, the shortest first."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
    for n in count():
        text, n = letters[n % 53], n // 53
        while n:
            n -= 1
            text, n = text + letters[n % 53], n // 53
        if text not in KEPT:
            yield text


def renamed(parts, others):
    """Return the short name of each name, the shortest for the most frequent.

    Parameters
    ----------
    parts : list of (kind, text)
        Without spaces.
    others : str
        Texts beside the script whose words stay.
    """
    uses, texts = Counter(), [others]
    for kind, text in parts:
        if kind == "name":
            uses[text] += 1
        elif kind == "text":
            texts.append(text)
        elif kind == "template":
            texts.append(re.sub(r"\$\{[^{}]*\}", " ", text))
            uses.update(t for part in inner(text) for kind, t in tokens(part) if kind == "name")
    fixed = KEPT | {name for text in texts for name in re.findall(r"[A-Za-z_$][\w$]*", text)}
    ranked = [name for name, _ in uses.most_common() if name not in fixed]
    return dict(zip(ranked, (name for name in short_names() if name not in fixed)))


def shrunk(script, others=""):
    """Return a script that does the same with fewer letters."""
    parts = [(kind, text) for kind, text in tokens(script) if kind != "space"]
    names, lines = renamed(parts, others), []
    last = ""
    for kind, text in parts:
        if kind == "name":
            text = "let" if text == "const" else names.get(text, text)
        elif kind == "number":
            text = text.removeprefix("0") if text.startswith("0.") else text
        elif kind == "template":
            text = re.sub(r"\$\{([^{}]*)\}", lambda m: "${" + with_names(m[1], names) + "}", text)
        words = last[-1:].isalnum() or last[-1:] in "_$"
        joined = words and (text[0].isalnum() or text[0] in "_$") and last
        if joined or (last in "+-" and text == last):
            lines.append(" ")
        lines.append(text)
        last = text
    return re.sub(r";}", "}", "".join(lines))


def with_names(expression, names):
    """Return the expression of a template with its short names."""
    return "".join(names.get(t, t) if k == "name" else t for k, t in tokens(expression))
