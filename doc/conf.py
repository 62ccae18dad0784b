"""Configuration of the site: ``python -m sphinx -W --keep-going -b html doc doc/_build/html``.

Neither the build nor a reader downloads anything.
"""

import re
import sys
import warnings
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

import skgd

sys.path.insert(0, str(Path(__file__).parent / "interactive"))

project = "skgd"
author = "The skgd developers"
project_copyright = author
version = release = skgd.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # puts MathJax, scripts and fonts, into the site
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "benchmarks",
    "engines",
    "interactive",
    "gallery/**.ipynb",
    "gallery/**.py",
]
default_role = "py:obj"
math_number_all = False
suppress_warnings = ["ref.term"]  # terms of a glossary in docstrings of scikit-learn
smartquotes_action = "De"  # dashes and ellipses, but no curly quotes about strings

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

# The examples of each folder of the gallery, in the order of a first course.
EXAMPLES = {
    ".": ["diabetes.py"],
    "first_steps": ["line.py", "worked_example.py", "pipeline.py"],
    "learning_rates": ["learning_rates.py", "rates_on_waves.py", "schedules.py"],
    "optimizers": [
        "momentum_forms.py",
        "overshoot.py",
        "normalized.py",
        "adagrad_rmsprop.py",
        "adam_bias.py",
        "optimizers_in_a_valley.py",
        "saddle.py",
        "second_order.py",
        "motion.py",
    ],
    "stochastic_descent": ["stochastic_descent.py", "gabor_escape.py"],
    "penalties": ["circle_and_diamond.py", "zeros.py", "outliers.py"],
    "many_minima": [
        "convexity.py",
        "gabor_landscape.py",
        "momentum_jumps.py",
        "gabor_answer.py",
    ],
    "model_selection": ["overfitting.py", "grid_search.py"],
    "networks": [
        "digits.py",
        "batch_norm_rates.py",
        "batch_norm_limits.py",
        "network_surface.py",
        "network_overfitting.py",
    ],
    "pieces": ["workers.py", "stream.py"],
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "subsection_order": ExplicitOrder([f"../examples/{folder}" for folder in EXAMPLES][1:]),
    "within_subsection_order": ExplicitOrder([n for names in EXAMPLES.values() for n in names]),
    "reset_modules": ("matplotlib",),
    "abort_on_example_error": True,
    "doc_module": ("skgd",),
    "reference_url": {"skgd": None},
    "backreferences_dir": None,
    "download_all_examples": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "capture_repr": ("_repr_html_",),
    "image_srcset": ["2x"],
}

html_title = f"skgd {release}"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "skgd"},
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "start": [], "changelog": []}

# Matplotlib has no screen here, and warns at each `plt.show()`.
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def trailing_underscores(app, what, name, obj, options, lines):
    """Escape names such as ``n_iter_`` in shapes, so that they are not read as links."""
    for i, line in enumerate(lines):
        if " of shape (" in line:
            lines[i] = re.sub(r"(?<=\w)_(?=[ ,)])", r"\_", line)


def add_interactive_page(app, exception):
    """Write the page to play on beside the others."""
    if exception is None and app.builder.format == "html":
        from interactive_page import build

        build(app.outdir)


def setup(app):
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", trailing_underscores)
    app.connect("build-finished", add_interactive_page)
