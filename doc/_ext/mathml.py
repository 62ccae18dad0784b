"""Formulas as MathML, written when the site is built: no script, no font, no network."""

from latex2mathml.converter import convert


def inline(self, node):
    """Write a formula within a line."""
    self.body.append(f'<span class="math">{convert(node.astext())}</span>')
    skip(node)


def display(self, node):
    """Write a formula that stands alone, in a box that scrolls where it is too wide."""
    text = node.astext()
    if "&" in text or r"\\" in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    formula = convert(text, display="block")
    self.body.append(f'<div class="math" tabindex="0">{formula}</div>')
    skip(node)


def skip(node):
    """Leave out what the node holds, which has been written."""
    from docutils.nodes import SkipNode

    raise SkipNode


def setup(app):
    """Offer Sphinx the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
