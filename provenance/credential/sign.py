"""Claims and a picture become a signed picture."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import cbor2

from provenance.credential import manifest as said
from provenance.credential.claims import Claims
from provenance.credential.ingredients import LABEL as INGREDIENT
from provenance.credential.ingredients import Ingredient, Relationship, holds_credential
from provenance.credential.manifest import Statements
from provenance.credential.naming import manifest_name
from provenance.credential.thumbnail import MEDIA_TYPE as THUMBNAIL_TYPE
from provenance.credential.writer import boxes
from provenance.credential.writer.boxes import Assertion
from provenance.credential.writer.containers import container_of
from provenance.credential.writer.cose import Envelope
from provenance.credential.writer.place import placeholder
from provenance.credential.xmp import packet
from provenance.errors import PictureInvalid, SignerUnavailable
from provenance.keys.lint import refusals
from provenance.keys.ring import RingSigner
from provenance.keys.signer import Signer
from provenance.ledger.bundle import LABEL as LEDGER
from provenance.ledger.bundle import Bundle
from provenance.ledger.bundle import assertion as ledger_assertion

THUMBNAIL = "c2pa.thumbnail.claim"


class Stamper(Protocol):
    """Asks a time stamping authority."""

    @property
    def reserve(self) -> int:
        """Bytes that the longest token it may return has."""
        ...

    def stamp(self, data: bytes) -> bytes | None:
        """A token (DER) over ``data``; None where it may be missing. Raises SignerUnavailable."""
        ...


@dataclass(frozen=True)
class Signed:
    """``data``: the picture with its credential inside. ``store``: the credential alone, as the
    ledger keeps it (a C2PA manifest store). ``time_stamped``: it says when it was signed."""

    data: bytes
    store: bytes
    time_stamped: bool = False


@dataclass(frozen=True)
class Attachments:
    """What goes with the statements: ``thumbnail`` a JPEG, ``proof`` that something behind the
    picture stands in the ledger, ``ingredients`` what the picture was made from."""

    thumbnail: bytes | None = None
    proof: Bundle | None = None
    ingredients: Sequence[Ingredient] = ()

    @property
    def has_parent(self) -> bool:
        return any(i.relationship is Relationship.PARENT for i in self.ingredients)


NOTHING = Attachments()


def sign(
    data: bytes,
    media_type: str,
    claims: Claims,
    signer: Signer,
    *,
    attached: Attachments = NOTHING,
    stamper: Stamper | None = None,
) -> Signed:
    """Put a credential that states ``claims`` into an encoded PNG, JPEG, WebP, TIFF, AVIF or MP4.

    The pixels are not touched. Raises PictureInvalid when ``data`` is not of ``media_type``, is
    damaged, or carries a credential and is not among the ingredients (a second signature would drop
    the first without a trace); SignerUnavailable when the signer, its certificate or a required
    time stamp cannot be had.
    """
    stated = said.statements(claims, has_parent=attached.has_parent)
    name = manifest_name(claims.content_id)
    return sign_statements(
        data, media_type, stated, signer, attached=attached, stamper=stamper, name=name
    )


def sign_statements(
    data: bytes,
    media_type: str,
    stated: Statements,
    signer: Signer,
    *,
    attached: Attachments = NOTHING,
    stamper: Stamper | None = None,
    name: str | None = None,
) -> Signed:
    """As ``sign``, for statements of any kind. ``name``: of the manifest, else one is drawn."""
    if isinstance(signer, RingSigner):  # which may change at any time
        signer = signer.current()
    container = container_of(data, media_type)
    if not attached.has_parent and holds_credential(data, media_type):
        raise PictureInvalid(
            "this picture already carries a credential, which signing would erase; "
            "verify it, or sign it as an ingredient of its edit"
        )
    _check_certificate(signer.certificate_chain)
    xmp = packet(stated.labels, container.xmp(data)) if stated.labels else None
    prepared = container.prepare(data, xmp)

    label = name or f"urn:c2pa:{uuid.uuid4()}"
    boxed = container.place(prepared, 0).boxed
    assertions = tuple(_assertions(stated, attached))
    manifests = _manifests(attached.ingredients)
    reserve = stamper.reserve if stamper else 0
    tokens: list[bytes | None] = []

    def stamp(signature: bytes) -> bytes | None:
        tokens.append(stamper.stamp(signature) if stamper else None)
        return tokens[-1]

    def store(binding: Assertion, envelope: Envelope, *, sealed: bool) -> bytes:
        bound = (*assertions, binding)
        claim = _claim(stated.title, label, bound)
        signature = envelope.seal(claim, stamp) if sealed else envelope.placeholder()
        return boxes.store([*manifests, boxes.manifest(label, bound, claim, signature)])

    # What is hashed says how long the store is, so its length is known before it is written.
    size = len(store(placeholder(boxed=boxed), Envelope(signer, reserve), sealed=False))
    # An odd one would be padded in WebP, and readers differ on whose that byte is.
    envelope = Envelope(signer, reserve + size % 2)
    size += size % 2
    place = container.place(prepared, size)
    written = store(place.binding(size), envelope, sealed=True)
    if len(written) != size:
        raise AssertionError(f"a store of {len(written)} bytes where {size} were kept")
    return Signed(data=place.filled(written), store=written, time_stamped=any(tokens))


def _assertions(stated: Statements, attached: Attachments) -> Iterator[Assertion]:
    """Every assertion but the binding, in the order in which they stand."""
    opened = []
    for number, ingredient in enumerate(attached.ingredients):
        label = INGREDIENT if number == 0 else f"{INGREDIENT}__{number}"
        taken_in = ingredient.assertion(label)
        opened.append((ingredient, taken_in))
        yield taken_in
    yield Assertion.cbor(
        said.ACTIONS,
        {"actions": list(_actions(stated.actions, opened)), "allActionsIncluded": True},
    )
    if attached.thumbnail is not None:
        yield Assertion.file(THUMBNAIL, THUMBNAIL_TYPE, attached.thumbnail)
    for label, data in stated.assertions.items():
        yield Assertion.cbor(label, data)
    if attached.proof is not None:
        yield Assertion.cbor(LEDGER, ledger_assertion(attached.proof))


def _actions(
    actions: Sequence[said.Map], opened: Sequence[tuple[Ingredient, Assertion]]
) -> Iterator[Mapping[str, object]]:
    """The actions, ingredients opened and placed first; inputs belong to what was made of them."""
    begin = {Relationship.PARENT: said.OPENED, Relationship.COMPONENT: said.PLACED}
    inputs = []
    for ingredient, assertion in opened:
        reference = {"url": assertion.uri.url, "hash": assertion.uri.hash}
        if ingredient.relationship in begin:
            name = begin[ingredient.relationship]
            yield {"action": name, "parameters": {"ingredients": [reference]}}
        else:
            inputs.append(reference)
    for number, action in enumerate(actions):
        with_inputs = number == 0 and inputs
        yield {**action, "parameters": {"ingredients": inputs}} if with_inputs else action


def _manifests(ingredients: Sequence[Ingredient]) -> tuple[bytes, ...]:
    """The manifests of all ingredients, each once."""
    kept: dict[str, bytes] = {}
    for ingredient in ingredients:
        for label, manifest in ingredient.manifests.items():
            if kept.setdefault(label, manifest) != manifest:
                raise PictureInvalid(
                    f"two inputs carry different manifests of one name, {label[:80]}; one of them"
                    " was changed: verify both"
                )
    return tuple(kept.values())


def _claim(title: str, label: str, assertions: Sequence[Assertion]) -> bytes:
    return cbor2.dumps(
        {
            "instanceID": f"xmp:iid:{label.removeprefix('urn:c2pa:')}",
            "claim_generator_info": said.generator_info(),
            "signature": f"self#jumbf=/c2pa/{label}/{boxes.SIGNATURE}",
            # created: stated by the signer itself, not gathered from elsewhere.
            "created_assertions": [
                {"url": assertion.uri.url, "hash": assertion.uri.hash} for assertion in assertions
            ],
            "dc:title": title,
            "alg": "sha256",
        }
    )


def _check_certificate(chain: bytes) -> None:
    """Raise SignerUnavailable where every validator would refuse the certificate."""
    if problems := [refusal.message for refusal in refusals(chain, datetime.now(UTC))]:
        raise SignerUnavailable(
            f"the picture could not be signed: of the certificate, {'; '.join(problems)};"
            " replace it (wardmark keys lint says more)"
        )
