"""Texts to the sparse matrix that is fitted and scored."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from guard.prompts.features import BUCKETS, WORD_BUCKETS, features
from guard.prompts.fold import fold
from guard.prompts.language import ENGLISH, NO_LANGUAGE, language_of
from guard.prompts.reading import Reading
from guard.prompts.readings import readings_of
from guard.prompts.views import views
from guard.prompts.vocabulary import Vocabulary, word_hash

Buckets = NDArray[np.int64]

KEPT_FEATURES = 180_000  # 20 bytes each with seven heads: 3.6 MB
_MIN_WORD_COUNT = 3  # English prompts that use a word, for it to be one
_COMMON_WORD_COUNT = 12  # prompts that use a word, for it to tell English


class Readings(NamedTuple):
    """All readings and windows of some texts: each as a folded text and as its feature row.

    ``owner[i]``: whose row i is.
    A text's rows follow each other, those of its plain reading (if legible) first, of its deepest
    one last.
    """

    texts: list[str]
    rows: list[Buckets]
    owner: NDArray[np.int64]

    def of(self, kept: NDArray[np.bool_]) -> "Readings":
        """Those of the texts that are kept; ``kept``: (N,)."""
        at = np.flatnonzero(kept[self.owner]).tolist()
        return Readings(
            [self.texts[i] for i in at], [self.rows[i] for i in at], self.owner[at]
        )

    def first(self) -> list[Buckets]:
        """One row a text: the beginning of its first legible reading."""
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        return [self.rows[i] for i in starts]

    def last(self) -> list[Buckets]:
        """One row a text: the end of its deepest reading."""
        ends = np.flatnonzero(np.diff(self.owner, append=-1))
        return [self.rows[i] for i in ends]


class Selection(NamedTuple):
    """The features that are kept. ``buckets``: (F,) ascending; ``idf``: (F,) float32."""

    buckets: Buckets
    idf: NDArray[np.float32]

    def matrix(self, rows: Sequence[Buckets]) -> csr_matrix:
        """(N, F): idf, words and characters of each row at unit length each."""
        column = np.full(BUCKETS, -1, dtype=np.int32)
        column[self.buckets] = np.arange(len(self.buckets))
        lengths = np.array([len(row) for row in rows])
        owner = np.repeat(np.arange(len(rows)), lengths)
        columns = column[np.concatenate(rows)]
        owner, columns = owner[columns >= 0], columns[columns >= 0]
        values = self.idf[columns]
        is_word = columns < np.searchsorted(self.buckets, WORD_BUCKETS)
        for block in (is_word, ~is_word):
            norm = np.sqrt(np.bincount(owner[block], values[block] ** 2, len(rows)))
            values[block] /= norm[owner[block]].astype(np.float32)
        starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=len(rows)))))
        return csr_matrix((values, columns, starts), shape=(len(rows), len(self.buckets)))


def select(rows: Sequence[Buckets]) -> Selection:
    """The ``KEPT_FEATURES`` that most rows have; idf = ln(N / (1 + rows that have it))."""
    counts = np.bincount(np.concatenate(rows), minlength=BUCKETS)
    kept = np.sort(np.argsort(-counts, kind="stable")[:KEPT_FEATURES])
    kept = kept[counts[kept] > 1]
    idf = np.log(len(rows) / (1 + counts[kept])).clip(min=0.01)
    return Selection(kept, idf.astype(np.float16).astype(np.float32))


def vocabulary_of(texts: Sequence[str]) -> Vocabulary:
    """The words that at least ``_MIN_WORD_COUNT`` English texts use, with log probabilities.

    What is English is judged by the commoner words of all texts: rare ones let others pass.
    """
    plain = [(text, fold(Reading.of(text))) for text in texts]
    common = _counted([reading.text for _, reading in plain], _COMMON_WORD_COUNT)
    english = [
        reading.text
        for text, reading in plain
        if language_of(text, [reading], common) in (ENGLISH, NO_LANGUAGE)
    ]
    return _counted(english, _MIN_WORD_COUNT)


def _counted(folded: Iterable[str], least: int) -> Vocabulary:
    counts: Counter[str] = Counter()
    for text in folded:
        counts.update(set(re.findall(r"[a-z]+", text)))
    total = counts.total()
    common = {word: count for word, count in counts.items() if count >= least}
    return Vocabulary({word_hash(word): math.log(count / total) for word, count in common.items()})


def read_all(texts: Sequence[str], vocabulary: Vocabulary) -> Readings:
    """What the assessor would score of each text."""
    found: list[str] = []
    owner: list[int] = []
    for i, text in enumerate(texts):
        for view in views(readings_of(text, vocabulary), vocabulary):
            found.append(view.text)
            owner.append(i)
    return Readings(found, [features(each) for each in found], np.array(owner))
