"""Sphinx settings. Two builds of one commit give the same bytes: no date or host is written."""

project = "zeroserve"
author = "the zeroserve authors"
copyright = author  # noqa: A001 -- Sphinx's name for it; a year here would date the output

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
nitpicky = True
language = "en"
today_fmt = "-"

html_theme = "furo"
html_title = "zeroserve"
html_favicon = "../sites/hello/favicon.svg"
html_extra_path = ["_extra"]
html_copy_source = False
html_use_index = False  # nothing here is indexed by term
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_last_updated_fmt = None
# Furo's own style uses the reader's system fonts, so a page asks no other host for anything.
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#c2410c",
        "color-brand-content": "#c2410c",
        "color-brand-visited": "#9a3412",
    },
    "dark_css_variables": {
        "color-brand-primary": "#ff8a5c",
        "color-brand-content": "#ff8a5c",
        "color-brand-visited": "#ffb497",
    },
}
