"""The house stands as it was drawn: imports, sizes, errors, links, and nothing that is private."""

import ast
import importlib
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import policies.errors
from policies.errors import WardmarkError

ROOT = Path(__file__).parent.parent
WINGS = ("guard", "datasets_audit", "provenance", "policies")
PACKAGES = (*WINGS, "migrations")
MAX_LINES = 450
HEAVY = {
    "captum",
    "diffusers",
    "duckdb",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "rapidocr_onnxruntime",
    "scipy",
    "skimage",
    "sklearn",
    "torch",
    "transformers",
}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that git would deliver; without git (a source archive), every file there is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        hidden = {".venv", "build", "dist", "__pycache__", ".git"}
        every = (p for p in ROOT.rglob("*") if not hidden.intersection(p.parts))
        return tuple(sorted(p for p in every if p.is_file()))
    return tuple(sorted(p for n in listed.stdout.split("\0") if n and (p := ROOT / n).is_file()))


def modules(*folders: str) -> list[Path]:
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders
    ]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_asking_for_help_loads_nothing_heavy() -> None:
    program = (
        "import contextlib, io, json, sys\n"
        "from guard.cli import run\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    code = run(['--help'])\n"
        "print(json.dumps([code, sorted({name.split('.')[0] for name in sys.modules})]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert HEAVY.intersection(loaded) == set()


def test_every_module_says_what_it_is() -> None:
    silent = [
        path
        for path in modules(*PACKAGES, "benchmarks")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert names(silent) == []


def test_no_module_has_taken_in_a_second_noun() -> None:
    long = [
        path
        for path in modules(*PACKAGES)
        if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES
    ]
    assert names(long) == []


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
    assert names([path for path in modules(*PACKAGES) if path.name in drawers]) == []


def test_no_file_holds_a_private_key_or_somebodys_home() -> None:
    # Spelt in pieces, so that this file does not hold what it looks for.
    key = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE" + rb" KEY-----")
    home = re.compile(
        rb"(?:/ho" + rb"me/|/Us" + rb"ers/|[A-Z]:\\Us" + rb"ers\\)[A-Za-z0-9_.-]+[/\\]"
    )
    holding = [
        path
        for path in tracked_files()
        if key.search(data := path.read_bytes()) or home.search(data)
    ]
    assert names(holding) == []


def drawn_tree(docstring: str) -> dict[str, tuple[str | None, tuple[int, int] | None]]:
    """Class -> (its parent in the drawing, (exit code, HTTP status) where the line gives them)."""
    drawn: dict[str, tuple[str | None, tuple[int, int] | None]] = {}
    above: list[tuple[int, str]] = []
    line_form = re.compile(r"^([\s│├└─]*)([A-Z]\w+)(?:\s+\([\w.]+\))?(?:\s+(\d+) / (\d+))?")
    drawing = docstring[max(0, docstring.find("WardmarkError")) :].split("\n\n")[0]
    for line in drawing.splitlines():
        if (found := line_form.match(line)) is None:
            continue
        depth, name = len(found[1]), found[2]
        while above and above[-1][0] >= depth:
            above.pop()
        numbers = (int(found[3]), int(found[4])) if found[3] else None
        drawn[name] = (above[-1][1] if above else None, numbers)
        above.append((depth, name))
    return drawn


@pytest.mark.parametrize("wing", WINGS)
def test_the_tree_of_errors_is_as_drawn(wing: str) -> None:
    module = importlib.import_module(f"{wing}.errors")
    drawn = drawn_tree(module.__doc__ or "")
    defined = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__ == module.__name__
    }
    assert set(defined) <= set(drawn), "a class is missing from the drawing"
    for name, (parent, numbers) in drawn.items():
        error = getattr(module, name, None) or getattr(policies.errors, name)
        assert issubclass(error, WardmarkError), name
        assert isinstance(error.exit_code, int), name
        assert 400 <= error.http_status < 600, name
        assert re.fullmatch(r"[a-z_]+", error.code), name
        assert error.__doc__, name
        if parent is not None:
            assert error.__base__.__name__ == parent, f"{name} hangs elsewhere"
        if numbers is not None:
            assert (error.exit_code, error.http_status) == numbers, name


def test_errors_are_defined_where_they_are_drawn() -> None:
    trees = {
        name
        for wing in WINGS
        for name, value in vars(importlib.import_module(f"{wing}.errors")).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    strays = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in modules(*WINGS)
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in trees for base in node.bases)
    ]
    assert strays == []


LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that a forge gives to the headings of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+\s+(.*?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in (path for path in tracked_files() if path.suffix == ".md"):
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target in (markdown or html for markdown, html in LINK.findall(text)):
            if re.match(r"[a-z]+:", target):
                continue
            place, _, anchor = target.partition("#")
            to = (page.parent / place).resolve() if place else page
            if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to)):
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []
