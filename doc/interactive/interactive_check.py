"""Check the interactive page in a browser, as a person uses it."""

import json
import re
from pathlib import Path

from skgd.displays.page.assemble import read

HERE = Path(__file__).parent
AXE = HERE / "node_modules/axe-core/axe.min.js"  # after ``npm ci`` in this folder
VIOLATIONS = """axe.run().then(found => found.violations.flatMap(v =>
    v.nodes.map(n => `${v.id} ${n.target}: ${n.any.concat(n.all).map(c => c.message)}`)))"""
SCREENS = {"small phone": (360, 740), "desktop": (1280, 900), "wide screen": (1600, 1000)}
STATE = "descent.state"
REST = "document.getElementById('live').textContent == document.getElementById('say').textContent"
# Text whose contrast with its background is below 4.5, without what is hidden.
CONTRAST = r"""(() => {
    const parts = text => text.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const behind = e => {
        for (; e; e = e.parentElement) {
            const colour = parts(getComputedStyle(e).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    return [...document.querySelectorAll("main *")].filter(e => e.offsetParent && !e.disabled
        && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())).flatMap(e => {
        const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        return ratio < 4.5 ? [`${e.tagName} ${e.textContent.trim().slice(0, 30)}: ${ratio}`] : [];
    });
})()"""
# Controls without a name for those who do not see them, and targets too small to touch.
NAMELESS = """[...document.querySelectorAll("button, select, input, canvas, a")]
    .filter(e => e.offsetParent && !(e.getAttribute("aria-label") || e.textContent.trim()
        || (e.labels && [...e.labels].some(l => l.textContent.trim()))))
    .map(e => e.tagName + "#" + e.id)"""
SMALL = """[...document.querySelectorAll("button, select, input")].filter(e => e.offsetParent)
    .filter(e => e.offsetHeight < 24 && e.type != "checkbox")
    .map(e => `${e.id}: ${e.offsetHeight}`)"""
WIDTH = "document.documentElement.scrollWidth"
PLACE = "(({left, top, width, height}) => [left, top, width, height])"


def run_of(browser, key):
    """Return a value of the state of the page."""
    return browser.evaluate(f"{STATE}.{key}")


def place_of(browser, name):
    """Scroll an element into view, and return its left, top, width and height."""
    browser.evaluate(f"document.getElementById('{name}').scrollIntoView({{block: 'center'}})")
    return browser.evaluate(f"{PLACE}(document.getElementById('{name}').getBoundingClientRect())")


def spot(browser, name, u, v):
    """Return a point of the screen, at a share of the width and height of an element."""
    left, top, width, height = place_of(browser, name)
    return left + u * width, top + v * height


def click(browser, name):
    """Click on an element."""
    browser.mouse(spot(browser, name, 0.5, 0.5))


def descents(browser, goldens):
    """Yield the trajectories in which the page differs from the package."""
    script = (HERE / "differences.mjs").read_text(encoding="utf-8").replace("export ", "")
    yield from browser.evaluate(f"{script}\ndifferences(descent, {goldens})")


def stories(browser, address, root):
    """Yield the faults of all stories, on all screens, in both languages and both themes."""
    for screen, (width, height) in SCREENS.items():
        browser.resize(width, height)
        for theme, language in (("light", "en"), ("dark", "ko")):
            browser.emulate(prefers_color_scheme=theme)
            browser.open(f"{address}?lang={language}")
            light = browser.evaluate("getComputedStyle(document.body).backgroundColor")
            if (light == "rgb(255, 255, 255)") != (theme == "light"):
                yield f"the page is not {theme}"
            for story, look in json.loads(read("presets.json")).items():
                where = f"story {story} on a {screen}, {theme}, {language}"
                browser.open(f"{address}?lang={language}#preset={story}")
                yield from (f"{where}: {error}" for error in browser.errors)
                if browser.evaluate(WIDTH) > width:
                    yield f"{where} is wider than the screen"
                if run_of(browser, "preset") != story:
                    yield f"{where} is not opened by its address"
                if screen == "desktop" and root is not None:
                    yield from missing(root, f"guide/{look['link']}")
            yield from (f"{where}: contrast of {text}" for text in browser.evaluate(CONTRAST))
            yield from (f"{where}: {text} has no name" for text in browser.evaluate(NAMELESS))
            yield from (f"{where}: too small: {text}" for text in browser.evaluate(SMALL))
            yield from (f"{where}: axe: {text}" for text in violations(browser))
    browser.emulate(prefers_color_scheme="light")


