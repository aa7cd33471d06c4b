"""Reads an OpenMetrics page with the reference parser and prints the number of its samples."""

import sys

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    sys.exit("the Python module prometheus_client is missing: "
             "install prometheus-client from PyPI, or run tests/setup")

page = sys.stdin.buffer.read().decode("utf-8")
families = list(text_string_to_metric_families(page))
if not families:
    sys.exit("the page has no metrics")
for family in families:
    if not family.documentation:
        sys.exit(f"{family.name} has no help")
print(sum(len(family.samples) for family in families))
