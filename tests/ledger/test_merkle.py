"""The tree, held against RFC 6962's known roots and an independent implementation."""

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import ProofInvalid
from provenance.ledger.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Frontier,
    check_consistency,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
    root_of,
)

# Leaves and roots of the reference tree that Certificate Transparency's implementations share.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


class Tree:
    """A tree in memory that serves its tiles as the database does: full ones, and right edges."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"%d" % i) for i in range(size)]
        self.frontier = Frontier()
        self.full = {(t.level, t.position): t for t in self.frontier.extend(self.leaves)}

    def hashes(self, level: int, tile: int) -> list[bytes]:
        if (level, tile) in self.full:
            return list(self.full[level, tile].hashes)
        start = tile * TILE_WIDTH
        if level == 0:
            return self.leaves[start:]
        below = [t for (at, _), t in sorted(self.full.items()) if at == level - 1]
        return [t.root for t in below[start:]]


TREE = Tree(1500)
SIZES = st.integers(1, 300) | st.sampled_from([511, 512, 513, 1024, 1300])


def prefix(size: int) -> Tree:
    return Tree(size)


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    frontier = Frontier()
    frontier.extend(hashes)
    assert frontier.root().hex() == CT_ROOTS[size - 1]
    assert root_of(hashes).hex() == CT_ROOTS[size - 1]


def test_the_empty_tree_has_the_root_of_rfc_6962() -> None:
    assert Frontier().root() == root_of([]) == EMPTY_ROOT


@given(st.lists(st.integers(0, 300), max_size=6))
def test_it_does_not_matter_in_which_portions_leaves_come(portions: list[int]) -> None:
    leaves = [leaf_hash(b"%d" % i) for i in range(sum(portions))]
    frontier = Frontier()
    tiles = []
    start = 0
    for portion in portions:
        tiles += frontier.extend(leaves[start : start + portion])
        start += portion
    whole = Frontier()
    assert tiles == whole.extend(leaves)
    assert frontier.root() == whole.root() == root_of(leaves)


@given(SIZES)
@settings(max_examples=30)
def test_a_frontier_loaded_from_tiles_grows_as_the_one_that_wrote_them(size: int) -> None:
    tree = prefix(size)
    loaded = Frontier.load(tree, size)
    more = [leaf_hash(b"more %d" % i) for i in range(600)]
    assert loaded.root() == tree.frontier.root()
    assert loaded.extend(more) == tree.frontier.extend(more)
    assert loaded.root() == tree.frontier.root()


def test_tiles_of_a_large_tree_follow_tlog_tiles() -> None:
    frontier = Frontier()
    tiles = frontier.extend([b"\x00" * 32] * 70_000)  # the example of the specification
    assert sum(t.level == 0 for t in tiles) == 273
    assert [(t.position, len(t.hashes)) for t in tiles if t.level == 1] == [(0, 256)]
    assert all(t.root == root_of(t.hashes) for t in tiles)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_proofs_are_those_of_an_independent_implementation(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    tree, other = prefix(size), pymerkle.InmemoryTree(algorithm="sha256")
    for i in range(size):
        other.append_entry(b"%d" % i)
    path = inclusion_path(tree, index, size)
    theirs = other.prove_inclusion(index + 1, size)  # pymerkle counts from 1
    assert path == theirs.path[1:]  # and begins with the leaf itself
    assert other.get_root(size) == tree.frontier.root()
    assert root_from_inclusion(tree.leaves[index], index, size, path) == tree.frontier.root()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_consistency_proofs_join_the_roots_of_an_independent_implementation(
    data: st.DataObject,
) -> None:
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new))
    tree, other = prefix(new), pymerkle.InmemoryTree(algorithm="sha256")
    for i in range(new):
        other.append_entry(b"%d" % i)
    path = consistency_path(tree, old, new)
    check_consistency(old, other.get_root(old), new, other.get_root(new), path)


@given(st.data())
@settings(max_examples=60)
def test_a_changed_byte_of_a_path_is_found(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(prefix(size), index, size)
    if not path:
        return
    at, byte = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 31))
    changed = bytearray(path[at])
    changed[byte] ^= data.draw(st.integers(1, 255))
    path[at] = bytes(changed)
    root = root_from_inclusion(leaf_hash(b"%d" % index), index, size, path)
    assert root != prefix(size).frontier.root()


@given(st.data())
@settings(max_examples=60)
def test_a_proof_for_one_place_does_not_serve_for_another(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    index, other = data.draw(
        st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True)
    )
    tree = prefix(size)
    path = inclusion_path(tree, index, size)
    try:
        root = root_from_inclusion(tree.leaves[index], other, size, path)
    except ProofInvalid:
        return
    assert root != tree.frontier.root()


@pytest.mark.parametrize("cut", ["short", "long"])
def test_a_path_of_the_wrong_length_is_refused(cut: str) -> None:
    path = inclusion_path(TREE, 77, 1500)
    wrong = path[:-1] if cut == "short" else [*path, path[0]]
    with pytest.raises(ProofInvalid, match="before it reaches" if cut == "short" else "longer"):
        root_from_inclusion(TREE.leaves[77], 77, 1500, wrong)


def test_a_rewritten_past_is_inconsistent() -> None:
    old_root = root_of([leaf_hash(b"another past")] * 700)
    path = consistency_path(TREE, 700, 1500)
    with pytest.raises(ProofInvalid, match="signed at 700"):
        check_consistency(700, old_root, 1500, TREE.frontier.root(), path)
    with pytest.raises(ProofInvalid, match="signed at 1500"):
        check_consistency(700, prefix(700).frontier.root(), 1500, old_root, path)
    with pytest.raises(ProofInvalid, match="cannot extend"):
        check_consistency(1500, TREE.frontier.root(), 700, old_root, path)
    with pytest.raises(ProofInvalid, match="different roots"):
        check_consistency(1500, TREE.frontier.root(), 1500, old_root, [])
    with pytest.raises(ProofInvalid, match="empty"):
        check_consistency(700, old_root, 1500, TREE.frontier.root(), [])
