"""Proofs that verify offline: what a person keeps, and the functions that check it.

Each is a small JSON file. Checking needs the verifier key of the ledger and nothing else: no
database, no network, no other file of ours.
"""

import base64
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, JsonValue

from policies.decision import Frozen
from provenance.errors import EventInvalid, ProofInvalid
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.event import canonical
from provenance.ledger.merkle import (
    HASH_BYTES,
    check_consistency,
    leaf_hash,
    root_from_inclusion,
)
from provenance.ledger.note import Verifier, VerifierKey, decode_base64

MAX_PATH = 64  # levels of a tree; 2**64 entries never come


class Leaf(Frozen):
    """What the leaf hash covers (see ``event``). ``v`` is the format version."""

    at: str
    body: dict[str, JsonValue]
    id: str
    kind: str
    v: int

    def hash(self) -> bytes:
        """Leaf hash, 32 bytes. Raises ``ProofInvalid`` when the leaf has no canonical form."""
        try:
            return leaf_hash(canonical(self.model_dump(mode="json")))
        except EventInvalid as error:
            raise ProofInvalid(str(error)) from error


class InclusionProof(Frozen):
    """An entry, and why it must be in the ledger that ``checkpoint`` (a signed note) describes.

    ``path``: base64 SHA-256 hashes from the leaf's sibling up to the child of the root.
    """

    format: Literal["wardmark-inclusion/1"] = "wardmark-inclusion/1"
    index: int = Field(ge=0)
    leaf: Leaf
    path: tuple[str, ...] = Field(max_length=MAX_PATH)
    checkpoint: str


class ConsistencyProof(Frozen):
    """Why the ledger of ``new`` begins with all entries of ``old``, unchanged (signed notes)."""

    format: Literal["wardmark-consistency/1"] = "wardmark-consistency/1"
    old: str
    new: str
    path: tuple[str, ...] = Field(max_length=2 * MAX_PATH)


def verify_inclusion(proof: InclusionProof, verifier: Verifier | str) -> Checkpoint:
    """Check that the entry stands at its index in the ledger of ``verifier``.

    Returns the checkpoint that vouches for it. Raises ``ProofInvalid`` naming the step that fails.
    """
    checkpoint = Checkpoint.verified(proof.checkpoint, verifier_key(verifier))
    path = decode_path(proof.path)
    root = root_from_inclusion(proof.leaf.hash(), proof.index, checkpoint.size, path)
    if root.hex() != checkpoint.root:
        raise ProofInvalid(
            f"The entry {proof.leaf.id} is not the one that stands at index {proof.index} "
            f"of {checkpoint.origin}: its path does not lead to the signed root."
        )
    return checkpoint


def verify_consistency(proof: ConsistencyProof, verifier: Verifier | str) -> Checkpoint:
    """Check that nothing before the old checkpoint was changed; returns the new checkpoint.

    Raises ``ProofInvalid`` naming the step that fails.
    """
    key = verifier_key(verifier)
    old, new = Checkpoint.verified(proof.old, key), Checkpoint.verified(proof.new, key)
    old_root, new_root = bytes.fromhex(old.root), bytes.fromhex(new.root)
    check_consistency(old.size, old_root, new.size, new_root, decode_path(proof.path))
    return new


def verifier_key(verifier: Verifier | str) -> Verifier:
    """A key or keys as they are, or one key as text ``name+hash+base64``."""
    return VerifierKey.parse(verifier) if isinstance(verifier, str) else verifier


def encode_path(path: Sequence[bytes]) -> tuple[str, ...]:
    """Hashes as they stand in a proof."""
    return tuple(base64.b64encode(digest).decode() for digest in path)


def decode_path(path: Sequence[str]) -> list[bytes]:
    """Hashes out of a proof. Raises ``ProofInvalid``."""
    hashes = [decode_base64(digest, "A hash of the path") for digest in path]
    if any(len(digest) != HASH_BYTES for digest in hashes):
        raise ProofInvalid("A hash of the path is not a SHA-256 hash.")
    return hashes
