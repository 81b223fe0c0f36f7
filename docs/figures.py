"""Makes the pictures of the documentation: generated scenes, which word drew what in one, what
verify says of it on the command line, and the verification page on a desktop and on a phone.

Run: make figures
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

sys.path.insert(0, str(Path(__file__).parent.parent))

from guard.gateway import create_app
from guard.generation import load_core
from provenance.home import Home
from provenance.picture import decode, encode
from tests.gateway.conftest import served
from tests.support.browser import WAIT_SECONDS, chromium
from tests.support.deployment import pipeline_of

IMAGES = Path(__file__).parent / "images"
PROMPT = "a red sailboat on the sea at sunset, with mountains and the sun on the left"
SEED = 20261130
COLUMNS = 84
SHOWN_WORDS = ("sailboat", "sea", "sunset", "mountains", "sun")
WORD_SIDE, GAP = 160, 6  # pixels
SHEET = (
    "a red sailboat on the sea at sunset, with mountains",
    "a white horse on the left in a green meadow under a rainbow",
    "a red lighthouse on the right by the sea at night, the moon on the left",
    "an orange hot air balloon over snowy mountains at dawn",
    "a big pink whale in the middle of a calm sea on a sunny day, white clouds",
    "a red cottage on the right in a snowy field with falling snow, on a sunny day",
    "a watercolour of a cherry tree in a meadow with hills",
    "a yellow star above a blue circle on a white background",
    "a black and white drawing of a ship in front of mountains",
    "two white sheep in a field on a misty morning",
    "a fir tree in thick fog at sunset",
    "an old photograph of a house in the desert",
)
SHEET_SEED = 5  # of 1 to 6 the one whose pictures please most
SHEET_COLUMNS, SHEET_SIDE = 4, 240  # pictures in a row, pixels
COLOURS = 128  # of a screenshot: a third of the bytes


def wardmark(*arguments: str) -> str:
    """What the command prints, with its colours."""
    command = [sys.executable, "-c", "from guard.cli import main; main()", *arguments]
    environment = {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "PATH": os.environ["PATH"]}
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ).stdout


def pages(home: Path, picture: Path, folder: Path) -> None:
    """The page's answer on ``picture`` on a desktop, and on a copy of it on a phone."""
    copy = folder / "from-a-friend.jpg"
    copy.write_bytes(encode(decode(picture.read_bytes()).pixels, "jpeg", quality=80))
    opened = Home.open(home)
    with served(create_app(opened, pipeline_of(opened))) as address:
        for name, file, size in (
            ("verify-page-desktop.png", picture, (1000, 1240)),
            ("verify-page-phone.png", copy, (390, 1240)),
        ):
            with chromium(*size) as browser:
                browser.get(f"{address}/verify")
                browser.find_element(By.ID, "file").send_keys(str(file))
                browser.find_element(By.CSS_SELECTOR, "#ask button").click()
                WebDriverWait(browser, WAIT_SECONDS).until(
                    lambda b: b.find_elements(By.CLASS_NAME, "answer")
                )
                shot = Image.open(io.BytesIO(browser.get_screenshot_as_png()))
                shot.convert("RGB").quantize(COLOURS).save(IMAGES / name, optimize=True)
    opened.ledger.close()


def sheet() -> None:
    """What the core in the box draws, a picture a prompt, all of one seed."""
    core = load_core("scenes")
    tall = len(SHEET) // SHEET_COLUMNS
    step = SHEET_SIDE + GAP
    page = Image.new("RGB", (SHEET_COLUMNS * step - GAP, tall * step - GAP), "white")
    info = core.info
    for number, prompt in enumerate(SHEET):
        asked = info.request(prompt, seed=SHEET_SEED)
        tile = Image.fromarray(core.generate(asked)[0]).resize((SHEET_SIDE, SHEET_SIDE))
        row, column = divmod(number, SHEET_COLUMNS)
        page.paste(tile, (column * step, row * step))
    page.save(IMAGES / "scenes.jpg", quality=88)


def words(maps: Path) -> None:
    """Where some words of the prompt had their say, side by side."""
    found = {file.stem.rpartition("-")[2]: file for file in maps.iterdir()}
    tiles = [Image.open(found[word]).resize((WORD_SIDE, WORD_SIDE)) for word in SHOWN_WORDS]
    row = Image.new("RGB", (len(tiles) * (WORD_SIDE + GAP) - GAP, WORD_SIDE), "white")
    for number, tile in enumerate(tiles):
        row.paste(tile, (number * (WORD_SIDE + GAP), 0))
    row.save(IMAGES / "words.jpg", quality=88)


def main() -> None:
    """Write docs/images: scenes.jpg, sailboat.png, words.jpg, verify.svg, the two of the page."""
    IMAGES.mkdir(exist_ok=True)
    sheet()
    picture = IMAGES / "sailboat.png"
    with tempfile.TemporaryDirectory() as folder:
        home = str(Path(folder) / "home")
        wardmark("init", "--home", home, "--provider", "Wardmark demo")
        maps = Path(folder) / "maps"
        asked = ("-o", str(picture), "--seed", str(SEED), "--home", home, "--maps", str(maps))
        wardmark("generate", PROMPT, *asked)
        words(maps)
        said = wardmark("verify", str(picture), "--home", home)
        pages(Path(home), picture, Path(folder))
    console = Console(record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True)
    console.print("$ wardmark verify sailboat.png", style="bold")
    console.print(Text.from_ansi(said.replace(str(picture), "sailboat.png")))
    drawing = console.export_svg(title="wardmark")
    local = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)  # no font from the network
    (IMAGES / "verify.svg").write_text(local, encoding="utf-8")


if __name__ == "__main__":
    main()
