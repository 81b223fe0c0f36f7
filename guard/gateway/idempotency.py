"""``Idempotency-Key``: a request that is sent twice is drawn once (draft-ietf-httpapi-idempotency).

The same key with the same request has the same answer, for as long as answers are kept; with
another request it is 409 ``idempotency_conflict``; while the first is not done, 409
``still_running``. Each caller has keys of its own. What came to nothing (an outage, a full queue,
a caller that left) frees the key, so that the same request can be tried again.
"""

from fastapi import Request

from guard.errors import InvalidRequest

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"  # of an answer that was given before
MAX_CHARACTERS = 255


def key_of(request: Request) -> str | None:
    """The key of a request, if it has one. Raises InvalidRequest."""
    sent = request.headers.getlist(HEADER)
    if not sent:
        return None
    key = sent[0].strip()
    if len(sent) > 1 or not key or len(key) > MAX_CHARACTERS or not key.isprintable():
        raise InvalidRequest(
            f"send one Idempotency-Key of 1 to {MAX_CHARACTERS} printable characters, such as a"
            " random UUID"
        )
    return key
