"""The verification page in a real browser: by mouse, by keyboard, without scripts, on a phone."""

import base64
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from guard.gateway import create_app
from guard.gateway.uploads import MAX_UPLOAD_BYTES
from guard.pipeline import ImageRequest, deliver
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.browser import WAIT_SECONDS, chromium
from tests.support.deployment import PROVIDER, pipeline_of

DESKTOP, PHONE = (1280, 900), (360, 740)
AA_CONTRAST = 4.5  # WCAG 2.2, 1.4.3, of text of any size
SMALLEST_TARGET = 24  # CSS pixels, WCAG 2.2, 2.5.8

FAINT_TEXTS = """
const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const channel = (c) => linear(c / 255);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const colour = parts(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !node.getClientRects().length) continue;
  seen += 1;
  const [a, b] = [light(parts(getComputedStyle(node).color)), light(ground(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < arguments[0]) faint.push([walker.currentNode.data.trim(), ratio]);
}
return {seen, faint};
"""

DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], "dropped.png", {type: "image/png"}));
const zone = document.getElementById("drop");
for (const kind of ["dragenter", "dragover", "drop"]) {
  zone.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home.create(tmp_path_factory.mktemp("page") / "home", provider=PROVIDER, version="0.0")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def address(home: Home) -> Iterator[str]:
    with served(create_app(home, pipeline_of(home))) as url:
        yield url


@pytest.fixture(scope="module")
def picture(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (released,) = pipeline_of(home).run(ImageRequest(prompt="a calm sea", seed=3)).released
    path = tmp_path_factory.mktemp("pictures") / "sea.png"
    path.write_bytes(deliver(released))
    return path


@pytest.fixture(scope="module")
def desktop() -> Iterator[Chrome]:
    with chromium(*DESKTOP) as browser:
        yield browser


@pytest.fixture(scope="module")
def phone() -> Iterator[Chrome]:
    """A small one that runs no scripts."""
    with chromium(*PHONE, scripts=False) as browser:
        yield browser


def wait_for(browser: Chrome, css: str) -> Any:
    return WebDriverWait(browser, WAIT_SECONDS).until(
        lambda b: next(iter(b.find_elements(By.CSS_SELECTOR, css)), None)
    )


def ask(browser: Chrome, address: str, picture: Path) -> None:
    browser.get(f"{address}/verify")
    browser.find_element(By.ID, "file").send_keys(str(picture))
    browser.find_element(By.CSS_SELECTOR, "#ask button").click()
    wait_for(browser, ".answer")


def complaints(browser: Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def test_a_picture_that_is_dropped_is_answered(
    desktop: Chrome, address: str, picture: Path
) -> None:
    desktop.get(f"{address}/verify")
    assert "drop it here" in desktop.find_element(By.ID, "drop").text
    desktop.execute_script(DROP, base64.b64encode(picture.read_bytes()).decode())
    assert "holds" in wait_for(desktop, ".answer").get_attribute("class")
    assert "dropped.png" in desktop.find_element(By.CSS_SELECTOR, ".file").text
    assert complaints(desktop) == [], "the browser saw nothing that its policy forbids"


def test_the_whole_way_by_keyboard(desktop: Chrome, address: str, picture: Path) -> None:
    desktop.get(f"{address}/verify")
    reached = []
    for _ in range(3):
        ActionChains(desktop).send_keys(Keys.TAB).perform()
        here = desktop.switch_to.active_element
        outline = here.value_of_css_property("outline-style")
        reached.append((here.tag_name, here.get_attribute("id"), outline))
        if here.get_attribute("id") == "file":
            here.send_keys(str(picture))
    assert [tag for tag, _, _ in reached] == ["a", "input", "button"]
    assert {outline for _, _, outline in reached} == {"solid"}, "where one is can be seen"
    ActionChains(desktop).send_keys(Keys.ENTER).perform()
    wait_for(desktop, ".answer")
    opinion = desktop.find_element(By.CSS_SELECTOR, "input[value=right]")
    opinion.send_keys(Keys.SPACE)
    opinion.send_keys(Keys.ENTER)
    assert "Thank you" in wait_for(desktop, "[role=status].sheet").text


def test_without_scripts_on_a_phone(phone: Chrome, address: str, picture: Path) -> None:
    phone.get(f"{address}/verify")
    assert "drop it here" not in phone.find_element(By.ID, "drop").text
    ask(phone, address, picture)
    assert "We know where this picture comes from" in phone.title
    phone.find_element(By.CSS_SELECTOR, "input[value=unsure]").click()
    phone.find_element(By.CSS_SELECTOR, "button.second").click()
    assert "Thank you" in wait_for(phone, "[role=status].sheet").text


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_who_sends_too_much_is_told_so(
    request: pytest.FixtureRequest, address: str, tmp_path: Path, size: str
) -> None:
    browser: Chrome = request.getfixturevalue(size)
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES + 24 * 2**20)
    browser.get(f"{address}/verify")
    browser.find_element(By.ID, "file").send_keys(str(large))
    browser.find_element(By.CSS_SELECTOR, "#ask button").click()
    said = "#status" if size == "desktop" else "[role=alert]"  # the phone runs no scripts
    WebDriverWait(browser, WAIT_SECONDS).until(
        lambda b: any("smaller" in e.text for e in b.find_elements(By.CSS_SELECTOR, said))
    )


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("answered", [False, True], ids=["form", "answer"])
def test_the_page_is_for_everybody(
    request: pytest.FixtureRequest, address: str, picture: Path, size: str, answered: bool
) -> None:
    browser: Chrome = request.getfixturevalue(size)
    if answered:
        ask(browser, address, picture)
        browser.find_element(By.TAG_NAME, "summary").click()
    else:
        browser.get(f"{address}/verify")
    find = browser.find_elements
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
    for landmark in ("header", "main", "footer"):
        assert len(find(By.TAG_NAME, landmark)) == 1
    levels = [int(h.tag_name[1]) for h in find(By.CSS_SELECTOR, "h1, h2, h3, h4, h5, h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels)), levels
    for control in find(By.CSS_SELECTOR, "input:not([type=hidden]), textarea, button"):
        assert control.accessible_name, control.get_attribute("outerHTML")
        assert control.size["height"] >= SMALLEST_TARGET or control.get_attribute("type") == "radio"
    assert all(image.get_attribute("alt") for image in find(By.TAG_NAME, "img"))
    texts: Any = browser.execute_script(FAINT_TEXTS, AA_CONTRAST)
    assert texts["seen"] > 10
    assert texts["faint"] == []
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(wide) <= 0, "nothing has to be scrolled sideways"
