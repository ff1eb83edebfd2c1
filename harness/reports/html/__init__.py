"""A report as one HTML page that needs nothing else: no font, no picture, no script from afar.

`page` puts it together from `sections` (what each scenario has to show), `fields` and `meaning`
(whose answers have what, and where); `prose`, `differing`, `timelines`, `bodies` and `pictures` are
what these are made of. `speech` is every word of the page that is ours, in both languages.
"""

from harness.reports.html.page import report

__all__ = ["report"]
