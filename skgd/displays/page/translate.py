"""Translate functions of a small part of Python to JavaScript, by their syntax trees.

The language: numbers, arrays, tuples, parts and their methods, ``for`` over ``range``, ``if``. Its
functions compute the same in both languages. Anything else raises `UntranslatableError`, with the
line.
"""

import ast
import inspect
import json
import math
import re
import textwrap

OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {
    ast.Gt: ">",
    ast.Lt: "<",
    ast.GtE: ">=",
    ast.LtE: "<=",
    ast.Eq: "===",
    ast.NotEq: "!==",
    ast.Is: "===",
    ast.IsNot: "!==",
}
BARE = ("PI", "abs", "floor", "max", "min", "pow", "sin", "cos", "sqrt", "trunc")  # of Math
OURS = ("exp", "expm1", "log", "log1p", "tanh")  # names of `skgd.elementary` too
FUNCTIONS = {f"math.{name}": f"{name}({{}})" for name in ("sqrt", "sin", "cos", "floor")}
FUNCTIONS |= {f"math.{name}": f"Math.{name}({{}})" for name in OURS}
FUNCTIONS |= {f"np{name[4:]}": text for name, text in FUNCTIONS.items()}
FUNCTIONS |= dict.fromkeys(["min", "np.minimum"], "min({},{})")
FUNCTIONS |= dict.fromkeys(["max", "np.maximum"], "max({},{})")
FUNCTIONS |= dict.fromkeys(["abs", "np.abs"], "abs({})")
FUNCTIONS |= dict.fromkeys(["float", "np.asarray", "np.shape"], "{}")  # numbers are scalars
FUNCTIONS |= {"int": "trunc({})", "np.ones": "1", "np.where": "({}?{}:{})"}
CONSTANTS = {"math.inf": "Infinity", "math.nan": "NaN", "math.pi": "PI", "np.pi": "PI"}
ATTRIBUTES = {"size": "length"}
SIGNS = {ast.USub: "-", ast.Not: "!"}
KEPT = {True: "true", False: "false", None: "null"}


ATOM = 9


