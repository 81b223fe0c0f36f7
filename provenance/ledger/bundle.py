"""The proof bundle: all that shows one entry, small enough to ride in a credential or a report.

A bundle is CBOR (RFC 8949), an array of five:

    [1, index, leaf or leaf hash, path, checkpoint]

The leaf is a text, canonical JSON; where it shall not travel, its hash stands there as 32 bytes.
The path is its hashes one after the other: 640 bytes of one in 10**6. The checkpoint is a signed
note with the cosignatures that it has.

    bundle = Bundle.of(ledger.prove(decision_entry.id))
    manifest[LABEL] = assertion(bundle)                       # {"log": origin, "bundle": base64}
    seen = read_assertion(manifest[LABEL]).verify(verifier)   # anywhere, with the public key alone
    seen.checkpoint.size, seen.cosignatures

In a C2PA manifest it is the assertion ``org.wardmark.ledger``. The entry of the very picture cannot
ride there, since that entry holds the credential's hash; the decision, the model or the data set
behind the picture can. ``text`` is the same for tools of others (C2SP tlog-proof).
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import cbor2
from pydantic import ValidationError

from policies.decision import Frozen
from provenance.errors import ProofInvalid
from provenance.ledger import note as notes
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.cosignature import Cosignature, WitnessVerifier
from provenance.ledger.event import MAX_LEAF_BYTES, canonical
from provenance.ledger.merkle import HASH_BYTES, leaf_hash, root_from_inclusion
from provenance.ledger.note import Verifier
from provenance.ledger.proof import MAX_PATH, InclusionProof, Leaf, decode_path

VERSION: Final = 1
FIRST_BYTE = b"\x85"  # of CBOR: an array of five; no JSON begins with it
LABEL = "org.wardmark.ledger"
MAX_BUNDLE_BYTES = MAX_LEAF_BYTES + (64 << 10)


class Attested(NamedTuple):
    """The checkpoint that vouches for an entry, and the witnesses that have seen it."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]


class Bundle(Frozen):
    """One entry with its proof. ``leaf`` is None where only its ``digest`` (32 bytes) travels."""

    index: int
    digest: bytes
    path: tuple[bytes, ...]
    checkpoint: str
    leaf: Leaf | None = None

    @classmethod
    def of(cls, proof: InclusionProof, *, with_leaf: bool = True) -> "Bundle":
        """The bundle of a proof. ``with_leaf``: whether what the entry says may travel."""
        return cls(
            index=proof.index,
            digest=proof.leaf.hash(),
            path=tuple(decode_path(proof.path)),
            checkpoint=proof.checkpoint,
            leaf=proof.leaf if with_leaf else None,
        )

    def pack(self) -> bytes:
        """As bytes."""
        said = self.digest if self.leaf is None else _text_of(self.leaf)
        packed = [VERSION, self.index, said, b"".join(self.path), self.checkpoint]
        return cbor2.dumps(packed, canonical=True)

    @classmethod
    def unpack(cls, packed: bytes) -> "Bundle":
        """Reads what ``pack`` wrote, believing nothing. Raises ``ProofInvalid``."""
        if len(packed) > MAX_BUNDLE_BYTES or packed[:1] != FIRST_BYTE:
            raise ProofInvalid("This is no proof bundle.")
        try:
            content = cbor2.loads(packed)
            if cbor2.dumps(content, canonical=True) != packed:  # nothing behind, nothing hidden
                raise ProofInvalid("The proof bundle is not in canonical form.")
            match content:
                case [1, int(index), (bytes() | str()) as said, bytes(path), str(note)]:
                    leaf = None if isinstance(said, bytes) else Leaf.model_validate_json(said)
                case _:
                    raise ProofInvalid("This is no proof bundle of version 1.")
        except (cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValidationError) as error:
            raise ProofInvalid("The proof bundle is damaged.") from error
        hashes = tuple(path[i : i + HASH_BYTES] for i in range(0, len(path), HASH_BYTES))
        digest = said if isinstance(said, bytes) else leaf_hash(said.encode())
        if len(path) % HASH_BYTES or len(hashes) > MAX_PATH or len(digest) != HASH_BYTES:
            raise ProofInvalid("A hash of the proof bundle is not whole.")
        return cls(index=index, digest=digest, path=hashes, checkpoint=note, leaf=leaf)

    def text(self) -> str:
        """As C2SP tlog-proof, which other tools read; the leaf does not travel with it."""
        path = "".join(f"{base64.b64encode(digest).decode()}\n" for digest in self.path)
        return f"c2sp.org/tlog-proof@v1\nindex {self.index}\n{path}\n{self.checkpoint}"

    def verify(self, verifier: Verifier, witnesses: Iterable[WitnessVerifier] = ()) -> Attested:
        """Check the entry offline; of ``witnesses``, those that cosigned are in the answer.

        Raises ``ProofInvalid`` naming what does not fit.
        """
        checkpoint = Checkpoint.verified(self.checkpoint, verifier)
        if self.leaf is not None and self.leaf.hash() != self.digest:
            raise ProofInvalid("The leaf in the proof bundle is not canonical JSON.")
        root = root_from_inclusion(self.digest, self.index, checkpoint.size, self.path)
        if root.hex() != checkpoint.root:
            raise ProofInvalid(
                f"The entry is not the one that stands at index {self.index} of "
                f"{checkpoint.origin}: its path does not lead to the signed root."
            )
        found = [witness.find(notes.parse(self.checkpoint)) for witness in witnesses]
        return Attested(checkpoint, tuple(word for word in found if word is not None))


def assertion(bundle: Bundle) -> dict[str, str]:
    """The data of the C2PA assertion ``LABEL``."""
    origin = Checkpoint.parse(bundle.checkpoint).origin
    return {"log": origin, "bundle": base64.b64encode(bundle.pack()).decode()}


def read_assertion(data: Mapping[str, object]) -> Bundle:
    """The bundle in an assertion, unverified. Raises ``ProofInvalid``."""
    encoded = data.get("bundle")
    if not isinstance(encoded, str):
        raise ProofInvalid(f"The assertion {LABEL} holds no proof bundle.")
    try:
        packed = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ProofInvalid(f"The bundle in the assertion {LABEL} is not base64.") from None
    return Bundle.unpack(packed)


def _text_of(leaf: Leaf) -> str:
    return canonical(leaf.model_dump(mode="json")).decode()
