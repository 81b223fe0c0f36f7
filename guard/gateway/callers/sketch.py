"""How much two prompts are alike, by sketches from which no prompt can be read. Pure.

A sketch is a sample of the words of a folded prompt, each as 32 bits of a hash under a key of the
home; of words without spaces between them (Chinese, Thai), the pairs of letters. Of two sketches
the overlap is the share of the smaller one that stands in the other too, so that what is put around
a prompt does not hide it. Prompts of more words keep those with the smallest hashes (bottom-k,
Cohen and Kaplan, PODC 2007), the same ones in every prompt.
"""

import re
from array import array
from hashlib import blake2b

from guard.prompts.fold import fold
from guard.prompts.reading import Reading

WORDS = 48  # of a sketch: 192 bytes; nine prompts of ten have fewer
SHORTEST = 3  # letters; shorter words stand in every prompt
_WORD = re.compile(r"\w+")

Sketch = frozenset[int]


def sketch(prompt: str, key: bytes) -> Sketch:
    """The sketch of a prompt. ``key``: 16 to 64 bytes."""
    hashes = {
        int.from_bytes(blake2b(word.encode(), key=key, digest_size=4).digest())
        for word in _words(fold(Reading.of(prompt)).text.lower())
    }
    return frozenset(sorted(hashes)[:WORDS])


def overlap(one: Sketch, other: Sketch) -> float:
    """The share of the smaller that stands in the other, 0 to 1; an estimate where one is full."""
    full = [max(each) for each in (one, other) if len(each) == WORDS]
    if full:  # below that, both are complete
        limit = min(full)
        one, other = (frozenset(h for h in each if h <= limit) for each in (one, other))
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


def packed(words: Sketch) -> bytes:
    """A sketch as bytes, four for each word."""
    return array("I", sorted(words)).tobytes()


def unpacked(data: bytes) -> Sketch:
    """The sketch that ``packed`` made, on a machine of the same byte order."""
    words = array("I")
    words.frombytes(data)
    return frozenset(words)


def _words(text: str) -> set[str]:
    found: set[str] = set()
    for word in _WORD.findall(text):
        if word.isascii():
            if len(word) >= SHORTEST:
                found.add(word)
        else:
            found.update(word[at : at + 2] for at in range(max(1, len(word) - 1)))
    return found
