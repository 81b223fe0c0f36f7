"""Rules: identifiers with right check digits, and age terms beside sexual terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.prompts.rules import iban_is_valid, identifiers, luhn_is_valid, minors

# Numbers that their issuers publish as examples; no account or person is behind them.
IDENTIFIERS = {
    "write to jane.doe+art@example.co.uk please": "e-mail address",
    "pay to de89 3704 0044 0532 0130 00 today": "IBAN",
    "pay to gb82west12345698765432": "IBAN",
    "card 4111 1111 1111 1111, any date": "payment card",
    "card 378282246310005": "payment card",
    "ring +44 20 7946 0958 at noon": "telephone number",
    "ring (212) 555-0123": "telephone number",
    "she lives at 12 oak tree lane, springfield, il 62704": "address",
    "10 example road, london sw1a 1aa": "address",
    "his number is 219-09-9999": "social security number",
}


@pytest.mark.parametrize("text", IDENTIFIERS)
def test_an_identifier_is_found(text: str) -> None:
    assert {hit.what for hit in identifiers(text)} == {IDENTIFIERS[text]}


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112",
        "pay to de88 3704 0044 0532 0130 00",
        "1920x1080, 35mm, f/1.8, 1980-1990, 8k",
        "0000 0000 0000 0000",
        "(masterpiece:1.2), (best quality:1.4)",
        "12 3 45 678 90",
        "@artist on the wall",
        "2 men walking down the street, 35mm",
        "a crowd of 12000 on the road at 5 am",
        "666-12-3456",
        "6120737465616d20747261696e4111111111111111f",
    ],
)
def test_what_only_looks_like_one_is_not(text: str) -> None:
    assert identifiers(text) == []


@given(st.integers(10**11, 10**15 - 1), st.integers(0, 9))
def test_one_check_digit_in_ten_is_right(body: int, other: int) -> None:
    right = [digit for digit in range(10) if luhn_is_valid(f"{body}{digit}")]
    assert len(right) == 1 or len(set(str(body))) == 1
    assert luhn_is_valid(f"{body}{other}") == (other in right)


@given(st.integers(0, 10**18 - 1))
def test_check_digits_of_an_iban_are_two_and_one_choice(account: int) -> None:
    right = [c for c in range(2, 99) if iban_is_valid(f"de{c:02d}{account:018d}")]
    assert len(right) == 1


@pytest.mark.parametrize(
    "age",
    [
        "12 year old",
        "aged 9",
        "fifteen years old",
        "14yo",
        "toddler",
        "schoolgirl",
        "underage",
        "teen",
    ],
)
def test_an_age_term_is_one_in_many_forms(age: str) -> None:
    found = minors(f"nude {age} there")
    assert found.age
    assert found.sexual


@pytest.mark.parametrize("text", ["a 25 year old woman, nude", "nude, aged 40", "naked, 1girl, 8k"])
def test_an_adult_is_no_minor(text: str) -> None:
    assert minors(text).age == []
