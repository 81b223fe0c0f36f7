"""Who signed, with which certificate, and when: keys, chains, purposes, times."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from provenance.credential import sign
from provenance.keys import TrustAnchors, create_development_signer
from provenance.keys.chain import CLAIM_SIGNING
from provenance.verify import Verdict
from tests.credential.authority import DAY, Authority
from tests.credential.forge import Forgery, Pen, pen, pen_of
from tests.credential.scenery import claims
from tests.credential.stamps import TimeStamping
from tests.verify.attacks import STRANGER, VOUCHED, Case, fresh, kind
from tests.verify.studio import Delivered, Studio

KEY = ec.generate_private_key(ec.SECP256R1())


def by(signing: Pen, forgery: Forgery | None = None, trust: TrustAnchors = VOUCHED.trust) -> Case:
    """A picture that nobody has recorded, signed by this pen."""
    return Case((forgery or Forgery()).into(fresh(50), signing), trust)


@kind(Verdict.ESTABLISHED, None)
def forgery_without_a_fault(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """Or the others would prove nothing."""
    return by(pen(VOUCHED.signer()))


@kind(Verdict.UNCONFIRMED, "unknown-signer")
def strangers_own_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(sign(fresh(46), "image/png", claims(), STRANGER.signer()).data)


@kind(Verdict.UNCONFIRMED, "unknown-signer")
def development_certificate_of_another_house(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    elsewhere = studio.folder / "elsewhere"
    return by(pen(create_development_signer(elsewhere)), trust=TrustAnchors())


@kind(Verdict.UNCONFIRMED, "unknown-signer")
def certificate_that_signed_itself(studio: Studio, own: Delivered, other: Delivered) -> Case:
    alone = Authority("A vouched-for publisher")
    return by(pen_of(alone.key, alone.certificate))


@kind(Verdict.UNCONFIRMED, "unknown-signer")
def authority_of_the_same_name(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(Authority("A vouched-for publisher").signer()))


@kind(Verdict.UNCONFIRMED, "unknown-signer")
def leaf_that_plays_the_authority(studio: Studio, own: Delivered, other: Delivered) -> Case:
    """A vouched-for leaf signs a certificate of its own, and puts itself into the chain."""
    upper = ec.generate_private_key(ec.SECP256R1())
    between = VOUCHED.leaf(upper.public_key())
    false = Authority("unused")
    false.key, false.subject = upper, between.subject
    leaf = pen_of(KEY, false.leaf(KEY.public_key()))
    return by(leaf._replace(chain=(*leaf.chain, between.public_bytes(Encoding.DER))))


@kind(Verdict.UNCONFIRMED, "unknown-signer")
def anchor_for_time_stamps_vouches_for_nobody(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    only_for_time = TrustAnchors(time_stamping=VOUCHED.trust.certificates)
    return by(pen(VOUCHED.signer()), trust=only_for_time)


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_for_time_stamps(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer([ExtendedKeyUsageOID.TIME_STAMPING])))


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_for_ocsp_answers(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer([ExtendedKeyUsageOID.OCSP_SIGNING])))


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_for_claims_and_time_stamps(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    both = [CLAIM_SIGNING, ExtendedKeyUsageOID.TIME_STAMPING]
    return by(pen(VOUCHED.signer(both)))


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_of_a_web_server(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer([ExtendedKeyUsageOID.SERVER_AUTH])))


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_for_anything(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])))


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_without_purposes(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer([])))


@kind(Verdict.UNCONFIRMED, "signer-not-entitled")
def certificate_of_an_authority(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen_of(KEY, VOUCHED.leaf(KEY.public_key(), ca=True)))


@kind(Verdict.UNCONFIRMED, "expired-without-time")
def certificate_expired(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer(starts=-20 * DAY, ends=-10 * DAY)))


@kind(Verdict.UNCONFIRMED, "expired-without-time")
def certificate_not_valid_yet(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer(starts=10 * DAY, ends=20 * DAY)))


def _stamped(tsa: TimeStamping, how: str = "stamp", trust: TrustAnchors | None = None) -> Case:
    expired = pen(VOUCHED.signer(starts=-20 * DAY, ends=-10 * DAY))
    trusted = VOUCHED.trust | (tsa.trust if trust is None else trust)
    return by(expired, Forgery(stamp=getattr(tsa, how)), trusted)


@kind(Verdict.ESTABLISHED, None)
def certificate_expired_since_a_trusted_time_stamp(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    return _stamped(TimeStamping(-15 * DAY))


@kind(Verdict.UNCONFIRMED, "untrusted-time")
def time_stamp_by_nobody(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return _stamped(TimeStamping(-15 * DAY), trust=TrustAnchors())


@kind(Verdict.UNCONFIRMED, "untrusted-time")
def time_stamp_by_an_anchor_for_claims(studio: Studio, own: Delivered, other: Delivered) -> Case:
    tsa = TimeStamping(-15 * DAY)
    return _stamped(tsa, trust=tsa.authority.trust)


@kind(Verdict.UNCONFIRMED, "expired-without-time")
def time_stamp_of_another_signature(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return _stamped(TimeStamping(-15 * DAY), "stamp_of_another")


@kind(Verdict.UNCONFIRMED, "expired-without-time")
def time_stamp_with_a_broken_signature(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return _stamped(TimeStamping(-15 * DAY), "stamp_with_a_broken_signature")


@kind(Verdict.UNCONFIRMED, "expired-without-time")
def time_stamp_from_before_the_certificate(
    studio: Studio, own: Delivered, other: Delivered
) -> Case:
    return _stamped(TimeStamping(-30 * DAY))


@kind(Verdict.UNCONFIRMED, "expired-without-time")
def time_stamp_by_a_certificate_for_code(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return _stamped(TimeStamping(-15 * DAY, purposes=[ExtendedKeyUsageOID.CODE_SIGNING]))


@kind(Verdict.UNCONFIRMED, "revoked")
def certificate_revoked(studio: Studio, own: Delivered, other: Delivered) -> Case:
    leaf = VOUCHED.leaf(KEY.public_key())
    return by(pen_of(KEY, leaf), Forgery(unprotected={"rVals": {"ocspVals": [_revoked(leaf)]}}))


@kind(Verdict.CONTRADICTED, "altered-credential")
def signed_by_another_key(studio: Studio, own: Delivered, other: Delivered) -> Case:
    honest = pen(VOUCHED.signer())
    return by(pen_of(KEY, VOUCHED.certificate)._replace(chain=honest.chain))


@kind(Verdict.CONTRADICTED, "altered-credential")
def algorithm_of_another_key(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer())._replace(alg=-8))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def algorithm_that_nobody_knows(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return by(pen(VOUCHED.signer())._replace(alg=-999))


@kind(Verdict.UNCONFIRMED, "unreadable-credential")
def two_chains_in_one_signature(studio: Studio, own: Delivered, other: Delivered) -> Case:
    signing = pen(VOUCHED.signer())
    return by(signing, Forgery(unprotected={"x5chain": signing.chain[0]}))


def _revoked(leaf: x509.Certificate) -> bytes:
    answered = leaf.not_valid_before_utc
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf,
        issuer=VOUCHED.certificate,
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.REVOKED,
        this_update=answered,
        next_update=answered + 10 * DAY,
        revocation_time=answered,
        revocation_reason=x509.ReasonFlags.key_compromise,
    )
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, VOUCHED.certificate)
    return signed.sign(VOUCHED.key, hashes.SHA256()).public_bytes(Encoding.DER)
