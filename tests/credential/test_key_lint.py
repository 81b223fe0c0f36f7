"""What a trust list will refuse is known before it is asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from provenance.credential import sign
from provenance.errors import HomeInvalid, SignerUnavailable
from provenance.keys import Algorithm, KeySigner
from provenance.keys.chain import CLAIM_SIGNING, DOCUMENT_SIGNING
from provenance.keys.development import new_key
from provenance.keys.lint import ASSURANCE_LEVEL, POLICY, PRODUCT, Judge, lint
from provenance.keys.request import certificate_request
from tests.credential.formats import third_party
from tests.credential.scenery import claims, encoded

NOW = datetime.now(UTC)
ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
LEAF_KEY = ec.generate_private_key(ec.SECP256R1())
ROOT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A root")])
SIGNING: dict[str, Any] = {"digital_signature": True, "content_commitment": True}
NONE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def certificate(
    *,
    days: int = 90,
    starts: timedelta = -timedelta(days=1),
    ca: bool = False,
    usage: dict[str, bool] | None = SIGNING,
    usage_critical: bool = True,
    purposes: list[x509.ObjectIdentifier] | None = None,
    key: Any = LEAF_KEY,
    without: tuple[str, ...] = (),
    unknown_critical: bool = False,
    self_signed: bool = False,
) -> x509.Certificate:
    """A leaf that suits the conformance programme, except where a test says otherwise."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A signer")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if self_signed else ROOT)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + starts)
        .not_valid_after(NOW + starts + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    purposes = [CLAIM_SIGNING, DOCUMENT_SIGNING] if purposes is None else purposes
    ocsp = x509.UniformResourceIdentifier("http://ocsp.test/")
    access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, ocsp)
    parts: dict[str, tuple[x509.ExtensionType, bool] | None] = {
        "ku": (x509.KeyUsage(**{**NONE, **usage}), usage_critical) if usage is not None else None,
        "eku": (x509.ExtendedKeyUsage(purposes), False) if purposes else None,
        "ski": (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        "aki": (
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT_KEY.public_key()),
            False,
        ),
        "policy": (x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), False),
        "ocsp": (x509.AuthorityInformationAccess([access]), False),
        "level": (x509.UnrecognizedExtension(ASSURANCE_LEVEL, b"\x05\x00"), False),
        "product": (x509.UnrecognizedExtension(PRODUCT, b"\x05\x00"), False),
    }
    if unknown_critical:
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
        parts["odd"] = (odd, True)
    for name, part in parts.items():
        if part is not None and name not in without:
            builder = builder.add_extension(part[0], critical=part[1])
    return builder.sign(key if self_signed else ROOT_KEY, hashes.SHA256())


def test_a_certificate_of_the_programmes_profile_has_nothing_against_it() -> None:
    assert lint([certificate()], NOW) == ()


E = ExtendedKeyUsageOID
VALIDATOR: dict[str, tuple[str, dict[str, Any]]] = {
    "expired": ("expired", {"starts": -timedelta(days=200), "days": 100}),
    "tomorrow": ("not-yet-valid", {"starts": timedelta(days=1)}),
    "ca": ("basic-constraints", {"ca": True}),
    "no key usage": ("key-usage", {"usage": None}),
    "encipherment": ("key-usage", {"usage": SIGNING | {"key_encipherment": True}}),
    "issuing": ("key-usage", {"usage": SIGNING | {"key_cert_sign": True}}),
    "no purpose": ("purpose", {"purposes": []}),
    "web server": ("purpose", {"purposes": [E.SERVER_AUTH]}),
    "time stamps": ("purpose-exclusive", {"purposes": [CLAIM_SIGNING, E.TIME_STAMPING]}),
    "anything": ("purpose-any", {"purposes": [CLAIM_SIGNING, E.ANY_EXTENDED_KEY_USAGE]}),
    "no issuer key": ("authority-key-identifier", {"without": ("aki",)}),
    "unknown critical": ("critical", {"unknown_critical": True}),
    "P-384": ("key", {"key": ec.generate_private_key(ec.SECP384R1())}),
    "self-signed": ("self-signed", {"self_signed": True}),
}
PROGRAMME: dict[str, tuple[str, dict[str, Any]]] = {
    "ten years": ("lifetime", {"days": 3650}),
    "documents only": ("claim-signing", {"purposes": [DOCUMENT_SIGNING]}),
    "claims only": ("second-purpose", {"purposes": [CLAIM_SIGNING]}),
    "no repudiation": ("key-usage-profile", {"usage": {"digital_signature": True}}),
    "usage not critical": ("key-usage-profile", {"usage_critical": False}),
    "no key identifier": ("subject-key-identifier", {"without": ("ski",)}),
    "no policy": ("policy", {"without": ("policy",)}),
    "no responder": ("ocsp", {"without": ("ocsp",)}),
    "no level": ("assurance-level", {"without": ("level",)}),
    "no product": ("product", {"without": ("product",)}),
}


@pytest.mark.parametrize("name", VALIDATOR)
def test_what_every_validator_refuses_is_named_and_never_signed_with(name: str) -> None:
    code, fault = VALIDATOR[name]
    leaf = certificate(**fault)
    found = [r for r in lint([leaf], NOW) if r.judge is Judge.VALIDATOR]
    assert code in {refusal.code for refusal in found}
    key = fault.get("key", LEAF_KEY)
    with pytest.raises(SignerUnavailable, match="wardmark keys lint"):
        sign(encoded(), "image/png", claims(), KeySigner(key, pem(leaf)))


@pytest.mark.parametrize("name", PROGRAMME)
def test_what_only_the_programme_refuses_is_named_and_still_signs(name: str) -> None:
    code, fault = PROGRAMME[name]
    leaf = certificate(**fault)
    found = lint([leaf], NOW)
    assert {(refusal.judge, refusal.code) for refusal in found} == {(Judge.PROGRAMME, code)}
    signed = sign(encoded(), "image/png", claims(), KeySigner(LEAF_KEY, pem(leaf)))
    from provenance.keys import TrustAnchors

    assert third_party(signed.data, "image/png", TrustAnchors())[0] == "Valid"


def test_a_chain_in_the_wrong_order_is_refused() -> None:
    leaf, other = certificate(), certificate(ca=True, usage={"key_cert_sign": True})
    assert "chain" in {refusal.code for refusal in lint([leaf, other], NOW)}


@pytest.mark.parametrize("alg", Algorithm)
def test_a_request_asks_for_what_the_programme_demands(alg: Algorithm) -> None:
    key = new_key(alg)
    asked = certificate_request(
        key, organisation="Example Pictures", common_name="Example Generator", country="DE"
    )
    request = x509.load_pem_x509_csr(asked)
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=Example Generator,O=Example Pictures,C=DE"
    usage = request.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.content_commitment) == (True, True)
    purposes = request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [CLAIM_SIGNING, DOCUMENT_SIGNING]
    assert isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)


@pytest.mark.parametrize(("organisation", "country"), [("", "DE"), ("X", "Germany")])
def test_a_name_that_no_certificate_can_hold_is_refused(organisation: str, country: str) -> None:
    with pytest.raises(HomeInvalid, match="cannot hold"):
        certificate_request(
            new_key(Algorithm.ES256), organisation=organisation, common_name="Y", country=country
        )


def pem(leaf: x509.Certificate) -> bytes:
    return leaf.public_bytes(serialization.Encoding.PEM)
