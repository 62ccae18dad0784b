"""Make scripts small: without comments and spaces, and with short names for variables.

Each function has its own names, as in the script; properties keep theirs. Scripts end every
statement with a semicolon, have no regular expressions, and a name means one thing in a function.
"""

import re
from itertools import count

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<text>"(?:\\.|[^"\\])*")|(?P<template>`(?:\\.|[^`\\])*`)
    |(?P<number>\d[\w.]*|\.\d\w*)|(?P<name>[A-Za-z_$][\w$]*)|(?P<space>\s+)
    |(?P<sign>\+\+|--|=>|\.\.\.|\?\.|.)""",
    re.VERBOSE,
)
PAIRS = {"(": ")", "[": "]", "{": "}"}
ENDS = {",", ";", *PAIRS.values()}  # of an expression
STATEMENTS = {"if", "for", "while", "switch", "catch"}  # they have brackets, and are no functions
BEFORE_BLOCKS = {")", "=>", ";", "{", "}", "else", "try", "catch", "finally", ""}


def tokens(script):
    """Return the kinds and the texts of what stands in a script, without comments and spaces."""
    found = []
    for match in TOKEN.finditer(script):
        if match.lastgroup == "template":  # its expressions have no braces
            for k, part in enumerate(re.split(r"(?<=\$\{)|(?=\})", match[0])):
                found += tokens(part) if k % 2 else [("text", part)]
        elif match.lastgroup not in ("comment", "space"):
            found.append((match.lastgroup, match[0]))
    return found


class Script:
    """The functions of a script, and what its names mean.

    Attributes
    ----------
    kinds, texts : list of str
        Of its tokens.
    scopes : list of (int, int)
        First and last token of the script and of each function, with its parameters.
    bound : list of list of str
        The variables of each scope, in the order of their declaration.
    """

    def __init__(self, script):
        self.kinds, self.texts = zip(*tokens(script), ("end", ""))
        self.close, self.around, opened = {}, [], [-1]
        for i, text in enumerate(self.texts):
            is_sign = self.kinds[i] == "sign"
            if is_sign and text in PAIRS.values():
                self.close[opened.pop()] = i
            self.around.append(opened[-1])
            if is_sign and text in PAIRS:
                opened.append(i)
        self.open = {end: start for start, end in self.close.items()}
        self.scopes, self.bound = [(0, len(self.texts))], [[]]
        self.find_scopes()
        self.find_variables()

    def sign(self, i):
        """Return a token that is not a text."""
        return "" if self.kinds[i] == "text" else self.texts[i]

    def expression_end(self, i):
        """Return the token after an expression."""
        while self.sign(i) not in ENDS:
            i = self.close.get(i, i) + 1
        return i

    def is_object(self, i):
        """Return whether a bracket encloses the properties of an object or a class."""
        return self.sign(i) == "{" and self.sign(i - 1) not in BEFORE_BLOCKS

    def is_function(self, i):
        """Return whether a name is that of a function or a method, where it is declared."""
        if self.sign(i + 1) != "(" or self.texts[i] in STATEMENTS or self.sign(i - 1) == ".":
            return False
        return self.sign(self.close[i + 1] + 1) == "{"

    def find_scopes(self):
        """Find the functions, outer ones first, with the patterns of their parameters."""
        for i, kind in enumerate(self.kinds):
            if kind == "name" and self.is_function(i):
                self.scopes.append((i + 1, self.close[self.close[i + 1] + 1]))
            elif self.sign(i) == "=>":
                start = self.open.get(i - 1, i - 1)
                is_block = self.sign(i + 1) == "{"
                end = self.close[i + 1] if is_block else self.expression_end(i + 1)
                self.scopes.append((start, end))
        self.scopes.sort(key=lambda scope: (scope[0], -scope[1]))
        self.bound = [[] for _ in self.scopes]
        for start, _ in self.scopes[1:]:
            self.bind_pattern(start)

    def find_variables(self):
        """Find the declarations of variables, functions and classes."""
        for i, text in enumerate(self.texts):
            if self.kinds[i] != "name":
                continue
            if text in ("const", "let"):
                i = self.bind_pattern(i + 1)
                while self.sign(i) != ";" and self.sign(i) not in ("of", ")"):
                    i = self.expression_end(i) if self.sign(i) == "=" else self.bind_pattern(i + 1)
            elif text in ("function", "class"):
                self.bind_pattern(i + 1)

    def bind_pattern(self, i):
        """Declare the names of a pattern, and return the token after it."""
        if self.sign(i) == "...":
            i += 1
        if self.kinds[i] == "name":
            names = self.bound[self.scopes_at(i)[-1]]
            if self.texts[i] not in names:
                names.append(self.texts[i])
            return i + 1
        end = self.close[i]
        while i < end:
            i += 1
            if self.sign(i) in ENDS:
                continue
            if self.sign(i + 1) == ":":
                i += 2
            i = self.bind_pattern(i)
            if self.sign(i) == "=":
                i = self.expression_end(i)
        return end + 1

    def scopes_at(self, i):
        """Return the scopes that a token is in, from the script to the innermost function."""
        return [k for k, (start, end) in enumerate(self.scopes) if start <= i < end]

    def is_property(self, i):
        """Return whether a name is that of a property."""
        if self.sign(i - 1) in (".", "?."):
            return True
        in_object = self.is_object(self.around[i])
        return in_object and (self.is_key(i) or self.is_function(i))

    def is_key(self, i):
        """Return whether a name stands before the colon of a property."""
        return self.sign(i - 1) in ("{", ",") and self.sign(i + 1) == ":"

    def is_shorthand(self, i):
        """Return whether a name is that of a property and of its variable."""
        ends = self.sign(i - 1) in ("{", ",") and self.sign(i + 1) in (",", "}", "=")
        return ends and self.is_object(self.around[i])

    def short_names(self):
        """Return the new names of the variables of each scope."""
        names = [{} for _ in self.scopes]
        for k, bound in enumerate(self.bound):
            outer = [len(self.bound[j]) for j in self.scopes_at(self.scopes[k][0])[1:-1]]
            letters = "abcdefghijklmnopqrstuvwxyz" if k else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            for name, n in zip(bound, count(sum(outer))):
                names[k][name] = letters[n % 26] + str(n // 26 or "")
        return names

    def renamed(self):
        """Return the tokens with short names of variables."""
        names, found = self.short_names(), []
        for i, text in enumerate(self.texts):
            if self.kinds[i] == "name" and not self.is_property(i):
                known = [names[k] for k in self.scopes_at(i) if text in names[k]]
                short = known[-1][text] if known else "let" if text == "const" else text
                text = f"{text}:{short}" if known and self.is_shorthand(i) else short
            elif self.kinds[i] == "number" and text.startswith("0."):
                text = text[1:]
            found.append(text)
        return found


def shrunk(script):
    """Return a script that does the same with fewer letters."""
    texts, last = [], ""
    for text in Script(script).renamed():
        joined = re.fullmatch(r"[\w$][\w$]", last[-1:] + text[:1])
        texts += [" "] if joined or (last[-1:] in ("+", "-") and text[:1] == last[-1:]) else []
        texts.append(text)
        last = text
    return "".join(texts).replace(";}", "}")
