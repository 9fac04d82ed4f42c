"""One HTML page that shows what stores and models hold, and how they came about."""

from mksdask.report.page import write_report

__all__ = ["write_report"]
