"""What would make it established: said for every verdict that is not, and for every name."""

import ast
import inspect
import re
from pathlib import Path
from types import ModuleType

from hypothesis import given

from provenance.verify import Verdict, credential_rules, record_rules, verify
from provenance.verify.findings import Findings
from provenance.verify.remedy import remedies
from provenance.verify.rules import agreements, verdict
from tests.credential.authority import DAY
from tests.credential.forge import Forgery, pen
from tests.verify.attacks import STRANGER, VOUCHED, fresh
from tests.verify.findings import findings
from tests.verify.studio import Delivered, Studio

NAME = re.compile(r"[a-z]+(-[a-z]+)+|revoked|stripped")
MERELY_TOLD = {"mark-missing", "unknown-ingredient", "foreign-mark"}
"""These keep nothing from being established."""


def names(module: ModuleType) -> set[str]:
    """Every name that the rules of a module can give."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if NAME.fullmatch(text)}


def named() -> set[str]:
    return names(credential_rules) | names(record_rules)


@given(findings)
def test_whatever_is_not_established_says_what_would_make_it_so(found: Findings) -> None:
    said = agreements(found)
    judged = verdict(found, said)
    asked_for = remedies(found, said, judged)
    assert (asked_for == ()) == (judged is Verdict.ESTABLISHED)
    assert len(set(asked_for)) == len(asked_for)


def test_every_name_has_its_remedy() -> None:
    source = inspect.getsource(inspect.getmodule(remedies))  # type: ignore[arg-type]
    assert len(named()) > 25
    assert {name for name in named() if f'"{name}"' not in source} <= MERELY_TOLD


def test_every_name_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "verify.md").read_text(encoding="utf-8")
    assert {name for name in named() if f"`{name}`" not in page} == set()


def test_an_unknown_signer_is_told_by_whose_certificate_he_would_be_known() -> None:
    report = verify(Forgery().into(fresh(50), pen(STRANGER.signer())))
    assert any("CN=A stranger root" in sentence for sentence in report.to_establish)


def test_the_moment_at_which_an_expired_credential_would_hold_is_told() -> None:
    expired = VOUCHED.signer(starts=-20 * DAY, ends=-10 * DAY)
    report = verify(Forgery().into(fresh(50), pen(expired)))
    signer = report.credential.signer
    assert signer is not None
    assert signer.valid_until is not None
    assert any(f"{signer.valid_until:%Y-%m-%d}" in sentence for sentence in report.to_establish)


def test_an_established_picture_asks_for_nothing(studio: Studio, delivered: Delivered) -> None:
    assert verify(delivered.data, sources=studio.sources).to_establish == ()
