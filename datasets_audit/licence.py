"""From what an annotation says of a licence to what that licence asks.

Read in this order: a Creative Commons URL, Creative Commons in words ("CC BY-NC 4.0"), an SPDX
expression (license-expression), a few plain phrases. What none of them recognises is
``unspecified``: unknown stays unknown and is never taken for open.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

MAX_LICENCE_LENGTH = 2_000  # characters; a longer text is a licence's text, not its name


class LicenceUse(StrEnum):
    """The widest use that a licence grants, from widest to none known."""

    ANY = "any"
    NON_COMMERCIAL = "non-commercial"
    ACADEMIC = "academic"
    UNSPECIFIED = "unspecified"

    @property
    def narrowness(self) -> int:
        """0 for any use up to 3 for a licence of which nothing is known."""
        return list(LicenceUse).index(self)


class DeclaredUse(StrEnum):
    """What the owner of the data set wants to do with it."""

    COMMERCIAL = "commercial"
    RESEARCH = "research"


class Fit(StrEnum):
    """Whether a licence allows the declared use."""

    ALLOWED = "allowed"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LicenceClass:
    """What one licence asks. ``expression`` is SPDX, or None where none was recognised."""

    expression: str | None
    use: LicenceUse
    attribution: bool
    share_alike: bool

    def fit(self, use: DeclaredUse) -> Fit:
        """Whether ``use`` is within this licence."""
        if self.use is LicenceUse.UNSPECIFIED:
            return Fit.UNKNOWN
        if use is DeclaredUse.COMMERCIAL and self.use is not LicenceUse.ANY:
            return Fit.CONFLICT
        return Fit.ALLOWED


UNSPECIFIED = LicenceClass(None, LicenceUse.UNSPECIFIED, attribution=False, share_alike=False)

_CC_URL = re.compile(
    r"^(?:https?://)?(?:www\.)?creativecommons\.org/"
    r"(?:licenses/(?P<parts>by(?:-(?:nc|sa|nd))*)/(?P<version>\d\.\d)|"
    r"publicdomain/(?P<public>zero|mark)/1\.0)(?:[/?#].*)?$",
    re.IGNORECASE,
)
_CC_WORDS = re.compile(
    r"^(?:cc|creative[ -]commons)[ -]*(?P<parts>by(?:[ -]+(?:nc|sa|nd))*)"
    r"(?:[ -]+v?(?P<version>\d\.\d))?$",
    re.IGNORECASE,
)
_PHRASES = {
    "cc0": "CC0-1.0",
    "cc0 1.0": "CC0-1.0",
    "public domain": "CC-PDDC",
    "mit license": "MIT",
    "mit licence": "MIT",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
}
_CC_KEY = re.compile(r"^CC-BY(?P<parts>(?:-(?:NC|SA|ND))*)(?:-\d\.\d.*)?$")
_ACADEMIC = re.compile(
    r"\b(?:academic|research|educational)(?:[ -](?:research|purposes?|use))*[ -]+only\b",
    re.IGNORECASE,
)
_NON_COMMERCIAL = re.compile(r"\bnon[ -]?commercial(?:[ -](?:use|purposes?))?(?:[ -]only)?\b", re.I)


@lru_cache(maxsize=4096)
def classify(text: str | None) -> LicenceClass:
    """The class of a licence named by a URL, an SPDX expression or a common phrase.

    ``A AND B`` asks for all that A and B ask; ``A OR B`` is the one that asks least.
    """
    said = " ".join((text or "").split())
    if not said or len(said) > MAX_LICENCE_LENGTH:
        return UNSPECIFIED
    expression = _as_spdx(said)
    if expression is not None:
        parsed = _parse(expression)
        if parsed is not None:
            return _class_of(parsed)
    if _ACADEMIC.search(said):
        return LicenceClass(None, LicenceUse.ACADEMIC, attribution=True, share_alike=False)
    if _NON_COMMERCIAL.fullmatch(said):
        return LicenceClass(None, LicenceUse.NON_COMMERCIAL, attribution=False, share_alike=False)
    return UNSPECIFIED


def _as_spdx(said: str) -> str | None:
    if url := _CC_URL.match(said):
        if url["public"]:
            return "CC0-1.0" if url["public"].lower() == "zero" else "CC-PDM-1.0"
        return f"CC-{url['parts'].upper()}-{url['version']}"
    if words := _CC_WORDS.match(said):
        parts = re.sub(r"[ -]+", "-", words["parts"]).upper()
        # A Creative Commons licence without its version is read as the current one: the
        # obligations that we class by are the same in all of them.
        return f"CC-{parts}-{words['version'] or '4.0'}"
    if "://" in said:
        return None
    return _PHRASES.get(said.lower(), said)


@lru_cache(maxsize=1)
def _licensing() -> Any:
    from license_expression import get_spdx_licensing  # 2,447 keys: only when needed

    return get_spdx_licensing()


def _parse(expression: str) -> Any | None:
    from license_expression import ExpressionError, ExpressionParseError

    try:
        return _licensing().parse(expression, validate=True)
    except (ExpressionError, ExpressionParseError):
        return None


def _class_of(parsed: Any) -> LicenceClass:
    from license_expression import AND, OR

    name = str(parsed)
    if isinstance(parsed, OR):
        best = min(
            (_class_of(part) for part in parsed.args),
            key=lambda c: (c.use.narrowness, c.share_alike, c.attribution),
        )
        return LicenceClass(name, best.use, best.attribution, best.share_alike)
    if isinstance(parsed, AND):
        parts = [_class_of(part) for part in parsed.args]
        return LicenceClass(
            name,
            max((part.use for part in parts), key=lambda use: use.narrowness),
            any(part.attribution for part in parts),
            any(part.share_alike for part in parts),
        )
    # "GPL-2.0-only WITH Classpath-exception-2.0": the exception widens, so the licence itself is
    # the cautious reading.
    key = str(getattr(parsed, "license_symbol", parsed))
    if creative := _CC_KEY.match(key):
        marks = set(creative["parts"].split("-"))
        use = LicenceUse.NON_COMMERCIAL if "NC" in marks else LicenceUse.ANY
        return LicenceClass(name, use, attribution=True, share_alike="SA" in marks)
    use, attribution, share_alike = _table().get(key, (LicenceUse.UNSPECIFIED, False, False))
    return LicenceClass(name, use, attribution, share_alike)


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[LicenceUse, bool, bool]]:
    text = (files("datasets_audit") / "licences.yaml").read_text(encoding="utf-8")
    return {
        key: (LicenceUse(use), asks != "plain", asks == "share_alike")
        for use, groups in yaml.safe_load(text).items()
        for asks, keys in groups.items()
        for key in keys
    }
