"""Interval arithmetic over files."""

from hypothesis import given
from hypothesis import strategies as st

from provenance.credential.container import Span
from provenance.credential.coverage import coverage
from provenance.credential.reader import HashedRange

SIZE = 200
ranges = st.lists(
    st.tuples(st.integers(-20, SIZE + 20), st.integers(-5, SIZE + 20)).map(
        lambda p: HashedRange(*p)
    ),
    max_size=6,
)


@given(ranges, ranges)
def test_coverage_counts_bytes_as_a_set_does(
    exclusions: list[HashedRange], stores: list[HashedRange]
) -> None:
    spans = [Span(start, start + length) for start, length in stores]
    file = set(range(SIZE))
    own = {byte for span in spans for byte in range(*span)} & file
    excluded = {b for start, length in exclusions for b in range(start, start + length)} & file
    found = coverage(SIZE, exclusions, spans)
    assert found.bytes_excluded == len(excluded - own)
    content = len(file - own)
    assert found.share == ((content - len(excluded - own)) / content if content else 0)
