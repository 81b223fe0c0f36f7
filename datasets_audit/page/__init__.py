"""The report as one HTML file: no script, no network, printable."""

from datasets_audit.page.page import render, render_checklist

__all__ = ["render", "render_checklist"]