def violations(browser):
    """Return what axe-core objects to, if it is here."""
    if not AXE.exists():
        return []
    browser.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    return browser.evaluate(VIOLATIONS)


def missing(root, link):
    """Yield a sentence if a link of a story leads nowhere."""
    page, _, anchor = link.partition("#")
    target = Path(root) / page
    if not target.exists() or (anchor and f'id="{anchor}"' not in target.read_text("utf-8")):
        yield f"the link {link} leads nowhere"


def hands(browser, address):
    """Yield what does not answer to mouse, finger and keys."""
    browser.resize(1280, 900)
    browser.open(f"{address}?lang=en#preset=momentum")
    if not browser.evaluate("document.getElementById('fitBox').hidden"):
        yield "a surface without data has a picture of them"
    before = run_of(browser, "start")
    browser.mouse(spot(browser, "plane", 0.3, 0.3), spot(browser, "plane", 0.6, 0.4))
    moved = run_of(browser, "start")
    if moved == before:
        yield "the mouse does not move the start"
    browser.key("ArrowLeft")
    browser.key("ArrowUp")
    found = run_of(browser, "start")
    if not (found[0] < moved[0] and found[1] > moved[1]):
        yield "arrow keys do not move the start"
    browser.wait("descent.chart()")
    rate = run_of(browser, "rate")
    browser.mouse(spot(browser, "map", 0.5, 0.5))
    if run_of(browser, "rate") == rate:
        yield "a click on the map chooses no rate"
    browser.open(f"{address}?lang=en#surface=line&rule=gd")
    before = browser.evaluate("JSON.stringify(descent.scene().surface.rows.y)")
    browser.mouse(spot(browser, "fit", 0.5, 0.5), spot(browser, "fit", 0.5, 0.2))
    if browser.evaluate("JSON.stringify(descent.scene().surface.rows.y)") == before:
        yield "a point of the data cannot be dragged"
    before = browser.evaluate("JSON.stringify(descent.scene().surface.rows.y)")
    for key in ("n", "ArrowUp"):
        browser.key(key)
    if browser.evaluate("JSON.stringify(descent.scene().surface.rows.y)") == before:
        yield "keys do not move a point of the data"
    browser.resize(390, 844)
    browser.open(f"{address}?lang=en#preset=sgd")
    before = run_of(browser, "start")
    browser.touch(spot(browser, "plane", 0.3, 0.3), spot(browser, "plane", 0.5, 0.5))
    if run_of(browser, "start") == before:
        yield "a finger does not move the start"


def second_rule(browser, address):
    """Yield what is wrong with the fields and the batch of the second rule."""
    browser.resize(1280, 900)
    browser.open(f"{address}?lang=en#preset=nesterov")
    paths = "[descent.scene().run, descent.scene().ghost].map(run => JSON.stringify(run.path))"
    own, other = browser.evaluate(paths)
    browser.evaluate(
        "(e => { e.value = 300; e.dispatchEvent(new Event('input')) })"
        "(document.getElementById('ghostFieldsbeta'))"
    )
    changed_own, changed_other = browser.evaluate(paths)
    if changed_own != own or changed_other == other:
        yield "a field of the second rule does not change its path alone"
    if "ghostFields" not in browser.evaluate("location.hash"):
        yield "a field of the second rule is not in the address"
    browser.open(f"{address}?lang=en#preset=sgd")
    if browser.evaluate("document.getElementById('ghostBatch').value") != "0":
        yield "the second rule does not see all rows"


def link(browser, address):
    """Yield whether the link of the page is copied, and said to be."""
    browser.open(f"{address}?lang=en#preset=saddle&n=7")
    browser.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: text => "
        "{ globalThis.copied = text; return Promise.resolve(); }}}); 0"
    )
    click(browser, "share")
    if browser.evaluate("copied") != browser.evaluate("location.href"):
        yield "the button copies another link"
    if browser.evaluate("document.getElementById('live').textContent") != "Copied":
        yield "a copied link is not announced"


