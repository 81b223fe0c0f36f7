"""A second reader of C2PA credentials, written without c2pa-rs: JUMBF, CBOR, COSE and X.509.

A credential counts as trusted only where this reader and c2pa-rs say so of the same statements.
"""

from provenance.credential.cbor import Malformed
from provenance.credential.reader.binding import Binding, HashedRange
from provenance.credential.reader.reading import Reading, open_store
from provenance.credential.reader.timestamp import TimeStamp

__all__ = ["Binding", "HashedRange", "Malformed", "Reading", "TimeStamp", "open_store"]
