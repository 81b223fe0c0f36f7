"""Makes the pictures of docs/console.md: a refused prompt, a held picture, a draft of a policy.

Run: make figures
"""

import io
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

sys.path.insert(0, str(Path(__file__).parent.parent))

from guard.deployment import build_pipeline
from guard.gateway import create_app
from guard.gateway.callers import Role
from policies.language import PolicyDocument
from policies.load import packs_folder
from policies.policy import Policy
from provenance.home import Home
from tests.console.conftest import Console, sign_in, until, wait_for_text
from tests.gateway.conftest import served
from tests.support.browser import chromium

IMAGES = Path(__file__).parent / "images"
SIZE = (1240, 900)
COLOURS = 64  # of a screenshot: a third of the bytes
PROMPT = "two boxers beat each other bloody, gore everywhere"


def shoot(browser: Chrome, name: str, height: int) -> None:
    """The upper ``height`` pixels of the page."""
    metrics = {"width": SIZE[0], "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png()))
    picture.convert("RGB").quantize(COLOURS).save(IMAGES / name, optimize=True)


def decision(browser: Chrome, console: Console) -> None:
    """A refused prompt, explained."""
    refused = console.ask(PROMPT)
    browser.get(f"{console.url}/decisions/{refused}")
    browser.find_element(By.ID, "prompt").send_keys(PROMPT)
    browser.find_element(By.CSS_SELECTOR, "#words button").click()
    wait_for_text(browser, "fits the commitment")
    browser.execute_script("scrollTo(0, 0)")
    shoot(browser, "console-decision.png", 1290)


def held(browser: Chrome, console: Console) -> None:
    """A picture that a person has to look at, under its veil. The assessors find nothing in it, so
    a policy that holds every picture takes the place of the one in force."""
    pipeline = console.pipeline
    rule = {
        "id": "look-first",
        "stage": "image",
        "when": {"field": "count", "op": ">=", "limit": 1},
        "action": "review",
        "message": "A person looks at every picture of this series first.",
    }
    document = pipeline.policy.document.model_dump(by_alias=True) | {"rules": [rule], "serves": []}
    policy = Policy(PolicyDocument.model_validate(document))
    asking = replace(console, pipeline=replace(pipeline, policy=policy))
    waiting = asking.ask("a red sailboat on the sea at sunset", seed=20261120)
    browser.get(f"{console.url}/review/{waiting}/0")
    until(browser, lambda b: b.find_element(By.CSS_SELECTOR, ".veil img").get_property("complete"))
    shoot(browser, "console-review.png", 860)


def draft(browser: Chrome, console: Console) -> None:
    """A draft that says something else than the file."""
    browser.get(f"{console.url}/policies")
    browser.find_element(By.ID, "title").send_keys("Say what may be asked instead")
    browser.find_element(By.XPATH, "//button[.='Begin a draft']").click()
    wait_for_text(browser, "It says what is in force.")
    change = "t = document.getElementById('policy'); t.value = t.value.replace(...arguments)"
    said = "Graphic violence is not drawn here."
    browser.execute_script(change, said, f"{said} A quarrel without blood is.")
    browser.find_element(By.XPATH, "//button[.='Save the draft']").click()
    wait_for_text(browser, "A quarrel without blood is.", ".diff")
    shoot(browser, "console-draft.png", 1180)


def main() -> None:
    """Write docs/images/console-*.png."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.create(Path(folder) / "home", provider="Wardmark demo", version="0.1.0")
        file = Path(folder) / "own.yaml"
        (file.parent / "cases").mkdir()
        shutil.copy(packs_folder() / "default.yaml", file)
        shutil.copy(packs_folder() / "cases" / "default.yaml", file.parent / "cases" / file.name)
        settings = home.path / "wardmark.toml"
        text = settings.read_text(encoding="utf-8").replace('"default"', f'"{file}"', 1)
        settings.write_text(text + "\n[review]\nkeep = true\n", encoding="utf-8")
        pipeline = build_pipeline(home)
        app = create_app(home, pipeline)
        with served(app) as address, chromium(*SIZE) as browser:
            console = Console(f"{address}/console", home, app, pipeline)
            sign_in(browser, console, console.key(Role.ADMIN))
            decision(browser, console)
            held(browser, console)
            draft(browser, console)
        home.ledger.close()


if __name__ == "__main__":
    main()
