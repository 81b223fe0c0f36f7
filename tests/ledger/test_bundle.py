"""Proof bundles and anchors: what travels away from the ledger and is checked elsewhere."""

import base64
import hashlib
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import LedgerKeyInvalid, ProofInvalid
from provenance.ledger import Event, InclusionProof, Ledger, LedgerKey
from provenance.ledger import note as notes
from provenance.ledger.bundle import Bundle, assertion, read_assertion
from provenance.ledger.cosignature import WitnessKey
from provenance.ledger.merkle import node_hash
from provenance.ledger.proof import Leaf, encode_path
from provenance.ledger.rekor import check_entry, entry
from provenance.ledger.witness import FileWitness

MILLION = 1_000_000


def one_in_a_million(key: LedgerKey, witnesses: int = 0) -> InclusionProof:
    """A proof as it is in a ledger of 10**6 entries, of which only the path is made."""
    leaf = Leaf(
        at="2026-03-01T12:30:00.000000Z",
        body={"model": "a" * 64},
        id="0123456789abcdef" * 2,
        kind="decision",
        v=1,
    )
    index, last, root, path = 524_287, MILLION - 1, leaf.hash(), []
    position = index
    while last:
        sibling = hashlib.sha256(len(path).to_bytes(4, "big")).digest()
        if position & 1:
            root = node_hash(sibling, root)
            path.append(sibling)
        elif position < last:
            root = node_hash(root, sibling)
            path.append(sibling)
        position, last = position >> 1, last >> 1
    note = key.sign_checkpoint(MILLION, root).note
    text = notes.parse(note).text
    for i in range(witnesses):
        word = WitnessKey.generate(f"witness.test/{i}").cosign(text, 1_700_000_000)
        note += notes.render_signatures((word.line,))
    return InclusionProof(index=index, leaf=leaf, path=encode_path(path), checkpoint=note)


def test_a_proof_of_one_in_a_million_is_small(key: LedgerKey) -> None:
    proof = one_in_a_million(key)
    assert len(proof.path) == 20
    bundle = Bundle.of(proof, with_leaf=False)
    assert bundle.verify(key.public).checkpoint.size == MILLION
    packed = bundle.pack()
    assert len(packed) - len(proof.checkpoint) <= 700
    whole = Bundle.of(one_in_a_million(key, witnesses=2)).pack()
    assert len(whole) <= 1_500  # with what the entry says, the checkpoint and two witnesses


@pytest.mark.parametrize("with_leaf", [True, False])
def test_a_bundle_survives_its_round_trip(ledger: Ledger, with_leaf: bool) -> None:
    entries = ledger.append([Event("test", {"é": [1, None, "x" * 300]}) for _ in range(300)])
    for at in (entries[0], entries[255], entries[-1]):
        bundle = Bundle.of(ledger.prove(at.id), with_leaf=with_leaf)
        read = Bundle.unpack(bundle.pack())
        assert read == bundle
        assert read.verify(ledger.verifier).checkpoint == ledger.checkpoint()
        assert read.digest.hex() == at.leaf_hash
        assert read_assertion(assertion(bundle)) == bundle


def test_who_cosigned_is_told(ledger: Ledger, tmp_path: Path) -> None:
    witness = FileWitness.create(tmp_path / "w", "witness.test")
    witness.trust(ledger.verifier)
    (first,) = ledger.append([Event("test", {})])
    word = ledger.cosign(witness)
    (second,) = ledger.append([Event("test", {})])
    stranger = WitnessKey.generate("stranger.test").public
    seen = Bundle.of(ledger.prove(first.id, cosigned=True))
    attested = seen.verify(ledger.verifier, [witness.verifier, stranger])
    assert (attested.checkpoint.size, attested.cosignatures) == (1, (word,))
    # What came after the witness looked is proved by our key alone.
    unseen = Bundle.of(ledger.prove(second.id, cosigned=True))
    assert unseen.verify(ledger.verifier, [witness.verifier]).cosignatures == ()


@given(st.data())
def test_a_changed_byte_of_a_bundle_is_found(data: st.DataObject) -> None:
    key = LedgerKey.generate("ledger.test")
    bundle = Bundle.of(one_in_a_million(key))
    packed = bytearray(bundle.pack())
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        read = Bundle.unpack(bytes(packed))
        attested = read.verify(key.public)
    except ProofInvalid:
        return
    # Unused bits of base64 are no part of what is signed.
    assert read.model_copy(update={"checkpoint": bundle.checkpoint}) == bundle
    assert attested.checkpoint.size == MILLION


@given(st.binary(max_size=200))
def test_what_is_no_bundle_is_refused(junk: bytes) -> None:
    good = Bundle.of(one_in_a_million(LedgerKey.generate("ledger.test"))).pack()
    for packed in (junk, b"\x85" + junk, good + (junk or b"\x00")):
        with pytest.raises(ProofInvalid):
            Bundle.unpack(packed).verify(LedgerKey.generate("ledger.test").public)


@pytest.mark.parametrize(
    "content",
    [
        [1, 0, bytes(31), b"", ""],
        [1, 0, bytes(32), bytes(33), ""],
        [1, 0, bytes(32), bytes(32 * 65), ""],
        [1, "0", bytes(32), b"", ""],
        [2, 0, bytes(32), b"", ""],
        [1, 0, "{}", b"", ""],
        [1, 0, '{"at":1}', b"", ""],
    ],
)
def test_a_bundle_of_another_form_is_refused(content: list[object]) -> None:
    with pytest.raises(ProofInvalid):
        Bundle.unpack(cbor2.dumps(content))


def test_a_leaf_that_is_not_canonical_is_not_believed(key: LedgerKey) -> None:
    bundle = Bundle.of(one_in_a_million(key))
    packed = cbor2.loads(bundle.pack())
    packed[2] = packed[2].replace(",", ", ")
    with pytest.raises(ProofInvalid, match="canonical"):
        Bundle.unpack(cbor2.dumps(packed)).verify(key.public)


@pytest.mark.parametrize("data", [{}, {"bundle": 1}, {"bundle": "!"}, {"bundle": "AAAA"}])
def test_an_assertion_without_a_bundle_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ProofInvalid):
        read_assertion(data)


def test_the_text_is_that_of_the_specification(key: LedgerKey) -> None:
    proof = one_in_a_million(key)
    head, _, note = Bundle.of(proof).text().partition("\n\n")
    assert head.split("\n") == ["c2sp.org/tlog-proof@v1", "index 524287", *proof.path]
    assert note == proof.checkpoint


def test_a_checkpoint_is_anchored_in_the_form_of_rekor(key: LedgerKey) -> None:
    note = key.sign_checkpoint(7, bytes(32)).note
    anchor = ec.generate_private_key(ec.SECP256R1())
    body = entry(note, anchor)
    assert check_entry(note, body, anchor.public_key()).size == 7
    request = body["hashedRekordRequestV002"]
    assert base64.b64decode(request["digest"]) == hashlib.sha256(note.encode()).digest()
    assert request["signature"]["verifier"]["keyDetails"] == "PKIX_ECDSA_P256_SHA_256"
    other = key.sign_checkpoint(8, bytes(32)).note
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    for claim, content, public in (
        (other, body, anchor.public_key()),
        (note, body, stranger),
        (note, {}, anchor.public_key()),
    ):
        with pytest.raises(ProofInvalid):
            check_entry(claim, content, public)
    with pytest.raises(LedgerKeyInvalid, match="P-256"):
        entry(note, ec.generate_private_key(ec.SECP384R1()))
