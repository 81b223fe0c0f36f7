"""The attack corpus: what can be done to a picture, the verdict, and the name it must be given.

Made anew by each run of the tests, with our own signer, our own ledger and a forger's tools.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

from provenance.credential import Claims, sign
from provenance.credential.manifest import ACTIONS, statements
from provenance.keys import TrustAnchors
from provenance.picture import encode
from provenance.verify import Verdict
from tests.credential.authority import Authority
from tests.credential.forge import STORE_AT, Forgery, pen
from tests.credential.scenery import picture
from tests.verify.studio import Delivered, Studio

STRANGER = Authority("A stranger")
VOUCHED = Authority("A vouched-for publisher")


class Case(NamedTuple):
    """A file to judge. ``trust``: anchors beside those of the studio."""

    data: bytes
    trust: TrustAnchors = TrustAnchors()


Attack = Callable[[Studio, Delivered, Delivered], Case]


class Kind(NamedTuple):
    """One kind of attack. ``name``: that the report must give it; None where nothing is wrong."""

    attack: Attack
    verdict: Verdict
    name: str | None


KINDS: list[Kind] = []


def kind(verdict: Verdict, name: str | None) -> Callable[[Attack], Attack]:
    """Enters a kind of attack into the corpus."""

    def enter(attack: Attack) -> Attack:
        KINDS.append(Kind(attack, verdict, name))
        return attack

    return enter


def fresh(seed: int) -> bytes:
    """A picture that nobody has recorded, as PNG."""
    return encode(picture(seed=seed), "png")


def forged(forgery: Forgery, seed: int = 50) -> Case:
    """A forgery by a vouched-for publisher on a picture that nobody has recorded."""
    return Case(forgery.into(fresh(seed), pen(VOUCHED.signer())), VOUCHED.trust)


def vouched(png: bytes, stated: Claims) -> Case:
    """Signed by a vouched-for publisher as an honest signer does."""
    return Case(sign(png, "image/png", stated, VOUCHED.signer()).data, VOUCHED.trust)


def assertions_of(stated: Claims) -> dict[str, object]:
    """What an honest signer would state."""
    listed = statements(stated)
    actions = {"actions": list(listed.actions), "allActionsIncluded": True}
    return {ACTIONS: actions, **listed.assertions}


def with_chunk(png: bytes, kind: bytes, content: bytes, at: int = STORE_AT) -> bytes:
    """``png`` with a further chunk, its checksum right."""
    chunk = kind + content
    whole = len(content).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return png[:at] + whole + png[at:]


def with_store(png: bytes, store: bytes) -> bytes:
    """``png`` with a further credential."""
    return with_chunk(png, b"caBX", store)


def with_store_of(source: Delivered, png: bytes) -> bytes:
    """``png`` with the credential of a delivered picture."""
    return with_store(png, source.record.credential)
