"""The report as one HTML file: no script, no network, printable."""

from datasets_audit.page.map import draw_map
from datasets_audit.page.page import render, render_checklist
from datasets_audit.page.thumbnails import thumbnails

__all__ = ["draw_map", "render", "render_checklist", "thumbnails"]
