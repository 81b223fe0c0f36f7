"""What the pages load: our own files, and htmx as it was published."""

import hashlib
import re
from importlib.resources import files

from tests.console.conftest import Console

STATIC = files("guard.console") / "static"


def test_htmx_is_the_file_whose_sum_is_on_record() -> None:
    readme = (STATIC / "htmx" / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((STATIC / "htmx" / "htmx.min.js").read_bytes()).hexdigest()
    assert digest in readme
    assert "Zero-Clause BSD" in (STATIC / "htmx" / "LICENSE.txt").read_text(encoding="utf-8")


def test_no_template_holds_script_style_or_anything_from_elsewhere() -> None:
    for template in (files("guard.console") / "templates").iterdir():
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on", text)
        addresses = re.findall(r"(?:src|href|action)=\"([^\"]*)\"", text)
        ours = ("/console", "/verify", "#", "{", "data:,")
        assert all(address.startswith(ours) for address in addresses), template


def test_every_form_that_changes_something_carries_the_sessions_token() -> None:
    for template in (files("guard.console") / "templates").iterdir():
        text = template.read_text(encoding="utf-8")
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
            assert 'name="csrf"' in form or "csrf(who)" in form or 'name="form"' in form, form


def test_files_are_served_by_name_and_nothing_beside_them(console: Console) -> None:
    with console.client() as client:
        for name, kind in (("style.css", "text/css"), ("htmx.js", "text/javascript")):
            assert client.get(f"/static/{name}").headers["content-type"].startswith(kind)
        for name in ("console.css", "..%2Fpage.py", "htmx%2FREADME.md"):
            assert client.get(f"/static/{name}").status_code in (303, 404)
