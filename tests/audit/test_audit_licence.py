"""Licences: what is recognised, what it asks, and that the unknown stays unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_audit.licence import DeclaredUse, Fit, LicenceClass, LicenceUse, classify

ANY, NC, ACADEMIC, UNKNOWN = LicenceUse


def shape(text: str | None) -> tuple[LicenceUse, bool, bool]:
    found = classify(text)
    return found.use, found.attribution, found.share_alike


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CC-BY-4.0", (ANY, True, False)),
        ("cc-by-4.0", (ANY, True, False)),
        ("CC BY 4.0", (ANY, True, False)),
        ("Creative Commons BY-NC-SA 3.0", (NC, True, True)),
        ("https://creativecommons.org/licenses/by/4.0/", (ANY, True, False)),
        ("http://creativecommons.org/licenses/by-nc-nd/2.0/de/", (NC, True, False)),
        ("creativecommons.org/licenses/by-sa/3.0/legalcode", (ANY, True, True)),
        ("https://creativecommons.org/publicdomain/zero/1.0/", (ANY, False, False)),
        ("https://creativecommons.org/publicdomain/mark/1.0/", (ANY, False, False)),
        ("CC0", (ANY, False, False)),
        ("Public Domain", (ANY, False, False)),
        ("MIT", (ANY, True, False)),
        ("Apache-2.0", (ANY, True, False)),
        ("ODbL-1.0", (ANY, True, True)),
        ("GPL-2.0-only WITH Classpath-exception-2.0", (ANY, True, True)),
        ("academic use only", (ACADEMIC, True, False)),
        ("Academic Research Purposes Only", (ACADEMIC, True, False)),
        ("non-commercial", (NC, False, False)),
    ],
)
def test_a_known_licence_is_classed_by_what_it_asks(
    text: str, expected: tuple[LicenceUse, bool, bool]
) -> None:
    assert shape(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "ask the photographer",
        "free",
        "open",
        "All rights reserved",
        "https://example.org/licence",
        "https://creativecommons.org/licenses/by-xx/4.0/",
        "https://creativecommons.org.evil.example/licenses/by/4.0/",
        "LicenseRef-mine",
        "MIT AND nonsense",
        "x" * 5000,
    ],
)
def test_what_is_not_recognised_is_unspecified(text: str | None) -> None:
    assert classify(text).use is UNKNOWN


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    assert isinstance(classify(text), LicenceClass)


def test_a_choice_of_licences_asks_the_least_of_them() -> None:
    assert shape("CC-BY-NC-4.0 OR MIT") == (ANY, True, False)
    assert shape("GPL-3.0-only OR MIT") == (ANY, True, False)


def test_licences_that_hold_together_ask_the_sum() -> None:
    assert shape("CC-BY-NC-4.0 AND GPL-3.0-only") == (NC, True, True)


def test_a_known_licence_without_a_class_is_unspecified_but_named() -> None:
    found = classify("JSON")
    assert found.expression == "JSON"
    assert found.use is UNKNOWN


@pytest.mark.parametrize(
    ("text", "commercial", "research"),
    [
        ("MIT", Fit.ALLOWED, Fit.ALLOWED),
        ("CC-BY-NC-4.0", Fit.CONFLICT, Fit.ALLOWED),
        ("academic use only", Fit.CONFLICT, Fit.ALLOWED),
        ("who knows", Fit.UNKNOWN, Fit.UNKNOWN),
    ],
)
def test_a_licence_is_held_against_the_declared_use(
    text: str, commercial: Fit, research: Fit
) -> None:
    assert classify(text).fit(DeclaredUse.COMMERCIAL) is commercial
    assert classify(text).fit(DeclaredUse.RESEARCH) is research
