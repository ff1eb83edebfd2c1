"""A report: a function from the report's model to the text of a file."""

import csv
import io

from harness.report import ReportFile


def render(report):
    """Return the findings as CSV."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(["scenario", "target", "rule", "severity", "message"])
    for finding in report.findings:
        row = (finding.scenario, finding.target, finding.rule, finding.severity, finding.message)
        table.writerow(row)
    return file.getvalue()


CSV = ReportFile("findings.csv", render)
