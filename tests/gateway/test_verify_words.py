"""What is said to people: true of the report, for every report, and never "not made by AI"."""

import itertools
import re

import pytest

from guard.verification import words
from guard.verification.page import Item, environment, render, view
from provenance.credential.credential import Credential, Integrity, State
from provenance.picture import decode, encode
from provenance.verify import Report, Verdict, verify
from provenance.verify.report import differs
from tests.support.core import textured_picture


@pytest.fixture(scope="module")
def nothing() -> Report:
    return verify(encode(textured_picture("somebody else's", 96, 96, 9), "png"))


@pytest.mark.parametrize(("state", "integrity"), list(itertools.product(State, Integrity)))
def test_only_an_intact_statement_of_a_trusted_signer_holds(
    nothing: Report, state: State, integrity: Integrity
) -> None:
    credential = Credential(state=state, integrity=integrity)
    layer = words.layers(nothing.model_copy(update={"credential": credential}))[0]
    assert (layer.sign == "holds") == credential.proves
    assert (layer.sign == "missing") == (state is State.ABSENT)


@pytest.mark.parametrize("verdict", Verdict)
def test_no_answer_says_that_a_picture_is_not_by_ai_or_is_true(verdict: Verdict) -> None:
    said = " ".join(words.ANSWERS[verdict][1:]).lower()
    assert not re.search(r"(is|was) not (made|generated|created)|is real|authentic|genuine", said)
    assert (words.ANSWERS[verdict].sign == "holds") == verdict.answers


@pytest.mark.parametrize(
    ("name", "between", "blamed"),
    [
        ("transplanted-mark", ("fingerprint", "record"), {"watermark", "fingerprint"}),
        ("mark-mismatch", ("credential", "watermark"), {"watermark", "credential"}),
        ("record-mismatch", ("fingerprint", "record"), {"fingerprint"}),
        ("re-signed", ("credential", "record"), {"credential"}),
        ("record-not-proved", ("record", "ledger"), {"record"}),
        ("swapped-manifest", ("credential", "file"), {"credential"}),
        ("a name that is new", ("credential", "record"), {"credential", "record"}),
    ],
)
def test_a_contradiction_is_told_at_the_layers_that_it_speaks_against(
    nothing: Report, name: str, between: tuple[str, str], blamed: set[str]
) -> None:
    said = differs(between, name, "this is how it differs", contradicts=True)
    found = nothing.model_copy(update={"agreement": (said,), "verdict": Verdict.CONTRADICTED})
    against = {layer.name: layer.found for layer in words.layers(found) if layer.sign == "against"}
    assert set(against) == blamed
    assert all("this is how it differs" in text for text in against.values())


def test_without_a_ledger_nothing_is_said_of_records(nothing: Report) -> None:
    asked = words.layers(nothing)
    alone = words.layers(nothing, ledger_asked=False)
    assert "No picture on record" in asked[2].found
    assert {layer.found for layer in alone[2:]} == {
        "Not looked up: the file was examined by itself."
    }


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (1.0, "as often as not"),
        (0.13, "in about one case in 8"),
        (8e-4, "in about one case in 1,000"),
        (2.6e-7, "in about one case in 4,000,000"),
        (0.0, "in less than one case in a thousand million"),
    ],
)
def test_odds_are_told_in_cases(probability: float, said: str) -> None:
    assert words.odds(probability) == said


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ("2026-11-21T23:30:00-02:00", "22 November 2026, 01:30 UTC"),
        ("2026-11-21T11:42:58Z", "21 November 2026, 11:42 UTC"),
        ("yesterdayT", "yesterdayT"),
        ("20261121", "20261121"),
        ("0123456789abcdef", "0123456789abcdef"),
    ],
)
def test_times_are_told_in_words(stated: str, shown: str) -> None:
    assert words.moment(stated) == shown


def test_a_large_picture_is_shown_small_and_without_metadata() -> None:
    import base64

    from guard.verification.page import SHOWN_SIDE, picture_url

    url = picture_url(textured_picture("x", 900, 300, 1))
    shown = decode(base64.b64decode(url.partition(",")[2]))
    assert (shown.width, shown.height) == (SHOWN_SIDE, SHOWN_SIDE // 3)
    assert shown.media_type == "image/jpeg"


def test_templates_name_nothing_that_is_not_given(nothing: Report) -> None:
    from datetime import UTC, datetime

    assert environment().undefined.__name__ == "StrictUndefined"
    assert "none" in render([Item("x.png", view(nothing), None)], datetime.now(UTC))
