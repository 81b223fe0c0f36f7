"""Whether a page is for everybody: axe, and what axe leaves out."""

from importlib.resources import files
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SMALLEST_TARGET = 24  # CSS pixels, WCAG 2.2, 2.5.8
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0], resultTypes: ["violations"]}).then((found) =>
  done(found.violations.map((one) => `${one.id}: ${one.help}: ` +
    one.nodes.map((node) => node.html.slice(0, 160)).join(" | "))));
"""
WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def barriers(browser: Chrome) -> list[str]:
    """What keeps somebody out of the page as it stands; empty where nothing is found."""
    source = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    browser.execute_script(source)
    found: list[Any] = browser.execute_async_script(RUN, RULES)
    for control in browser.find_elements(By.CSS_SELECTOR, "button, select, input, textarea"):
        small = control.is_displayed() and control.size["height"] < SMALLEST_TARGET
        if small and control.get_attribute("type") not in ("radio", "checkbox"):
            found.append(f"small target: {control.get_attribute('outerHTML')}")
    if browser.execute_script(WIDE) > 0:
        found.append("the page has to be scrolled sideways")
    return found
