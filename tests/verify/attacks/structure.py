"""How a credential is written and where it stands: boxes, CBOR, hashes, exclusions, places."""

import struct

from provenance.credential.container import REMOTE_POINTER, find_store
from provenance.picture import encode
from provenance.verify import Verdict
from tests.credential.forge import CREATED, Forgery, Picture, manifests_of, pen
from tests.credential.scenery import picture
from tests.verify.attacks import (
    VOUCHED,
    Case,
    forged,
    fresh,
    kind,
    with_chunk,
    with_store,
)
from tests.verify.studio import Delivered, Studio

NOTE = "org.example.note"


def said(note: object) -> dict[str, object]:
    """The least that must be stated, and a note."""
    return {"c2pa.actions.v2": CREATED, NOTE: note}


def store_of(data: bytes) -> bytes:
    """The store in a PNG."""
    found = find_store(data, "image/png")
    assert found is not None
    return found.store


def box(content: bytes, kind: bytes = b"jumb") -> bytes:
    """A box of that kind."""
    return struct.pack(">I", len(content) + 8) + kind + content


# What cannot be read, or could be read in two ways.


@kind(Verdict.RECOVERED, "unreadable-credential")
def store_truncated(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(encode(own.pixels, "png"), own.record.credential[:3000]))


@kind(Verdict.RECOVERED, "unreadable-credential")
def two_stores(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(own.data, other.record.credential))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def store_is_garbage(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(fresh(40), b"garbage" * 50))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def store_of_nothing(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(fresh(40), b""))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def outer_length_lies(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(after=lambda store: b"\xff\xff\xff\xff" + store[4:]))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def bytes_behind_the_store(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(after=lambda store: store + b"hidden"))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def list_of_billions(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(said(b"\x9b\x00\x00\x00\x0f\xff\xff\xff\xff" + bytes(40))))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def endless_nesting(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(said(b"\x81" * 10_000 + b"\0")))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def key_twice(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """Who made it, said twice: each reader may take another of the two."""
    return forged(Forgery(said(b"\xa2\x64made\x66camera\x64made\x65model")))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def manifest_twice(studio: Studio, own: Delivered, other: Delivered) -> Case:
    label = "urn:c2pa:" + "1" * 36
    first = Forgery(label=label).into(fresh(50), pen(VOUCHED.signer()))
    return forged(Forgery(label=label, parents=manifests_of(store_of(first))))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def manifest_compressed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(parents=[box(b"\x0b\x02\x80not told", b"brob")]))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def boxes_in_boxes(studio: Studio, own: Delivered, other: Delivered) -> Case:
    nested = box(b"", b"free")
    for _ in range(200):
        nested = box(nested)
    return forged(Forgery(parents=[nested]))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def boxes_without_number(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(parents=[box(box(b"", b"free") * 30_000)]))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def statement_that_the_claim_does_not_name(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    return forged(Forgery(unlisted={NOTE: {"made": "by a camera"}}))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def claim_of_unknown_kind(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(claim_label="c2pa.claim.v9"))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def store_behind_the_end(studio: Studio, own: Delivered, other: Delivered) -> Case:
    honest = Forgery().into(fresh(50), pen(VOUCHED.signer()))
    return Case(with_chunk(fresh(50), b"caBX", store_of(honest), len(fresh(50))), VOUCHED.trust)


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def store_in_a_comment(studio: Studio, own: Delivered, other: Delivered) -> Case:
    honest = Forgery().into(fresh(50), pen(VOUCHED.signer()))
    return Case(with_chunk(fresh(50), b"tEXt", b"c2pa\0" + store_of(honest)), VOUCHED.trust)


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def credential_at_a_remote_address(studio: Studio, own: Delivered, other: Delivered) -> Case:
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0<x " + REMOTE_POINTER + b'="http://127.0.0.1/secret"/>'
    return Case(with_chunk(fresh(50), b"iTXt", xmp))


# What was changed after it was signed.


@kind(Verdict.CONTRADICTED, "altered-credential")
def statement_changed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    changed = own.record.credential.replace(b"Example Pictures", b"Exempla Pictures")
    return Case(with_store(encode(own.pixels, "png"), changed))


@kind(Verdict.CONTRADICTED, "altered-credential")
def claim_changed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(after=lambda store: store.replace(b"forger", b"camera")))


@kind(Verdict.CONTRADICTED, "altered-credential")
def signature_changed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(after=lambda store: store[:-5] + bytes([store[-5] ^ 1]) + store[-4:]))


