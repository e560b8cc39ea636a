"""How the documentation becomes pages (`make docs`): Sphinx with MyST, the pages of this repository as they stand.

The source is the whole repository and nothing is copied: README, ARCHITECTURE and CHANGELOG are pages, so every link that
works between the files works between the pages. Nothing is loaded from the net, neither to build nor to read.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

project = "hjemmevakt"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
copyright = "the hjemmevakt contributors"  # noqa: A001 - Sphinx wants this name
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "docs/decisions/*.md", "deploy/*.md"]
exclude_patterns = [".*", "var", "build", "dist", "tests", "devices", "alerts", "gateway", "simulators"]

extensions = ["myst_parser", "apireference"]
myst_enable_extensions = ["html_image", "deflist"]
myst_heading_anchors = 4
nitpicky = True
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "pydata_sphinx_theme"
html_title = "hjemmevakt"
html_extra_path = ["site"]
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_sidebars = {"**": ["contents.html"]}
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {
    "show_toc_level": 2,
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
