"""A report as one HTML page that needs nothing else: no font, no picture, no script from afar.

`page` puts it together from `sections` (what each scenario has to show), `fields` (whose requests
and answers have what), `drifting` (what changed), and what all forms of reports tell. `prose`,
`differing`, `timelines`, `bodies`, `pictures` and `evidence` are what these are made of. `speech`
is every word of the page that is ours, in both languages.
"""

from harness.report.html.page import report

__all__ = ["report"]