@kind(Verdict.CONTRADICTED, "altered-credential")
def own_picture_in_the_credential_changed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    small = encode(picture(seed=50, size=96), "png")
    shown = {"c2pa.actions.v2": CREATED, "c2pa.thumbnail.claim": Picture("image/png", small)}
    changed = small[:-30] + bytes([small[-30] ^ 1]) + small[-29:]
    return forged(Forgery(shown, after=lambda store: store.replace(small, changed)))


@kind(Verdict.CONTRADICTED, "swapped-manifest")
def strangers_credential_on_another_picture(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    """No record knows it, and it states no identifier: its own picture of itself tells."""
    shown = Picture("image/png", encode(picture(seed=50), "png"))
    honest = Forgery({"c2pa.actions.v2": CREATED, "c2pa.thumbnail.claim": shown})
    store = store_of(honest.into(fresh(50), pen(VOUCHED.signer())))
    return Case(with_store(fresh(52), store), VOUCHED.trust)


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def credential_kept_through_a_new_encoding(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    """The very same pixels, encoded anew: nobody signed that."""
    shown = Picture("image/png", encode(picture(seed=50), "png"))
    honest = Forgery({"c2pa.actions.v2": CREATED, "c2pa.thumbnail.claim": shown})
    store = store_of(honest.into(fresh(50), pen(VOUCHED.signer())))
    anew = with_chunk(fresh(50), b"gAMA", (45455).to_bytes(4, "big"))
    return Case(with_store(anew, store), VOUCHED.trust)


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def bytes_behind_a_signed_jpeg(studio: Studio, own: Delivered, other: Delivered) -> Case:
    jpeg = encode(picture(seed=50), "jpeg")
    return Case(Forgery().into(jpeg, pen(VOUCHED.signer()), "jpeg") + b"more", VOUCHED.trust)


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def comment_in_a_signed_jpeg(studio: Studio, own: Delivered, other: Delivered) -> Case:
    signed = Forgery().into(encode(picture(seed=50), "jpeg"), pen(VOUCHED.signer()), "jpeg")
    at = signed.index(b"\xff\xdb")
    return Case(signed[:at] + b"\xff\xfe\x00\x07faked" + signed[at:], VOUCHED.trust)


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def chunk_in_a_signed_webp(studio: Studio, own: Delivered, other: Delivered) -> Case:
    signed = Forgery().into(encode(picture(seed=50), "webp"), pen(VOUCHED.signer()), "webp")
    return Case(signed + b"EXIF\x04\0\0\0fake", VOUCHED.trust)


# What the signer left unprotected, or bound to nothing.


@kind(Verdict.UNCONFIRMED, "over-broad-exclusion")
def part_left_unprotected(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(left_out=[(len(fresh(50)) - 4000, 2000)]))


@kind(Verdict.UNCONFIRMED, "over-broad-exclusion")
def all_pixels_left_unprotected(studio: Studio, own: Delivered, other: Delivered) -> Case:
    start = fresh(50).index(b"IDAT") + 4
    return forged(Forgery(left_out=[(start, len(fresh(50)) - start - 16)]))


@kind(Verdict.UNCONFIRMED, "over-broad-exclusion")
def parts_left_unprotected_in_a_jpeg(studio: Studio, own: Delivered, other: Delivered) -> Case:
    jpeg = encode(picture(seed=50), "jpeg")
    scattered = Forgery(left_out=[(len(jpeg) - 3000, 100), (len(jpeg) - 1000, 100)])
    return Case(scattered.into(jpeg, pen(VOUCHED.signer()), "jpeg"), VOUCHED.trust)


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def exclusion_beyond_the_file(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(binding=lambda b: b.update(exclusions=[{"start": 9, "length": 10**9}])))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def bound_to_no_bytes(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(Forgery(bound=False))


@kind(Verdict.UNCONFIRMED, "readers-disagree")
def exclusion_that_shares_bytes_with_the_next(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    """The same bytes left out twice: counted once, or not allowed, as one takes it."""

    def twice(binding: dict[str, object]) -> None:
        (first,) = binding["exclusions"]  # type: ignore[misc]
        binding["exclusions"] = [first, first]

    return forged(Forgery(binding=twice))


@kind(Verdict.UNCONFIRMED, "malformed-credential")
def history_that_begins_with_nothing(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """Neither created nor opened: the specification wants one of the two first."""
    return forged(Forgery({"c2pa.actions.v2": {"actions": [{"action": "c2pa.edited"}]}}))


@kind(Verdict.CONTRADICTED, "altered-credential")
def statement_gone(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """The claim names a statement that is not there."""

    def name_more(claim: dict[str, object]) -> None:
        listed = claim["created_assertions"]
        listed.append({"url": f"self#jumbf=c2pa.assertions/{NOTE}", "hash": bytes(32)})  # type: ignore[attr-defined]

    return forged(Forgery(claim=name_more))
