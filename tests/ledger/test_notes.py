"""Signed notes and checkpoints, held against the C2SP texts and a note that other code wrote."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import ProofInvalid
from provenance.ledger import Checkpoint, LedgerKey, VerifierKey
from provenance.ledger import note as notes
from provenance.ledger.note import Signature

# The example in the documentation of Go's golang.org/x/mod/sumdb/note: written by other code.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb"
    "6KE6RyyBwJnAM=\n"
)
# The example of c2sp.org/tlog-checkpoint; its public key is not published, its form is.
C2SP_CHECKPOINT = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
NAMES = st.text(string.ascii_letters + string.digits + "./-é", min_size=1, max_size=20)


def test_a_note_of_another_implementation_verifies() -> None:
    VerifierKey.parse(GO_KEY).check(notes.parse(GO_NOTE))


def test_a_verifier_key_keeps_its_text() -> None:
    assert str(VerifierKey.parse(GO_KEY)) == GO_KEY


def test_the_example_of_the_specification_parses() -> None:
    checkpoint = Checkpoint.parse(C2SP_CHECKPOINT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(bytes.fromhex(checkpoint.root)) == (
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    )
    (signature,) = notes.parse(C2SP_CHECKPOINT).signatures
    assert len(signature.signature) == 64


@given(NAMES, st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_survives_its_round_trip(origin: str, size: int, root: bytes) -> None:
    key = LedgerKey.generate(origin)
    signed = key.sign_checkpoint(size, root)
    read = Checkpoint.verified(signed.note, VerifierKey.parse(key.verifier))
    assert read == signed
    assert (read.origin, read.size, read.root) == (origin, size, root.hex())


@given(st.data())
def test_a_changed_character_of_a_checkpoint_is_found(data: st.DataObject) -> None:
    key = LedgerKey.generate("a.test/log")
    note = key.sign_checkpoint(12345, bytes(range(32))).note
    at = data.draw(st.integers(0, len(note) - 1))
    # Base64's last character holds two unused bits; they are no part of what is signed.
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != note[at]))
    changed = note[:at] + other + note[at + 1 :]
    try:
        read = Checkpoint.verified(changed, key.public)
    except ProofInvalid:
        return
    assert notes.parse(changed) == notes.parse(note)
    assert (read.size, read.root) == (12345, bytes(range(32)).hex())


def test_what_verified_once_vouches_for_no_other_text_key_or_signature() -> None:
    key, other = LedgerKey.generate("a.test/log"), LedgerKey.generate("a.test/log")
    good = notes.parse(key.sign_checkpoint(7, bytes(32)).note)
    (line,) = good.signatures
    key.public.check(good)
    forged = line._replace(signature=bytes(64))
    foreign = line._replace(key_id=other.public.key_id)
    for _ in range(2):  # a refusal is not remembered as anything else
        for public, wrong in (
            (key.public, good._replace(text=good.text.replace("7", "8"))),
            (key.public, good._replace(signatures=(forged,))),
            (other.public, good._replace(signatures=(foreign,))),
        ):
            with pytest.raises(ProofInvalid, match="does not fit"):
                public.check(wrong)
    key.public.check(good)


def test_signatures_of_strangers_are_passed_over() -> None:
    ours, witness = LedgerKey.generate("log.test"), LedgerKey.generate("witness.test")
    note = notes.parse(ours.sign_checkpoint(1, bytes(32)).note)
    cosigned = notes.render(
        note.text,
        (
            Signature("witness.test", b"\x00\x01\x02\x03", bytes(64)),
            Signature("log.test", b"\x00\x01\x02\x03", bytes(64)),  # our name, another key
            *note.signatures,
        ),
    )
    assert Checkpoint.verified(cosigned, ours.public).size == 1
    with pytest.raises(ProofInvalid, match=r"no signature of witness\.test"):
        Checkpoint.verified(cosigned, witness.public)


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    key = LedgerKey.generate("log.test")
    note = notes.parse(key.sign_checkpoint(1, bytes(32)).note)
    forged = Signature("log.test", key.public.key_id, bytes(64))
    with pytest.raises(ProofInvalid, match="does not fit"):
        Checkpoint.verified(notes.render(note.text, (*note.signatures, forged)), key.public)


def test_a_checkpoint_of_another_ledger_is_not_ours() -> None:
    key = LedgerKey.generate("log.test")
    text = f"other.test\n1\n{base64.b64encode(bytes(32)).decode()}\n"
    signature = Signature("log.test", key.public.key_id, key.private.sign(text.encode()))
    with pytest.raises(ProofInvalid, match=r"of the ledger other\.test"):
        Checkpoint.verified(notes.render(text, (signature,)), key.public)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "text without signatures\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n— name !!!!\n",
        "text\n\n— name AAAA\n",
        "text\r\n\n— name AAAAAAAAAAAA\n",
        "text\n\n— na+me AAAAAAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAAAAAA\n" * 101,
        "x" * (1 << 20) + "\n\n— name AAAAAAAAAAAA\n",
    ],
)
def test_what_is_no_note_is_refused(broken: str) -> None:
    with pytest.raises(ProofInvalid):
        notes.parse(broken)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n\nAAAA\n",
        "origin\n01\n" + "A" * 43 + "=\n",
        "origin\n-1\n" + "A" * 43 + "=\n",
        "origin\n1\nAAAA\n",
        "origin\n1\n!\n",
    ],
)
def test_a_note_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ProofInvalid):
        Checkpoint.parse(notes.render(text, (Signature("n", bytes(4), bytes(64)),)))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "name",
        "name+00000000+AAAA",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        GO_KEY.replace("PeterNeumann", "PeterMeumann"),
        GO_KEY[:-4],
        "n+c74f20a3+é",
    ],
)
def test_what_is_no_verifier_key_is_refused(broken: str) -> None:
    with pytest.raises(ProofInvalid):
        VerifierKey.parse(broken)
