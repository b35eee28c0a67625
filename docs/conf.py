"""The site: one command, from the repository's root, without a network.

python -m sphinx -W --keep-going docs build/site

Pages are Markdown (MyST). The gallery's scripts are run, and the pages of the reference are made
from the docstrings of every public name (`_extensions/reference.py`).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "python"
sys.path.insert(0, str(HERE / "_extensions"))
if any(SOURCE.glob("chainrule/_core.*.*")):  # built in place; else the installed package serves
    sys.path.insert(0, str(SOURCE))

import chainrule  # noqa: E402

project = "chainrule"
author = "chainrule developers"
copyright = "chainrule developers"
version = release = chainrule.__version__
language = "en"

extensions = [
    "reference",
    "outside_links",
    "mathml",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["notebooks", "_templates", "gallery/*.py", "gallery/*.ipynb", "gallery/*.zip"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
default_role = "autolink"
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_generate_overwrite = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and dtypes stand in the docstrings
numpydoc_show_class_members = False
# Not PR01 and PR07: a method of one sentence names its arguments in it, and a setting that the
# formula above explains has no sentence of its own. Not PR03: shared settings stand first.
numpydoc_validation_checks = {
    "GL01", "GL02", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10",
    "SS01", "SS02", "SS04", "PR02", "PR05",
}  # fmt: skip

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "min_reported_time": 10,
    "remove_config_comments": True,
    "image_srcset": ["2x"],
    "capture_repr": ("_repr_html_",),
    "reference_url": {"chainrule": None},
    "backreferences_dir": None,
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "chainrule"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": True,
    "show_prev_next": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "logo": {"text": "chainrule"},
}
html_sidebars = {"quickstart": []}


def without_absent_pages(app, name, content):
    """Leave out lines whose page is not there; a page without a line is a warning."""
    if name in ("guide", "project"):
        lines = content[0].splitlines()
        pages = {line for line in lines if line.isidentifier()}
        absent = {page for page in pages if not (HERE / f"{page}.md").is_file()}
        content[0] = "\n".join(line for line in lines if line not in absent)


def setup(app):
    app.connect("source-read", without_absent_pages)
    app.connect("env-get-outdated", lambda *_: ["guide", "project"])