def play(browser, address):
    """Yield what is wrong with the time: play, pause, steps, and what is announced."""
    browser.resize(1280, 900)
    browser.open(f"{address}?lang=en#preset=zigzag")
    click(browser, "reset")
    if run_of(browser, "n") != 0:
        yield "reset does not go to the start"
    browser.evaluate("document.getElementById('live').textContent = 'still'")
    browser.evaluate("document.activeElement.blur()")
    browser.key(" ", " ")
    if not browser.wait(f"{STATE}.n > 3"):
        yield "space does not play"
    if browser.evaluate("document.getElementById('live').textContent") != "still":
        yield "a moving descent is announced"
    browser.key(" ", " ")
    n = run_of(browser, "n")
    if not browser.wait(REST):
        yield "the descent is not announced at rest"
    if run_of(browser, "n") != n:
        yield "space does not pause"
    click(browser, "next")
    click(browser, "next")
    click(browser, "back")
    if run_of(browser, "n") != n + 1:
        yield "steps forward and back do not add up"
    browser.emulate(prefers_reduced_motion="reduce")
    click(browser, "reset")
    click(browser, "play")
    if run_of(browser, "n") != run_of(browser, "horizon"):
        yield "with reduced motion the descent moves"
    browser.emulate(prefers_reduced_motion="no-preference")
    if not browser.evaluate("document.activeElement.matches(':focus')"):
        yield "the focus is lost"


def address_bar(browser, address):
    """Yield what the address does not keep."""
    browser.open(f"{address}?lang=en#preset=zigzag")
    browser.evaluate(
        "(e => { e.value = 'adam'; e.dispatchEvent(new Event('change')) })"
        "(document.getElementById('rule'))"
    )
    chosen = browser.evaluate("location.hash")
    if "rule=adam" not in chosen or run_of(browser, "rule") != "adam":
        yield f"a chosen rule is not in the address {chosen}"
    browser.evaluate("history.back()")
    if not browser.wait(f"{STATE}.rule == 'gd' && {STATE}.preset == 'zigzag'"):
        yield "the back button does not bring the story back"
    state = "#surface=quadratic&rule=momentum&rate=0.05&fields=%7B%22beta%22%3A0.5%7D&n=7"
    browser.open(f"{address}?lang=en{state}")
    browser.open("about:blank")
    browser.open(f"{address}?lang=en{state}")
    found = [run_of(browser, key) for key in ("surface", "rule", "rate", "fields.beta", "n")]
    if found != ["quadratic", "momentum", 0.05, 0.5, 7]:
        yield f"the address {state} is read as {found}"
    for wrong in ("#surface=none&rate=a&n=1e99&start=[1]", "#preset=none", "#fields=3&data=[1,2]"):
        browser.open("about:blank")
        browser.open(f"{address}?lang=en{wrong}")
        yield from (f"the address {wrong}: {error}" for error in browser.errors)
    browser.open(f"{address}?lang=ko#preset=zigzag")
    if browser.evaluate("document.documentElement.lang") != "ko":
        yield "the address does not choose the language"
    if re.search("[a-z]{4}", browser.evaluate("document.getElementById('told').textContent")):
        yield "the story is not in Korean"


def extremes(browser, address):
    """Yield whether a diverging path fills the picture, and an exact zero is not said."""
    browser.open(f"{address}?lang=en#surface=penalized&rule=gd")
    if "exactly zero" not in browser.evaluate("document.getElementById('say').textContent"):
        yield "lasso has no weight of zero"
    browser.open(f"{address}?lang=en#preset=large&n=5")
    if browser.evaluate("descent.frame().box[1] < 1000"):
        yield "a diverging path does not zoom out"


def factors(browser, address):
    """Yield where the closed form of the convergence and the simulated one disagree."""
    for rule, rate, beta in (
        ("gd", 0.09, 0),
        ("momentum", 0.06, 0.8),
        ("momentum", 0.07, 0.7),
        ("nesterov_beta", 0.03, 0.9),
    ):
        fields = f"&fields=%7B%22beta%22%3A{beta}%7D" if beta else ""
        browser.open("about:blank")
        browser.open(f"{address}?lang=en#surface=quadratic&rule={rule}&rate={rate}{fields}")
        text = browser.evaluate("document.getElementById('mapHint').textContent")
        numbers = [float(number) for number in re.findall(r"0\.\d+", text)]
        if len(numbers) != 2 or abs(numbers[0] - numbers[1]) > 0.003:
            yield f"the factors of {rule} differ: {text}"


def page_faults(browser, address, root, goldens):
    """Yield a sentence for each fault of the page."""
    browser.resize(1280, 900)
    browser.open(address)
    yield from browser.errors
    yield from descents(browser, goldens)
    for check in (hands, second_rule, link, play, address_bar, extremes, factors):
        yield from check(browser, address)
        yield from browser.errors
    yield from stories(browser, address, root)
