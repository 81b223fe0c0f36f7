"""Checklists: what standards and laws ask for, and by which evidence each item is shown.

Identifiers are the sources' own, titles are our words; each document names its source and edition.
"""

from policies.frameworks.framework import (
    Control,
    Framework,
    Mode,
    framework_names,
    load_framework,
    load_frameworks,
)

__all__ = [
    "Control",
    "Framework",
    "Mode",
    "framework_names",
    "load_framework",
    "load_frameworks",
]
