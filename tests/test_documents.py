"""README.md and the examples are true."""

import ast
import contextlib
import io
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
SITE = ast.parse((ROOT / "doc" / "conf.py").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_readme_prints_what_it_says_it_prints(block):
    said = re.findall(r"^print\(.*\)  # (.*)$", block, flags=re.MULTILINE)
    assert said
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block, {})
    assert printed.getvalue().splitlines() == said


def test_files_that_readme_links_to_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_gallery_shows_every_example_once():
    lists = {node.targets[0].id: node.value for node in SITE.body if isinstance(node, ast.Assign)}
    shown = ast.literal_eval(lists["EXAMPLES"]).items()
    paths = [ROOT / "examples" / folder / name for folder, names in shown for name in names]
    assert sorted(paths) == EXAMPLES


def test_every_folder_of_examples_has_a_header():
    assert [path for path in EXAMPLES if not (path.parent / "GALLERY_HEADER.rst").exists()] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_a_sentence_for_a_title(path):
    title, line = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split("\n")[:2]
    assert line == "=" * len(title)
    assert len(title.split()) > 4


@pytest.mark.skipif(not (ROOT / ".gitignore").exists(), reason="no checkout")
def test_what_an_example_writes_is_ignored_by_git():
    text = "".join(path.read_text(encoding="utf-8") for path in EXAMPLES)
    written = re.findall(r'\.save(?:fig)?\("([^"]+)"', text)
    assert {"diabetes.png", "descent.gif"} <= set(written)
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    folders = {f"/{path.parent.relative_to(ROOT).as_posix()}/" for path in EXAMPLES}
    for folder in ("/", *folders):  # from which examples are run
        assert [n for n in written if not any(fnmatch(folder + n, p) for p in ignored)] == []


@pytest.mark.skipif(not (ROOT / ".ci").exists(), reason="no checkout")
def test_contributing_names_every_verb_and_every_part_of_the_package():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    verbs = re.findall(r"^verb_(\w+)\(\)", script, flags=re.MULTILINE)
    assert sorted(re.findall(r"`\.ci/run (\w+)`", text)) == sorted(verbs)
    packages = {path.parent.name for path in ROOT.glob("skgd/*/__init__.py")}
    assert packages <= set(re.findall(r"`(\w+)`", text))
