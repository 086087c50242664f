"""How Sphinx makes a site of these pages: decisions/0032-documentation-site.md."""

project = "credit-ct-dagster"
extensions = ["myst_parser"]
exclude_patterns = ["requirements.txt"]

# Anchors of headings are GitHub's, where the same pages are read too; a wrong one is a warning.
myst_heading_anchors = 4
smartquotes = False  # --yes is an option, and no dash
suppress_warnings = ["misc.highlighting_failure"]  # answers of the service are shortened with …

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "credit-ct-dagster"
html_copy_source = False
html_show_copyright = False
