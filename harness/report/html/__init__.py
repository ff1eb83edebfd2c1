"""A report as one HTML page that loads no other file, neither from disk nor from a network.

`page` renders the templates of this folder with `sections` (the views of each scenario, and the
changes since a recording) and the report itself. `charts`, `bodies`, `word_diff` and `contents`
prepare parts of these, `packing` compresses the scenarios of large reports.
`messages` has the page's own words, in both languages.
"""

from harness.config.extras import extra

with extra("report"):
    from harness.report.html.page import drawer, pieces, report

__all__ = ["drawer", "pieces", "report"]
