"""Keys in a hardware token or security module, asked through PKCS#11 (OASIS, version 2.40).

The private key never leaves the token; only its certificate chain is read from a file, since few
tokens hold the whole of it. Needs python-pkcs11, the extra ``pkcs11``.
"""

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from provenance.errors import SignerUnavailable
from provenance.keys.service import der_signature
from provenance.keys.signer import Algorithm, algorithm_of

if TYPE_CHECKING:
    import pkcs11


@dataclass(frozen=True, repr=False)
class TokenSigner:
    """A signer whose key is the one labelled ``label`` in the token ``token``.

    ``module``: the token's PKCS#11 library. ``pin``: the user's. The session is opened when first
    used, kept, and opened anew once where the token lost it; calls take turns. It has no repr, so
    that no log holds the PIN.
    """

    module: Path
    token: str
    label: str
    pin: str
    certificate_chain: bytes
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)
    _opened: "list[pkcs11.PrivateKey]" = field(default_factory=list, compare=False)

    @property
    def alg(self) -> Algorithm:
        return algorithm_of(x509.load_pem_x509_certificates(self.certificate_chain)[0])

    def sign(self, data: bytes) -> bytes:
        """Raises SignerUnavailable where the token, the key or the library cannot be used."""
        try:
            import pkcs11
        except ImportError as error:
            raise SignerUnavailable(
                "python-pkcs11 is not installed; install it with: pip install 'wardmark[pkcs11]'"
            ) from error
        faults = (pkcs11.PKCS11Error, RuntimeError, OSError)
        with self._lock:
            if self._opened:
                try:
                    return self._use(self._opened[0], data)
                except faults:  # the token was pulled out and put back, say
                    self._close()
            try:
                # Once: a token locks itself after a few wrong PINs.
                self._opened.append(self._open())
                return self._use(self._opened[0], data)
            except faults as error:
                self._close()
                raise SignerUnavailable(
                    f"the token {self.token!r} did not sign with {self.label!r}"
                    f" ({type(error).__name__} {error}); check the token, the PIN and the label"
                ) from error

    def _use(self, key: "pkcs11.PrivateKey", data: bytes) -> bytes:
        import pkcs11

        if self.alg is Algorithm.ED25519:
            return bytes(key.sign(data, mechanism=pkcs11.Mechanism.EDDSA))
        # Not every token hashes by itself; all sign a digest.
        digest = hashlib.sha256(data).digest()
        return der_signature(bytes(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)))

    def _open(self) -> "pkcs11.PrivateKey":
        import pkcs11

        token = pkcs11.lib(str(self.module)).get_token(token_label=self.token)
        try:
            session = token.open(user_pin=self.pin)
        except pkcs11.UserAlreadyLoggedIn:  # another session of this process is
            session = token.open()
        return session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self.label)

    def _close(self) -> None:
        import pkcs11

        while self._opened:
            with suppress(pkcs11.PKCS11Error, RuntimeError):
                self._opened.pop().session.close()
