"""What happens to pictures and their marks: copies, edits, transplants."""

import cv2
import numpy as np

from provenance.credential import sign
from provenance.picture import encode
from provenance.verify import Verdict
from tests.credential.scenery import SCHEME, claims, picture
from tests.verify.attacks import (
    STRANGER,
    Case,
    fresh,
    kind,
    vouched,
    with_chunk,
    with_store_of,
)
from tests.verify.studio import Delivered, Studio


@kind(Verdict.ESTABLISHED, None)
def untouched(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(own.data)


@kind(Verdict.NONE, None)
def nothing_at_all(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(fresh(49))


@kind(Verdict.RECOVERED, "stripped")
def stripped(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(own.pixels, "png"))


@kind(Verdict.RECOVERED, "stripped")
def reencoded_as_jpeg(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(own.pixels, "jpeg", quality=90))


@kind(Verdict.RECOVERED, "stripped")
def reencoded_as_webp(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(own.pixels, "webp", quality=80))


@kind(Verdict.RECOVERED, "stripped")
def mark_destroyed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(_smaller(own), "jpeg", quality=70))


@kind(Verdict.RECOVERED, "stripped")
def mirrored(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(np.ascontiguousarray(own.pixels[:, ::-1]), "png"))


@kind(Verdict.RECOVERED, "stripped")
def turned_by_a_quarter(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(np.ascontiguousarray(np.rot90(own.pixels)), "png"))


@kind(Verdict.UNCONFIRMED, "altered-copy")
def painted_over_in_part(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """The mark still leads to the record; the picture is no longer the recorded one."""
    painted = own.pixels.copy()
    painted[:, :70] = picture(seed=81)[:, :70]
    return Case(encode(painted, "png"))


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def pixel_byte_flipped(studio: Studio, own: Delivered, other: Delivered) -> Case:
    changed = own.pixels.copy()
    changed.reshape(-1)[5000] ^= 1
    return Case(with_store_of(own, encode(changed, "png")))


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def comment_added(studio: Studio, own: Delivered, other: Delivered) -> Case:
    end = len(own.data) - 12  # before IEND
    return Case(with_chunk(own.data, b"tEXt", b"Comment\0a camera took this", end))


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def bytes_added_behind_the_end(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(own.data + b"and this")


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def comment_before_the_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    at = own.data.index(b"IDAT") - 4
    return Case(with_chunk(own.data, b"tEXt", b"Author\0somebody else", at))


@kind(Verdict.CONTRADICTED, "altered-after-signing")
def repainted_under_its_credential(studio: Studio, own: Delivered, other: Delivered) -> Case:
    painted = own.pixels.copy()
    painted[100:130, 100:130] = 255
    return Case(with_store_of(own, encode(painted, "png")))


@kind(Verdict.CONTRADICTED, "swapped-manifest")
def credential_of_another_record(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store_of(other, encode(own.pixels, "png")))


@kind(Verdict.CONTRADICTED, "swapped-manifest")
def credential_on_an_unmarked_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store_of(own, fresh(41)))


@kind(Verdict.CONTRADICTED, "transplanted-mark")
def mark_transplanted(studio: Studio, own: Delivered, other: Delivered) -> Case:
    copied = SCHEME.embed(picture(seed=42), bytes.fromhex(own.record.content_id))
    return Case(encode(copied, "png"))


@kind(Verdict.CONTRADICTED, "transplanted-mark")
def mark_of_one_record_on_the_picture_of_another(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    copied = SCHEME.embed(picture(seed=1), bytes.fromhex(own.record.content_id))
    return Case(encode(copied, "png"))


@kind(Verdict.CONTRADICTED, "transplanted-mark")
def mark_transplanted_to_a_signed_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    copied = SCHEME.embed(picture(seed=43), bytes.fromhex(own.record.content_id))
    stated = claims().model_copy(update={"soft_binding": None})
    return vouched(encode(copied, "png"), stated)


@kind(Verdict.UNCONFIRMED, "mark-without-record")
def mark_without_record(studio: Studio, own: Delivered, other: Delivered) -> Case:
    marked = SCHEME.embed(picture(seed=44), bytes.fromhex("d00dfeedc0ffee17"))
    return Case(encode(marked, "png"))


@kind(Verdict.CONTRADICTED, "mark-mismatch")
def signed_statement_of_another_mark(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """A publisher states one mark, and the pixels carry another."""
    marked = SCHEME.embed(picture(seed=82), bytes.fromhex("d00dfeedc0ffee17"))
    return vouched(encode(marked, "png"), claims("0011223344556677"))


@kind(Verdict.ESTABLISHED, "mark-missing")
def trusted_publisher_without_the_stated_mark(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    return vouched(fresh(48), claims())


@kind(Verdict.CONTRADICTED, "re-signed")
def resigned_by_a_stranger(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(own.pixels, "png")
    return Case(sign(plain, "image/png", claims(), STRANGER.signer()).data)


@kind(Verdict.CONTRADICTED, "re-signed")
def resigned_with_the_same_claims(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(own.pixels, "png")
    same = claims(own.record.content_id)
    return Case(sign(plain, "image/png", same, STRANGER.signer()).data)


@kind(Verdict.CONTRADICTED, "re-signed")
def resigned_by_a_trusted_publisher(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return vouched(encode(own.pixels, "png"), claims(own.record.content_id))


@kind(Verdict.CONTRADICTED, "re-signed")
def unmarked_copy_resigned(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(_smaller(own), "png")
    return vouched(plain, claims().model_copy(update={"soft_binding": None}))


@kind(Verdict.CONTRADICTED, "record-mismatch")
def record_claimed_by_a_stranger(studio: Studio, own: Delivered, other: Delivered) -> Case:
    stated = claims(own.record.content_id)
    return Case(sign(fresh(45), "image/png", stated, STRANGER.signer()).data)


@kind(Verdict.CONTRADICTED, "record-mismatch")
def record_claimed_by_a_trusted_publisher(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return vouched(fresh(45), claims(own.record.content_id))


def _smaller(own: Delivered) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    smaller = cv2.resize(own.pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)