def binding(node):
    """Return how strongly an expression binds in JavaScript."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Pow):
        return 5 if isinstance(node.op, ast.Add | ast.Sub) else 6
    if isinstance(node, ast.BoolOp):
        return 3 if isinstance(node.op, ast.And) else 2
    levels = {ast.IfExp: 1, ast.Compare: 4, ast.UnaryOp: 7}
    return levels.get(type(node), ATOM)


def number(value):
    """Return a number in few letters."""
    return repr(value).removesuffix(".0").replace("e-0", "e-")


class UntranslatableError(SyntaxError):
    """A construct that is not in the language."""


class Translator(ast.NodeVisitor):
    """Translates one function.

    Parameters
    ----------
    function : function
    fixed : dict of bool, default=None
        Values of flags, such as ``self.intercept``, that decide branches beforehand.

    Attributes
    ----------
    free : set of str
        The names that the function takes from elsewhere, and that are not numbers.
    """

    def __init__(self, function, fixed=None):
        self.function, self.free = inspect.unwrap(function), set()
        self.fixed = fixed or {}
        lines, self.first = inspect.getsourcelines(self.function)
        self.tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
        self.arguments = [a.arg for a in self.tree.args.args]
        stored = [
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        self.variables = sorted({*stored} - {*self.arguments})
        self.loops = []

    def translated(self):
        """Return the function as an arrow function."""
        if not isinstance(self.tree, ast.FunctionDef):
            self.generic_visit(self.tree)
        text = self.block(self.tree.body)
        used = set(re.findall(r"\w+", text))
        variables = [name for name in self.variables if name in used]
        arguments = ",".join(self.arguments)
        arguments = arguments if len(self.arguments) == 1 else f"({arguments})"
        if text.startswith("return ") and text.count(";") == 1:
            return f"{arguments}=>{text[7:-1]}"
        declared = f"let {','.join(variables)};" if variables else ""
        return f"{arguments}=>{{{declared}{text}}}"

    def block(self, body):
        return "".join(map(self.visit, body))

    def listed(self, nodes):
        return ",".join(map(self.visit, nodes))

    def generic_visit(self, node):
        file = inspect.getsourcefile(self.function)
        line = self.first + getattr(node, "lineno", 1) - 1
        raise UntranslatableError(
            f"{file}:{line}: the page's language has no {type(node).__name__}: {ast.unparse(node)}"
        )

    def known(self, table, key, node):
        """Return what a table has for a key, or raise the error for the node."""
        return table[key] if key in table else self.generic_visit(node)

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, str) or value is True or value is False or value is None:
            return json.dumps(value) if isinstance(value, str) else KEPT[value]
        if not isinstance(value, int | float):
            self.generic_visit(node)
        return number(value)

    def visit_Name(self, node):
        name = node.id
        if name in self.arguments or name in self.variables:
            return name
        if name not in self.function.__globals__:
            self.generic_visit(node)
        value = self.function.__globals__[name]
        if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
            return number(value)
        self.free.add(name)
        return name

    def visit_Attribute(self, node):
        if ast.unparse(node) in CONSTANTS:
            return CONSTANTS[ast.unparse(node)]
        if ast.unparse(node.value) in ("math", "np"):
            self.generic_visit(node)
        return f"{self.part(node.value, ATOM)}.{ATTRIBUTES.get(node.attr, node.attr)}"

    def visit_Subscript(self, node):
        index = node.slice
        if isinstance(index, ast.Slice):
            self.generic_visit(node)
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        return self.part(node.value, ATOM) + "".join(f"[{self.visit(part)}]" for part in parts)

    def part(self, node, level):
        """Return an operand, in brackets where it binds less than a level."""
        text = self.visit(node)
        return text if binding(node) >= level else f"({text})"

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Pow):
            left, right = self.visit(node.left), self.visit(node.right)
            if right in ("2", "3"):
                base = left if binding(node.left) == ATOM else f"({left})"
                return f"({'*'.join([base] * int(right))})"
            return f"pow({left},{right})"
        sign, level = self.known(OPERATORS, type(node.op), node), binding(node)
        right = self.part(node.right, level + 1)
        gap = " " if right.startswith(sign) else ""  # never a decrement
        return f"{self.part(node.left, level)}{sign}{gap}{right}"

    def visit_UnaryOp(self, node):
        sign = self.known(SIGNS, type(node.op), node)
        return f"{sign}{self.part(node.operand, binding(node) + 1)}"

    def visit_BoolOp(self, node):
        if not all(isinstance(v, ast.Compare | ast.UnaryOp | ast.Name) for v in node.values):
            self.generic_visit(node)
        sign = "&&" if isinstance(node.op, ast.And) else "||"
        return sign.join(self.part(value, binding(node) + 1) for value in node.values)

    def visit_Compare(self, node):
        if len(node.ops) > 1:
            self.generic_visit(node)
        sign, level = self.known(COMPARISONS, type(node.ops[0]), node), binding(node) + 1
        return f"{self.part(node.left, level)}{sign}{self.part(node.comparators[0], level)}"

    def visit_IfExp(self, node):
        if ast.unparse(node.test) in self.fixed:
            return self.part(self.branch(node), ATOM)
        test, level = self.part(node.test, binding(node) + 1), binding(node)
        return f"{test}?{self.part(node.body, level)}:{self.part(node.orelse, level)}"

    def visit_Tuple(self, node):
        return f"[{self.listed(node.elts)}]"

    def visit_Call(self, node):
        name = ast.unparse(node.func)
        if any((k.arg, ast.unparse(k.value)) != ("dtype", "float") for k in node.keywords):
            self.generic_visit(node)
        if name in FUNCTIONS:
            if FUNCTIONS[name].count("{}") not in (len(node.args), 0):
                self.generic_visit(node)
            level = {"{}": ATOM, "({}?{}:{})": 2}.get(FUNCTIONS[name], 0)
            return FUNCTIONS[name].format(*(self.part(a, level) for a in node.args))
        if isinstance(node.func, ast.Attribute):  # a method of a part, which takes the part
            self.visit(node.func)
            part = self.visit(node.func.value)
            return f"{part}.{node.func.attr}({','.join([part, *map(self.visit, node.args)])})"
        return f"{self.visit(node.func)}({self.listed(node.args)})"

    def visit_Return(self, node):
        return f"return {self.visit(node.value)};" if node.value else "return;"

    def visit_Assign(self, node):
        targets = "=".join(map(self.visit, node.targets))
        for name in ast.walk(node):
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                self.keep_loop(name)
        return f"{targets}={self.visit(node.value)};"

    def visit_AugAssign(self, node):
        self.keep_loop(node.target)
        sign = self.known(OPERATORS, type(node.op), node)
        return f"{self.visit(node.target)}{sign}={self.visit(node.value)};"

    def keep_loop(self, target):
        """Refuse to change the variable of a loop, which would mean something else."""
        if isinstance(target, ast.Name) and target.id in self.loops:
            self.generic_visit(target)

    def branch(self, node):
        """Return the branch that a fixed flag decides for."""
        return node.body if self.fixed[ast.unparse(node.test)] else node.orelse

    def visit_If(self, node):
        if ast.unparse(node.test) in self.fixed:
            return self.block(self.branch(node))
        rest = f"else {self.branch_text(node.orelse)}" if node.orelse else ""
        return f"if({self.visit(node.test)}){self.branch_text(node.body)}{rest}"

    def branch_text(self, body):
        """Return a branch, in brackets unless it is a single simple statement."""
        text = self.block(body)
        is_simple = len(body) == 1 and not isinstance(body[0], ast.If | ast.For)
        return text if is_simple and text else f"{{{text}}}"

    def visit_For(self, node):
        called = node.iter if isinstance(node.iter, ast.Call) else None
        if called is None or ast.unparse(called.func) != "range" or node.orelse:
            self.generic_visit(node)
        if len(called.args) > 2 or not isinstance(node.target, ast.Name):
            self.generic_visit(node)
        *start, stop = map(self.visit, called.args)
        name, start = node.target.id, (start or ["0"])[0]
        self.loops.append(name)
        body = self.branch_text(node.body)
        self.loops.pop()
        return f"for({name}={start};{name}<{stop};{name}++){body}"

    def visit_Expr(self, node):
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return "" if is_text else f"{self.visit(node.value)};"


def translate(function, given=(), fixed=None):
    """Return a function in JavaScript.

    Parameters
    ----------
    function : function
    given : collection of str
        The names that it may take from elsewhere.
    fixed : dict of bool, default=None
        Flags that decide branches beforehand.

    Returns
    -------
    str

    Raises
    ------
    UntranslatableError
        With the file and the line of what the language does not have.
    """
    translator = Translator(function, fixed)
    text = translator.translated()
    missing = translator.free - {*given}
    if missing:
        file = inspect.getsourcefile(translator.function)
        raise UntranslatableError(
            f"{file}:{translator.first}: {function.__qualname__} takes {sorted(missing)} from "
            "elsewhere, which the page does not have"
        )
    return text
