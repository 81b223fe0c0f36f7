"""An issuer of OpenID Connect on loopback: keys that rotate, a server that can be down."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from provenance.callers import IssuerSettings

ISSUER = "https://issuer.test"
AUDIENCE = "wardmark.test"

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def new_private(algorithm: str) -> Private:
    """A key for ``RS256``, ``ES256`` or ``EdDSA``."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


class Issuer:
    """``up``: whether it answers. ``asked``: how often its keys were fetched."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.up = True
        self.asked = 0
        self.body: bytes | None = None  # answered in place of the keys
        self._private: dict[str, tuple[str, Private]] = {}

    def rotate(self, kid: str, algorithm: str = "ES256") -> None:
        """Sign with a new key from now on, and disown all before."""
        self._private = {kid: (algorithm, new_private(algorithm))}

    @property
    def keys(self) -> dict[str, Any]:
        """Its JSON Web Key Set."""
        found = []
        for kid, (name, private) in self._private.items():
            algorithm = jwt.get_algorithm_by_name(name)
            public = json.loads(algorithm.to_jwk(private.public_key()))
            found.append(public | {"kid": kid, "alg": name, "use": "sig"})
        return {"keys": found}

    def settings(self, **more: Any) -> IssuerSettings:
        """What a gateway is told of this issuer."""
        named = {"issuer": ISSUER, "audience": AUDIENCE, "keys_url": self.url}
        return IssuerSettings.model_validate(named | more)

    def token(self, now: float, /, *, seconds: float = 600, **claims: Any) -> str:
        """A token signed with the newest key; a claim of ``None`` is left out."""
        (kid, (algorithm, private)) = next(iter(self._private.items()))
        told = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + seconds}
        kept = {name: value for name, value in (told | claims).items() if value is not None}
        signed = json.dumps(kept).encode()  # whatever the claims are, which jwt.encode would check
        return jwt.PyJWS().encode(signed, private, algorithm=algorithm, headers={"kid": kid})


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """An issuer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = issuer.body or json.dumps(issuer.keys).encode()
            self.send_response(200 if issuer.up else 500)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}/keys")
    issuer.rotate("first")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
