"""What signs and marks, and whom it believes."""

from datetime import UTC, datetime

import numpy as np
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from guard.doctor.subject import Remarks, Subject, fail, not_checked, ok, warn
from provenance.credential.stamping import StampPolicy
from provenance.keys import Signer, load_trust
from provenance.keys.chain import check_chain, is_development
from provenance.keys.lint import Judge, lint, load
from provenance.keys.trust import ROOT_FILE, TSA_FILE
from provenance.watermark.keys import key_id

CA = "Ask a CA: wardmark keys csr -o request.pem; then wardmark keys install CHAIN."
SIDE = 512  # pixels of the picture that is marked and read, about what generators draw


def signer(subject: Subject) -> Remarks:
    """The key signs, its certificate is in time, and validators and the programme take it."""
    opened = subject.home.signer
    chain = load(opened.certificate_chain)
    leaf = chain[0]
    if not _signs(opened, leaf):
        yield fail("what the key signs does not verify under its certificate", CA)
        return
    refusals = lint(chain, subject.now)
    for refusal in (r for r in refusals if r.judge is Judge.VALIDATOR):
        yield fail(f"every validator refuses the certificate: {refusal.message}", CA)
    if any(r.judge is Judge.VALIDATOR for r in refusals):
        return
    until = leaf.not_valid_after_utc
    said = f"{leaf.subject.rfc4514_string()} until {until:%Y-%m-%d}"
    if until - subject.now < subject.limits.certificate_left:
        yield warn(f"{said}: {(until - subject.now).days} days are left", CA)
    else:
        yield ok(f"{said}; it signs")
    if is_development(leaf):
        yield warn("a DEVELOPMENT certificate: nobody but this home trusts it", CA)
    elif programme := [r.message for r in refusals if r.judge is Judge.PROGRAMME]:
        yield warn(f"the C2PA conformance programme refuses it: {'; '.join(programme)}", CA)


def _signs(opened: Signer, leaf: x509.Certificate) -> bool:
    message = b"wardmark doctor"
    signature, public = opened.sign(message), leaf.public_key()
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def trust(subject: Subject) -> Remarks:
    """The anchors that this home believes are in time and not old, and vouch for its signer."""
    home = subject.home
    anchors = load_trust(home.keys_folder)
    for anchor in (*anchors.certificates, *anchors.time_stamping):
        if anchor.not_valid_after_utc < subject.now:
            yield warn(
                f"the anchor {anchor.subject.rfc4514_string()} ended on"
                f" {anchor.not_valid_after_utc:%Y-%m-%d}",
                "Fetch the list anew from where it came, and put it in its place.",
            )
    found = check_chain(load(home.signer.certificate_chain), anchors, subject.now)
    if found.problems:
        yield warn(
            f"this home does not believe its own signer: {', '.join(found.problems)}",
            "Install the chain again with the root of its CA: wardmark keys install CHAIN"
            " --anchor ROOT.",
        )
    for file in (home.keys_folder / ROOT_FILE, home.keys_folder / TSA_FILE):
        if not file.exists() or all(is_development(c) for c in load(file.read_bytes())):
            continue  # what this home made itself does not get old
        age = subject.now - datetime.fromtimestamp(file.stat().st_mtime, UTC)
        if age > subject.limits.trust_age:
            yield warn(
                f"{file} is {age.days} days old", "Compare it with the list that it came from."
            )
    yield ok(
        f"{len(anchors.certificates)} anchors of signers, {len(anchors.time_stamping)} of time"
        f" stamps, {len(anchors.revoked)} revoked"
    )


def time_stamps(subject: Subject) -> Remarks:
    """Somebody says when a picture was signed. The authorities are not asked."""
    asked = subject.home.settings.time_stamps
    if asked.policy is StampPolicy.OFF:
        yield warn(
            "no time stamps: a credential is believed no longer than its certificate lasts",
            "Name time stamping authorities in time_stamps (docs/credential.md).",
        )
    elif not asked.urls:
        yield fail("time stamps are wanted, and no authority is named", "Set time_stamps.urls.")
    else:
        yield not_checked(
            f"{len(asked.urls)} authorities are named and were not asked",
            "Try one: wardmark sign PICTURE -o SIGNED.",
        )


def marks(subject: Subject) -> Remarks:
    """The keys of watermarks can be used: a mark is written into a picture and read back."""
    home = subject.home
    scheme = home.scheme()
    payload = bytes(range(scheme.payload_bits // 8))
    grain = np.random.default_rng(7).normal(0.0, 12.0, (SIDE, SIDE, 3))  # a mark needs texture
    ramp = np.linspace(60.0, 200.0, SIDE)[:, None, None]
    picture = np.clip(ramp + grain, 0.0, 255.0).astype(np.uint8)
    found = scheme.detect(scheme.embed(picture, payload))
    if found is None or found.payload != payload:
        yield fail(f"a mark of {scheme.name} was written and not read back", "Check mark.keys.")
        return
    current, *earlier = home.mark_keys
    yield ok(
        f"{scheme.name} writes and reads under key {key_id(current.key)};"
        f" {len(earlier)} earlier keys are looked for"
    )
