"""The check of the built site finds faults, on pages with one fault each."""

import sys
from pathlib import Path

import pytest

DOC = Path(__file__).parent.parent / "doc"
pytestmark = pytest.mark.skipif(not DOC.exists(), reason="no documentation here")

ROW = "<mrow>{}</mrow>".format("<mi>x</mi><mo>+</mo>" * 90)
WELL = "<mi>x</mi><mo>=</mo><mn>1</mn>"
NAME = "validation_fraction_of_the_rows"
PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>A page</title>
<body style="margin: 0"><main style="margin: 8px"><h1>A heading</h1>{}</main>"""
FAULTS = {
    "none": (
        f'<p>Text <span class="math"><math>{WELL}</math></span>.</p>'
        f'<dl class="field-list"><dt><strong>{NAME}</strong></dt></dl>',
        set(),
    ),
    "an ampersand in a line": (
        '<p><span class="math"><math><mi>x</mi><mo>&amp;</mo></math></span></p>',
        {"formula 1 shows its source"},
    ),
    "a backslash by itself": (
        rf'<div class="math"><math display="block">{WELL}<mtext>\\</mtext></math></div>',
        {"formula 1 shows its source"},
    ),
    "no formula where one should be": (
        r'<p><span class="math">\(x = 1\)</span></p>',
        {"formula 1 is not drawn"},
    ),
    "a formula that scrolls": (
        f'<div class="math" style="overflow-x: auto"><math display="block">{ROW}</math></div>',
        {"formula 1 is wider than its column"},
    ),
    "a formula that is clipped at the side": (
        f'<div class="math" style="overflow: hidden"><math display="block">{ROW}</math></div>',
        {"formula 1 is wider than its column"},
    ),
    "a formula that is clipped below": (
        '<div class="math" style="overflow: hidden; height: 8px">'
        f'<math display="block"><mfrac>{WELL.replace("<mo>=</mo>", "")}</mfrac></math></div>',
        {"formula 1 is cut off"},
    ),
    "a name that is broken": (
        '<dl class="field-list" style="width: 90px"><dt><strong style="overflow-wrap: anywhere">'
        f"{NAME}</strong></dt></dl>",
        {f"breaks the name {NAME}"},
    ),
}


@pytest.fixture(scope="module")
def check():
    sys.path.insert(0, str(DOC))
    yield pytest.importorskip("check_site")
    sys.path.remove(str(DOC))


@pytest.fixture(scope="module")
def browser(check):
    program = check.chromium()
    if program is None:
        pytest.skip("no Chromium here")
    with check.Browser(program) as browser:
        yield browser


@pytest.mark.parametrize("screen", ["phone", "desktop"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_page_is_found(check, browser, tmp_path, fault, screen):
    body, expected = FAULTS[fault]
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(body), encoding="utf-8")
    width, height = check.SCREENS[screen]
    browser.resize(width, height)
    browser.open(page.as_uri())
    assert set(check.faults(browser, width)) == expected
