"""The page to play on: its parts in JavaScript, of which the mathematics is translated.

`skgd.displays.page.assemble.page` returns it as one self-contained HTML text.
"""
