"""Damaged files for the readers of credentials, and what must hold of each."""

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from provenance.credential import Integrity, State, check_store, read
from provenance.credential.cbor import Malformed, decode
from provenance.credential.container import find_store, holds_stores
from provenance.credential.reader import open_store
from provenance.credential.reader.timestamp import read_token
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.keys.chain import MALFORMED
from provenance.picture import encode, media_type
from tests.credential.forge import Forgery, pen
from tests.credential.scenery import picture
from tests.credential.stamps import TimeStamping
from tests.verify.attacks import KINDS, VOUCHED, copies, histories, signers, structure
from tests.verify.studio import Studio

THEMES = (copies, structure, signers, histories)
SECONDS = 2.0  # of CPU for one input
MAX_CHANGES = 6
SIDE = 64  # pixels: small, so that changes meet the credential
STAMP = TimeStamping()
TOKEN = STAMP.stamp(b"message")
HONEST = {
    kind: Forgery(stamp=STAMP.stamp).into(
        encode(picture(seed=1, size=SIDE), kind), pen(VOUCHED.signer()), kind
    )
    for kind in ("png", "jpeg", "webp")
}
TRUST = VOUCHED.trust | STAMP.trust

STATED = [read(data, TRUST).contents for data in HONEST.values()]
"""What a signer stated; ``corpus`` adds its own. What no signature covers (an OCSP answer, say) can
be cut out of a file, which may then prove what was stated before."""

Check = Callable[[bytes], None]


def a_reader_says_malformed_or_reads(data: bytes) -> None:
    """Our own reader of stores, and of the CBOR in them."""
    try:
        reading = open_store(data)
        reading.statements()
        reading.time_stamp(TRUST)
        reading.binding(data)
        reading.exclusions(data)
    except Malformed:
        pass
    with contextlib.suppress(Malformed):
        decode(data)


def a_token_says_malformed_or_reads(data: bytes) -> None:
    """A time stamp: whatever holds is the honest one."""
    try:
        stamp = read_token(data, b"message", STAMP.trust)
    except (Malformed, LookupError, *MALFORMED):
        return
    assert stamp.problem is not None or stamp == read_token(TOKEN, b"message", STAMP.trust)


def a_file_gets_an_answer(data: bytes) -> None:
    """Whatever the bytes are; and what is damaged does not prove anything."""
    try:
        kind = media_type(data)
        found = find_store(data, kind) if holds_stores(kind) else None
        credential = read(data, TRUST)
    except (PictureInvalid, PictureTooLarge):
        return
    # So nobody can make a credential prove what its signer did not state.
    assert not credential.proves or credential.contents in STATED
    if found is not None:
        assert check_store(found.store, TRUST).state in State


CHECKS: tuple[Check, ...] = (
    a_reader_says_malformed_or_reads,
    a_token_says_malformed_or_reads,
    a_file_gets_an_answer,
)


def corpus(every: int = 1) -> list[bytes]:
    """Files of every kind of attack (or of one in so many), honest ones, and the stores and tokens
    in them."""
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder))
        own, other = studio.deliver(picture(seed=0)), studio.deliver(picture(seed=1))
        files = [kind.attack(studio, own, other).data for kind in KINDS[::every]]
        studio.ledger.close()
    files += HONEST.values()
    whole = (found for data in files if (found := read(data, TRUST)).integrity is Integrity.INTACT)
    STATED.extend(found.contents for found in whole)
    stores = [
        found.store for data in files if (found := find_store(data, media_type(data))) is not None
    ]
    return [*files, *stores, TOKEN]


def mutations(seeds: list[bytes], seed: int) -> Iterator[bytes]:
    """Endless changes of ``seeds``: bits, bytes, pieces cut, doubled, and taken from another."""
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, MAX_CHANGES)):
            at = chance.randrange(min(len(data), 8000) + 1)
            length = chance.choice((1, 1, 2, 4, 8, 40))
            piece = chance.choice(
                (
                    b"",
                    chance.randbytes(length),
                    bytes(data[at : at + length]) * 2,
                    chance.choice((b"\xff", b"\0", b"\x7f", b"\x9f", b"\xbf", b"\xd2")) * length,
                    chance.choice(seeds)[at : at + length],
                )
            )
            data[at : at + length] = piece
        yield bytes(data)
