"""Revoked or not: answers that come with a credential, and those that are asked for."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    ObjectIdentifier,
)
from hypothesis import given
from hypothesis import strategies as st

from provenance.credential import Credential, Revocation, State, read
from provenance.credential.revocation import revocation_of
from provenance.fetch import Fetcher
from tests.credential.authority import DAY, Authority
from tests.credential.forge import Forgery, pen_of
from tests.credential.scenery import encoded

AUTHORITY = Authority("An authority that answers")
KEY = ec.generate_private_key(ec.SECP256R1())
LEAF = AUTHORITY.leaf(KEY.public_key())
NOW = datetime.now(UTC).replace(microsecond=0)
HERE = Fetcher(allow_loopback=True, seconds=5)


def answer(
    *,
    leaf: x509.Certificate = LEAF,
    revoked: timedelta | None = None,
    given: timedelta = timedelta(hours=-1),
    until: timedelta = DAY,
    by: Authority = AUTHORITY,
    responder: ObjectIdentifier | None = None,
) -> bytes:
    """An OCSP answer. ``revoked``: when, from now. ``responder``: signed by a certificate with this
    purpose instead of the authority itself."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf,
        issuer=AUTHORITY.certificate,
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.GOOD if revoked is None else ocsp.OCSPCertStatus.REVOKED,
        this_update=NOW + given,
        next_update=NOW + until,
        revocation_time=None if revoked is None else NOW + revoked,
        revocation_reason=None,
    )
    signer, key = by.certificate, by.key
    if responder is not None:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = by.leaf(key.public_key(), [responder])
        builder = builder.certificates([signer])
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
    return signed.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def status(*answers: bytes, at: datetime = NOW) -> Revocation:
    return revocation_of((LEAF,), AUTHORITY.trust, answers, at)


def test_a_good_answer_counts_while_it_is_fresh() -> None:
    assert status(answer()) is Revocation.GOOD
    assert status(answer(), at=NOW + 2 * DAY) is Revocation.NOT_CHECKED
    assert status(answer(given=DAY, until=2 * DAY)) is Revocation.NOT_CHECKED


def test_revoked_outweighs_good_and_counts_from_its_moment_on() -> None:
    assert status(answer(), answer(revoked=-DAY)) is Revocation.REVOKED
    assert status(answer(revoked=-DAY), at=NOW - 2 * DAY) is Revocation.GOOD


@pytest.mark.parametrize(
    "of_no_weight",
    [
        answer(by=Authority("Somebody else")),
        answer(leaf=AUTHORITY.leaf(KEY.public_key())),
        answer(responder=ExtendedKeyUsageOID.CODE_SIGNING),
        answer(by=Authority("Somebody else"), responder=ExtendedKeyUsageOID.OCSP_SIGNING),
        ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
            Encoding.DER
        ),
        b"",
        b"0" * 100_000,
    ],
    ids=["stranger", "another leaf", "no responder", "stranger's responder", "later", "0", "long"],
)
def test_an_answer_by_nobody_or_of_another_certificate_says_nothing(of_no_weight: bytes) -> None:
    assert status(of_no_weight) is Revocation.NOT_CHECKED


def test_of_a_signer_without_a_certificate_nothing_is_said() -> None:
    assert revocation_of((), AUTHORITY.trust, [answer()], NOW) is Revocation.NOT_CHECKED


def test_whom_the_issuer_made_a_responder_may_answer() -> None:
    assert status(answer(responder=ExtendedKeyUsageOID.OCSP_SIGNING)) is Revocation.GOOD


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_damage_to_an_answer_raises_or_makes_it_good(at: int, byte: int) -> None:
    damaged = bytearray(REVOKED)
    damaged[at % len(damaged)] = byte
    assert status(bytes(damaged)) is not Revocation.GOOD


REVOKED = answer(revoked=-DAY)


def stapled(*answers: bytes) -> Credential:
    forgery = Forgery(unprotected={"rVals": {"ocspVals": list(answers)}})
    return read(forgery.into(encoded(), pen_of(KEY, LEAF)), AUTHORITY.trust)


def test_an_answer_that_comes_with_the_credential_is_read() -> None:
    assert stapled(answer()).revocation is Revocation.GOOD
    assert stapled(answer()).proves
    gone = stapled(REVOKED)
    assert (gone.state, gone.revocation) == (State.INVALID, Revocation.REVOKED)
    assert not gone.proves


@contextlib.contextmanager
def responder(speak: Callable[[bytes], bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A running OCSP responder on loopback, and what it was asked."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = speak(asked[-1])
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ocsp", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def asked_about(url: str, fetcher: Fetcher | None) -> tuple[Credential, x509.Certificate]:
    method = AuthorityInformationAccessOID.OCSP
    access = x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
    leaf = AUTHORITY.leaf(KEY.public_key(), extensions=[x509.AuthorityInformationAccess([access])])
    LEAVES.append(leaf)
    data = Forgery().into(encoded(), pen_of(KEY, leaf))
    return read(data, AUTHORITY.trust, revocation=fetcher), leaf


LEAVES: list[x509.Certificate] = []


@pytest.mark.parametrize(
    ("speak", "expected", "proves"),
    [
        (lambda request: answer(leaf=LEAVES[-1]), Revocation.GOOD, True),
        (lambda request: answer(leaf=LEAVES[-1], revoked=-DAY), Revocation.REVOKED, False),
        (lambda request: b"nonsense", Revocation.UNAVAILABLE, False),
        (lambda request: answer(), Revocation.UNAVAILABLE, False),
    ],
    ids=["good", "revoked", "nonsense", "of another"],
)
def test_the_authority_is_asked_where_that_was_wanted_and_no_answer_is_not_a_good_one(
    speak: Callable[[bytes], bytes], expected: Revocation, proves: bool
) -> None:
    with responder(speak) as (url, asked):
        found, leaf = asked_about(url, HERE)
    assert found.revocation is expected
    assert found.proves is proves
    assert ocsp.load_der_ocsp_request(asked[0]).serial_number == leaf.serial_number


def test_nobody_is_asked_unless_that_was_wanted() -> None:
    with responder(lambda request: answer(leaf=LEAVES[-1])) as (url, asked):
        found, _ = asked_about(url, None)
    assert asked == []
    assert found.revocation is Revocation.NOT_CHECKED
    assert found.proves


def test_a_certificate_cannot_send_us_into_a_private_network() -> None:
    found, _ = asked_about("http://169.254.169.254/ocsp", Fetcher(seconds=5))
    assert found.revocation is Revocation.UNAVAILABLE
