"""Files that prove something: a proof of inclusion or consistency, or an export."""

from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from policies.decision import Frozen
from provenance.errors import LedgerUnavailable, ProofInvalid
from provenance.ledger import exports
from provenance.ledger.bundle import FIRST_BYTE, Bundle
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.note import Verifier
from provenance.ledger.proof import (
    ConsistencyProof,
    InclusionProof,
    verifier_key,
    verify_consistency,
    verify_inclusion,
)

MAX_PROOF_BYTES = 1 << 20  # a leaf of 64 KiB, two notes and 128 hashes fit many times

_Proof = Annotated[InclusionProof | ConsistencyProof, Field(discriminator="format")]
_PROOF: TypeAdapter[InclusionProof | ConsistencyProof] = TypeAdapter(_Proof)


class Evidence(Frozen):
    """A file that verified: what it proves, in a sentence, and the checkpoint that it rests on."""

    kind: Literal["inclusion", "consistency", "export"]
    says: str
    checkpoint: Checkpoint


def verify_file(path: Path, verifier: Verifier | str) -> Evidence:
    """Check a file offline. Raises ``ProofInvalid``; ``LedgerUnavailable`` if it cannot be read."""
    key = verifier_key(verifier)
    try:
        if _is_export(path):
            head, span = exports.verify_export(exports.export_lines(path), key)
            says = f"These are all {head.size} entries of {head.origin}, in order, as signed."
            if len(span) < head.size:
                says = (
                    f"These are the entries {span.start} to {span.stop - 1} of {head.origin}, "
                    f"which had {head.size} when it was signed: all of them, in order."
                )
            return Evidence(kind="export", says=says, checkpoint=head)
        with path.open("rb") as file:
            content = file.read(MAX_PROOF_BYTES + 1)
    except OSError as error:
        raise LedgerUnavailable(f"{path} cannot be read: {error.strerror}.") from error
    return verify_proof(content, key)


def verify_proof(content: bytes, verifier: Verifier) -> Evidence:
    """Check a proof of inclusion or consistency, as JSON or packed. Raises ``ProofInvalid``."""
    if content[:1] == FIRST_BYTE:
        return _verify_bundle(Bundle.unpack(content), verifier)
    if len(content) > MAX_PROOF_BYTES:
        raise ProofInvalid(f"A proof has no more than {MAX_PROOF_BYTES} bytes.")
    try:
        proof = _PROOF.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ProofInvalid(f"This is no proof or export of a ledger: {first['msg']}.") from None
    if isinstance(proof, InclusionProof):
        head = verify_inclusion(proof, verifier)
        says = (
            f"The {proof.leaf.kind} {proof.leaf.id} of {proof.leaf.at} is entry {proof.index} of "
            f"{head.origin}, which had {head.size} entries when it was signed."
        )
        return Evidence(kind="inclusion", says=says, checkpoint=head)
    head = verify_consistency(proof, verifier)
    old = Checkpoint.parse(proof.old)
    says = f"{head.origin} with {head.size} entries begins with the same {old.size} entries."
    return Evidence(kind="consistency", says=says, checkpoint=head)


def _verify_bundle(bundle: Bundle, verifier: Verifier) -> Evidence:
    head = bundle.verify(verifier).checkpoint
    leaf = bundle.leaf
    what = f"The {leaf.kind} {leaf.id} of {leaf.at}" if leaf else f"The leaf {bundle.digest.hex()}"
    says = (
        f"{what} is entry {bundle.index} of {head.origin}, which had {head.size} entries when it "
        "was signed."
    )
    return Evidence(kind="inclusion", says=says, checkpoint=head)


def _is_export(path: Path) -> bool:
    with path.open("rb") as file:
        line = file.readline(MAX_PROOF_BYTES)
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False  # a proof may be spread over lines
    return isinstance(header, dict) and header.get("format") in (
        exports.FORMAT,
        exports.RANGE_FORMAT,
    )
