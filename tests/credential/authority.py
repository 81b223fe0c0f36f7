"""A certificate authority that does as a test tells it: other purposes, times and names."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from provenance.keys import KeySigner, TrustAnchors
from provenance.keys.chain import CLAIM_SIGNING

DAY = timedelta(days=1)


class Authority:
    """A root, and leaves that it issues directly."""

    def __init__(self, organisation: str = "Another organisation") -> None:
        self.organisation = organisation
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = self._name("root")
        self.certificate = self._issue(self.subject, self.key.public_key(), ca=True)
        self.trust = TrustAnchors((self.certificate,))

    def signer(
        self,
        purposes: Sequence[ObjectIdentifier] = (CLAIM_SIGNING,),
        *,
        starts: timedelta = -DAY,
        ends: timedelta = 90 * DAY,
        key: ed25519.Ed25519PrivateKey | None = None,
    ) -> KeySigner:
        """A leaf with these purposes, valid between two moments counted from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        leaf = self._issue(
            self._name("signer"), key.public_key(), purposes=purposes, starts=starts, ends=ends
        )
        return KeySigner(key, leaf.public_bytes(serialization.Encoding.PEM))

    def leaf(
        self,
        public: CertificatePublicKeyTypes,
        purposes: Sequence[ObjectIdentifier] = (CLAIM_SIGNING,),
        *,
        starts: timedelta = -DAY,
        ends: timedelta = 90 * DAY,
        ca: bool = False,
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> x509.Certificate:
        """A certificate for a key of any kind."""
        return self._issue(
            self._name("signer"),
            public,
            ca=ca,
            purposes=purposes,
            starts=starts,
            ends=ends,
            extensions=extensions,
        )

    def web_server(self, address: str) -> tuple[bytes, bytes]:
        """A certificate (PEM) for a web server at this IP address, and its key (PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        leaf = self._issue(
            self._name("web server"),
            key.public_key(),
            purposes=[ExtendedKeyUsageOID.SERVER_AUTH],
            extensions=[name],
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return leaf.public_bytes(serialization.Encoding.PEM), secret

    def _name(self, role: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{self.organisation} {role}"),
            ]
        )

    def _issue(
        self,
        subject: x509.Name,
        public: CertificatePublicKeyTypes,
        *,
        ca: bool = False,
        purposes: Sequence[ObjectIdentifier] = (),
        starts: timedelta = -800 * DAY,
        ends: timedelta = 800 * DAY,
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        usage = dict.fromkeys(
            (
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
                "content_commitment",
                "crl_sign",
            ),
            False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, **usage), critical=True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())
