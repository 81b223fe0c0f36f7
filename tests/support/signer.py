"""A signer whose token can be pulled out."""

from dataclasses import dataclass

from provenance.errors import SignerUnavailable
from provenance.keys import Algorithm, Signer


@dataclass
class InMemorySigner:
    """Signs with ``inner`` until ``available`` is set to False; counts what it signed."""

    inner: Signer
    available: bool = True
    signed: int = 0

    @property
    def alg(self) -> Algorithm:
        return self.inner.alg

    @property
    def certificate_chain(self) -> bytes:
        return self.inner.certificate_chain

    def sign(self, data: bytes) -> bytes:
        if not self.available:
            raise SignerUnavailable("the token was pulled out; put it back and ask again")
        self.signed += 1
        return self.inner.sign(data)
