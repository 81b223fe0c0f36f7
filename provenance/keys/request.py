"""A certificate request that suits the C2PA conformance programme. Pure.

The request asks for what its profile (v0.2) demands of the leaf: key usage digitalSignature and
nonRepudiation, purposes claimSigning and documentSigning. What only the CA may state (policy,
assurance level, product, OCSP responder) is the CA's to add; ``wardmark keys lint`` looks for it.
"""

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provenance.errors import HomeInvalid
from provenance.keys.chain import CLAIM_SIGNING, DOCUMENT_SIGNING
from provenance.keys.signer import PrivateKey


def certificate_request(
    key: PrivateKey, *, organisation: str, common_name: str, country: str = ""
) -> bytes:
    """A PKCS#10 request (PEM) by ``key``. ``country``: two letters, or nothing.

    The names stand in every credential: those of an organisation and of a product, never a
    person's. Raises HomeInvalid for a name that no certificate can hold.
    """
    if not organisation or not common_name:
        raise HomeInvalid("a certificate cannot hold an empty name; name organisation and product")
    try:
        subject = x509.Name(list(_attributes(organisation, common_name, country)))
    except ValueError as error:
        raise HomeInvalid(f"a certificate cannot hold these names: {error}") from error
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    purposes = x509.ExtendedKeyUsage([CLAIM_SIGNING, DOCUMENT_SIGNING])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None)
    )
    return request.public_bytes(serialization.Encoding.PEM)


def _attributes(
    organisation: str, common_name: str, country: str
) -> Iterator[x509.NameAttribute[str]]:
    if country:
        yield x509.NameAttribute(NameOID.COUNTRY_NAME, country)
    yield x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)
    yield x509.NameAttribute(NameOID.COMMON_NAME, common_name)
