"""Check the built site: ``python doc/check_site.py [doc/_build/html]``.

Without a browser: every internal link and anchor exists, and no page loads anything from another
site. In a headless Chromium, with the screens of a phone and of a desktop: every page has its
title and its pictures, every formula is rendered and fits its column, no name of a parameter is
broken over two lines, nothing is wider than the screen, the console has no error, and the search
finds its pages. Without a Chromium this part is skipped with a message; with ``--browser`` it
fails.
"""

import argparse
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from browser import Browser, chromium

sys.path.insert(0, str(Path(__file__).parent / "interactive"))

import interactive_check
import interactive_page

SCREENS = {"phone": (390, 844), "desktop": (1280, 900)}
SEARCHES = ("momentum", "lasso", "diverged", "GDGaborRegressor")
LOADS = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src")}
MAY_SCROLL = "div.math, div.highlight, pre, table, nav, .bd-sidebar"
LOOK = """({
    title: document.title,
    heading: (document.querySelector("h1") || {}).offsetHeight || 0,
    width: document.documentElement.scrollWidth,
    wide: [...document.querySelectorAll("main, main *")]
        .filter(e => e.scrollWidth > e.clientWidth + 1 && !e.closest(MAY_SCROLL)
            && ["auto", "scroll"].includes(getComputedStyle(e).overflowX))
        .map(e => `${e.tagName}.${e.className}`),
    images: [...document.images].filter(i => !i.naturalWidth && i.loading != "lazy")
        .map(i => i.src),
})"""
# Every formula that is not rendered, that shows its source, or that exceeds its block.
FORMULAS = r"""(async () => {
    if (window.MathJax) await MathJax.startup.promise;
    const block = e => getComputedStyle(e).display.startsWith("inline") ? block(e.parentNode) : e;
    const fault = box => {
        const drawn = box.querySelector("math, mjx-container");
        if (!drawn || !drawn.getBoundingClientRect().height) return "is not drawn";
        if (box.querySelector("merror, mjx-merror, [data-mjx-error]")) return "is not understood";
        if (/[&\\]/.test(box.textContent)) return "shows its source";
        const room = block(box), outer = room.getBoundingClientRect();
        const clips = getComputedStyle(room).overflowY != "visible";
        const parts = [...drawn.querySelectorAll("*")]
            .filter(e => !e.closest("mjx-assistive-mml"))
            .map(e => e.getBoundingClientRect()).filter(r => r.width && r.height);
        if (parts.some(r => r.right > outer.right + 2 || r.left < outer.left - 2))
            return "is wider than its column";
        if (clips && parts.some(r => r.bottom > outer.bottom + 2 || r.top < outer.top - 2))
            return "is cut off";
    };
    return [...document.querySelectorAll("main .math")]
        .map((box, k) => fault(box) && `formula ${k + 1} ${fault(box)}`).filter(Boolean);
})()"""
# Every name of a parameter or an attribute that is broken over two lines.
BROKEN_NAMES = r"""[
    ...document.querySelectorAll("dl.field-list dt strong, .sig-param .n, .sig-name")
].flatMap(element => {
    const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), broken = [];
    for (let node = walk.nextNode(); node; node = walk.nextNode())
        for (const word of node.data.matchAll(/\S+/g)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const tops = [...range.getClientRects()].map(r => Math.round(r.top));
            if (new Set(tops).size > 1) broken.push(word[0]);
        }
    return broken;
})"""
FOUND = "document.querySelectorAll('#search-results li a').length"


def pages_of(root):
    """Return the HTML pages of the site."""
    return [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]


class Page(HTMLParser):
    """The anchors, the links and the loaded files of one page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        for name in ("href", "src"):
            value = attrs.get(name)
            if value is None:
                continue
            is_canonical = tag == "link" and attrs.get("rel") in ("canonical", "search")
            (self.loads if (tag, name) in LOADS and not is_canonical else self.links).append(value)


def broken_links(root):
    """Yield a sentence for each broken link and for each file loaded from another site."""
    pages = {path: Page(path) for path in pages_of(root)}
    if root / interactive_page.NAME in pages:
        pages[root / interactive_page.NAME].anchors |= interactive_page.places()
    for path, page in pages.items():
        place = path.relative_to(root)
        for link in page.links + page.loads:
            parts = urlparse(link)
            if parts.scheme or parts.netloc:
                if link in page.loads and parts.scheme != "data":
                    yield f"{place} loads {link} from elsewhere"
                continue
            target, anchor = urldefrag(link)
            target = (path.parent / unquote(urlparse(target).path)).resolve() if target else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{place} links to {link}, which does not exist"
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                yield f"{place} links to {link}, which has no such anchor"


class SilentHandler(SimpleHTTPRequestHandler):
    """Serves files without log messages."""

    def log_message(self, *args):
        pass


def page_faults(root, program):
    """Yield a sentence for each fault of a page in the browser."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentHandler, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        with Browser(program) as browser:
            for screen, (width, height) in SCREENS.items():
                browser.resize(width, height)
                for path in pages_of(root):
                    place = path.relative_to(root).as_posix()
                    browser.open(address + place)
                    for fault in faults(browser, width):
                        yield f"{place} on a {screen}: {fault}"
                for words in SEARCHES:
                    browser.open(f"{address}search.html?q={words}")
                    if not browser.wait(f"{FOUND} > 0"):
                        yield f"the search on a {screen} does not find {words!r}"
            if (root / interactive_page.NAME).exists():
                for fault in interactive_check.page_faults(
                    browser, address + interactive_page.NAME, root, interactive_page.goldens()
                ):
                    yield f"{interactive_page.NAME}: {fault}"
    finally:
        server.shutdown()


def faults(browser, width):
    """Yield the faults of the open page."""
    seen = browser.evaluate(LOOK.replace("MAY_SCROLL", repr(MAY_SCROLL)))
    yield from browser.errors
    if not seen["title"] or not seen["heading"]:
        yield "has no title"
    if seen["width"] > width:
        yield f"is {seen['width']} wide, the screen {width}"
    if seen["wide"]:
        yield f"scrolls to the side in {', '.join(seen['wide'])}"
    if seen["images"]:
        yield f"does not show {', '.join(seen['images'])}"
    yield from browser.evaluate(FORMULAS)
    yield from (f"breaks the name {name}" for name in browser.evaluate(BROKEN_NAMES))


def main():
    """Check the site, print its faults, and set the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", nargs="?", default="doc/_build/html", type=Path)
    parser.add_argument("--browser", action="store_true", help="fail where there is no Chromium")
    options = parser.parse_args()
    root, program = options.root.resolve(), chromium()
    if not (root / "index.html").exists():
        sys.exit(f"There is no site in {root}.")
    problems = [*broken_links(root)]
    print(f"{len(pages_of(root))} pages, {len(problems)} broken links")
    if not interactive_check.AXE.exists():
        print("=== SKIPPED: no axe-core here: npm ci --prefix doc/interactive ===")
    if program:
        seen = [*page_faults(root, program)]
        print(f"{len(seen)} faults in {program}")
        problems += seen
    else:
        print("=== SKIPPED: no Chromium here, so the pages were not checked in a browser ===")
        problems += ["there is no Chromium"] if options.browser else []
    print(*problems, sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
