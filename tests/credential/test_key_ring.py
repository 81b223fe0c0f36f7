"""Signers come and go while pictures are signed; what earlier ones signed is still believed."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from provenance.credential import Integrity, Revocation, State, read, sign
from provenance.credential.stamping import TimeAuthorities
from provenance.errors import HomeInvalid, SignerUnavailable
from provenance.keys import (
    Algorithm,
    KeySigner,
    check_chain,
    create_development_signer,
    load_signer,
    load_trust,
)
from provenance.keys.chain import REVOKED
from provenance.keys.ring import KeyState, RingSigner, entries, fingerprint, revoke
from tests.credential.scenery import claims, encoded
from tests.support.tsa import LoopbackAuthority, serving


def leaf_of(signer: KeySigner) -> x509.Certificate:
    return x509.load_pem_x509_certificates(signer.certificate_chain)[0]


def now() -> datetime:
    return datetime.now(UTC)


def test_rotation_keeps_what_was_signed_before(tmp_path: Path) -> None:
    first = create_development_signer(tmp_path)
    signed = sign(encoded(), "image/png", claims(), first)
    second = create_development_signer(tmp_path, alg=Algorithm.ED25519)
    assert load_signer(tmp_path).certificate_chain == second.certificate_chain
    trust = load_trust(tmp_path)
    assert read(signed.data, trust).proves
    assert read(sign(encoded(), "image/png", claims(), second).data, trust).proves
    # A process that loaded the first goes on signing with it.
    assert read(sign(encoded(), "image/png", claims(), first).data, trust).proves
    assert [(e.state, e.algorithm) for e in entries(tmp_path)] == [
        (KeyState.ACTIVE, "ed25519"),
        (KeyState.RETIRED, "es256"),
    ]


def test_the_key_of_a_retired_signer_is_gone(tmp_path: Path) -> None:
    for _ in range(3):
        create_development_signer(tmp_path)
    holding = [f for f in tmp_path.rglob("*") if f.is_file() and b"PRIVATE" in f.read_bytes()]
    assert {file.name for file in holding} == {"signer.pem", "issuing.key"}
    assert len(entries(tmp_path)) == 3


def test_whoever_loads_during_a_rotation_finds_a_whole_signer(tmp_path: Path) -> None:
    create_development_signer(tmp_path)
    stop, faults, loaded = threading.Event(), list[str](), list[int]()

    def load() -> None:
        while not stop.is_set():
            try:
                loaded.append(len(load_signer(tmp_path).certificate_chain))
            except SignerUnavailable as error:
                faults.append(str(error))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        create_development_signer(tmp_path)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert faults == []
    assert loaded


def test_a_revoked_signer_signs_no_more_and_is_not_believed(tmp_path: Path) -> None:
    signer = create_development_signer(tmp_path)
    signed = sign(encoded(), "image/png", claims(), signer)
    entry = revoke(tmp_path, fingerprint(leaf_of(signer))[:12], "the laptop was stolen", now())
    assert (entry.state, entry.reason) == (KeyState.REVOKED, "the laptop was stolen")
    with pytest.raises(SignerUnavailable, match="was revoked"):
        load_signer(tmp_path)
    found = read(signed.data, load_trust(tmp_path))
    assert (found.state, found.revocation) == (State.INVALID, Revocation.REVOKED)
    assert found.integrity is Integrity.INTACT
    create_development_signer(tmp_path)
    assert load_signer(tmp_path)
    assert {e.state for e in entries(tmp_path)} == {KeyState.ACTIVE, KeyState.REVOKED}


def test_what_was_provably_signed_before_a_revocation_stays_believed(tmp_path: Path) -> None:
    signer, tsa = create_development_signer(tmp_path), LoopbackAuthority()
    (tmp_path / "tsa.pem").write_text(tsa.trust.pem)
    with serving(tsa.granted) as url:
        asked = TimeAuthorities((url,))
        signed = sign(encoded(), "image/png", claims(), signer, stamper=asked)
    later = now() + timedelta(hours=1)
    revoke(tmp_path, f"{leaf_of(signer).serial_number:x}", "end of service", later)
    trust = load_trust(tmp_path)
    assert read(signed.data, trust, at=later + timedelta(days=1)).proves
    chain = [leaf_of(signer)]
    assert REVOKED in check_chain(chain, trust, later).problems
    assert REVOKED not in check_chain(chain, trust, later - timedelta(minutes=1)).problems


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    create_development_signer(tmp_path)
    return tmp_path


@pytest.mark.parametrize("named", ["", "zz", "0" * 64])
def test_a_name_that_fits_no_signer_revokes_nothing(ring: Path, named: str) -> None:
    with pytest.raises(HomeInvalid, match="wardmark keys list"):
        revoke(ring, named, "", now())
    assert load_signer(ring)


def test_a_signer_is_revoked_once(ring: Path) -> None:
    (entry,) = entries(ring)
    revoke(ring, entry.serial, "", now())
    with pytest.raises(HomeInvalid, match="already"):
        revoke(ring, entry.serial, "", now())


def test_a_damaged_list_of_revocations_believes_nobody(ring: Path) -> None:
    (ring / "revoked.json").write_bytes(b"[")
    for ask in (load_trust, load_signer):
        with pytest.raises(HomeInvalid, match="cannot be read"):
            ask(ring)


def test_a_running_process_takes_up_a_new_signer_and_a_revocation(ring: Path) -> None:
    running = RingSigner(ring)
    first = running.certificate_chain
    create_development_signer(ring, alg=Algorithm.ED25519)
    signed = sign(encoded(), "image/png", claims(), running)
    assert running.certificate_chain != first
    found = read(signed.data, load_trust(ring))
    assert found.proves
    assert found.signer is not None
    assert found.signer.algorithm == "ed25519"
    revoke(ring, entries(ring)[0].fingerprint, "", now())
    with pytest.raises(SignerUnavailable, match="was revoked"):
        sign(encoded(), "image/png", claims(), running)


def test_pictures_are_signed_without_a_gap_while_signers_change(ring: Path) -> None:
    running, stop, states = RingSigner(ring), threading.Event(), list[State]()
    trust = load_trust(ring)
    picture = encoded()

    def work() -> None:
        while not stop.is_set():
            states.append(read(sign(picture, "image/png", claims(), running).data, trust).state)

    thread = threading.Thread(target=work)
    thread.start()
    for alg in [*Algorithm] * 8:
        create_development_signer(ring, alg=alg)
    stop.set()
    thread.join(20)
    assert states
    assert set(states) == {State.TRUSTED}
