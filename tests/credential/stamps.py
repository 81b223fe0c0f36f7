"""A time stamping authority that does as a test tells it (RFC 3161), without a network."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from provenance.keys import TrustAnchors
from tests.credential.authority import DAY, Authority


class TimeStamping:
    """Makes tokens that say ``moment`` (counted from now), whatever the clock says."""

    def __init__(
        self,
        moment: timedelta = timedelta(),
        *,
        purposes: Sequence[ObjectIdentifier] = (ExtendedKeyUsageOID.TIME_STAMPING,),
        starts: timedelta = -700 * DAY,
        ends: timedelta = 700 * DAY,
    ) -> None:
        self.moment = moment
        self.authority = Authority("A time stamping authority")
        self.key = ec.generate_private_key(ec.SECP256R1())
        leaf = self.authority.leaf(self.key.public_key(), purposes, starts=starts, ends=ends)
        self.leaf = asn1.Certificate.load(leaf.public_bytes(Encoding.DER))

    @property
    def trust(self) -> TrustAnchors:
        """Anchors for time stamps alone."""
        return TrustAnchors(time_stamping=self.authority.trust.certificates)

    def stamp(self, message: bytes) -> bytes:
        """A token for ``message``."""
        info = self._info(hashlib.sha256(message).digest())
        return self._signed(info, hashlib.sha256(info).digest())

    def stamp_of_another(self, message: bytes) -> bytes:
        """A token that is right in itself, but of another message."""
        return self.stamp(b"another " + message)

    def stamp_with_a_broken_signature(self, message: bytes) -> bytes:
        """A token whose signed attributes are of another content."""
        info = self._info(hashlib.sha256(message).digest())
        return self._signed(info, hashlib.sha256(b"other").digest())

    def _info(self, digest: bytes) -> bytes:
        made: bytes = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.2.3.4.1",
                "message_imprint": {
                    "hash_algorithm": {"algorithm": "sha256"},
                    "hashed_message": digest,
                },
                "serial_number": secrets.randbits(60),
                "gen_time": (datetime.now(UTC) + self.moment).replace(microsecond=0),
            }
        ).dump()
        return made

    def _signed(self, info: bytes, digest: bytes) -> bytes:
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [digest]},
            ]
        )
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    {
                        "issuer_and_serial_number": {
                            "issuer": self.leaf.issuer,
                            "serial_number": self.leaf.serial_number,
                        }
                    }
                ),
                "digest_algorithm": {"algorithm": "sha256"},
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
            }
        )
        content = {"content_type": "tst_info", "content": core.ParsableOctetString(info)}
        message = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": content,
                "certificates": [self.leaf],
                "signer_infos": [signer],
            }
        )
        token: bytes = cms.ContentInfo({"content_type": "signed_data", "content": message}).dump()
        return token
