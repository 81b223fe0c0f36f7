"""Witnesses in folders and over HTTP: what extends is cosigned, what rewinds or forks is not."""

import base64
import http.client
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tampering import behind_our_back, set_blob

import migrations
from provenance.errors import (
    HistoryContradicted,
    LogUnknown,
    LogUntrusted,
    ProofInvalid,
    SubmissionInvalid,
    WitnessElsewhere,
    WitnessRefused,
    WitnessUnavailable,
)
from provenance.ledger import Event, Ledger, LedgerKey, Tampering, verify_inclusion
from provenance.ledger import note as notes
from provenance.ledger.cosignature import WitnessKey, WitnessVerifier
from provenance.ledger.merkle import Frontier, leaf_hash
from provenance.ledger.submission import Submission
from provenance.ledger.witness import FileWitness, Witness, kept_checkpoint
from provenance.ledger.witness_server import HttpWitness, WitnessServer

# The example of c2sp.org/tlog-cosignature; the witness's public key is not published.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2"
    "oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def some(count: int) -> list[Event]:
    return [Event("test", {"number": i}) for i in range(count)]


@contextmanager
def served(witness: Witness) -> Iterator[str]:
    """The witness on a loopback port; yields its URL."""
    with WitnessServer(("127.0.0.1", 0), witness) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder(tmp_path: Path, key: LedgerKey) -> Path:
    """A witness that was told of the ledger."""
    FileWitness.create(tmp_path / "witness", "witness.test/one").trust(key.public)
    return tmp_path / "witness"


@pytest.fixture(params=["folder", "http"])
def witness(request: pytest.FixtureRequest, folder: Path) -> Iterator[Witness]:
    """The same witness, asked in the folder and over HTTP."""
    local = FileWitness(folder)
    if request.param == "folder":
        yield local
        return
    with served(local) as url:
        yield HttpWitness(url, local.verifier)


@pytest.fixture
def log(tmp_path: Path, key: LedgerKey) -> Iterator[Ledger]:
    with a_ledger(tmp_path / "ledger.db", key) as opened:
        yield opened


def a_ledger(path: Path, key: LedgerKey) -> Ledger:
    migrations.upgrade(f"sqlite:///{path}")
    return Ledger(f"sqlite:///{path}", key)


class Tree:
    """A log of leaves in memory, which signs whatever it is told to."""

    def __init__(self, key: LedgerKey, leaves: list[bytes]) -> None:
        self.frontier = Frontier()
        self.frontier.extend([leaf_hash(leaf) for leaf in leaves])
        self.note = key.sign_checkpoint(len(leaves), self.frontier.root()).note


def test_the_example_of_the_specification_has_our_form() -> None:
    line = notes.parse(C2SP_NOTE).signatures[1]
    assert int.from_bytes(line.signature[:8], "big") == 1679315147  # as its text says
    assert len(line.signature) == 8 + 64


@given(st.integers(0, 2**37), st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_a_cosignature_survives_its_round_trip(time: int, size: int, root: bytes) -> None:
    key = WitnessKey.generate("witness.test/w")
    note = notes.parse(LedgerKey.generate("log.test").sign_checkpoint(size, root).note)
    made = key.cosign(note.text, time)
    text = notes.render(note.text, (*note.signatures, made.line))
    assert WitnessVerifier.parse(str(key.public)).find(notes.parse(text)) == made
    assert WitnessKey.generate("witness.test/w").public.find(notes.parse(text)) is None


@given(st.integers(0, 75), st.integers(0, 7))
def test_a_changed_bit_of_a_cosignature_is_found(byte: int, bit: int) -> None:
    key = WitnessKey.generate("witness.test/w")
    note = notes.parse(LedgerKey.generate("log.test").sign_checkpoint(7, bytes(32)).note)
    line = key.cosign(note.text, 1_700_000_000).line
    blob = bytearray(line.key_id + line.signature)
    blob[byte] ^= 1 << bit
    changed = line._replace(key_id=bytes(blob[:4]), signature=bytes(blob[4:]))
    cosigned = note._replace(signatures=(changed,))
    if byte < 4:  # another key's line is passed over
        assert key.public.find(cosigned) is None
    else:
        with pytest.raises(ProofInvalid):
            key.public.find(cosigned)


def test_a_key_of_a_ledger_is_no_key_of_a_witness(key: LedgerKey) -> None:
    with pytest.raises(ProofInvalid, match="cosignatures"):
        WitnessVerifier.parse(key.verifier)


def test_a_checkpoint_is_cosigned_shown_and_carried_by_proofs(
    ledger: Ledger, witness: Witness
) -> None:
    (entry,) = ledger.append(some(1))
    ledger.cosign(witness)
    ledger.append(some(300))
    word = ledger.cosign(witness)
    head = ledger.checkpoint()
    assert witness.verifier.find(notes.parse(head.note)) == word
    assert ledger.cosignatures(head.size) == [word]
    proof = ledger.prove(entry.id)
    assert witness.verifier.find(notes.parse(proof.checkpoint)) == word
    assert verify_inclusion(proof, ledger.verifier) == head
    assert ledger.verify(witnessed=[head.note]).ok


def test_a_witness_may_repeat_itself(ledger: Ledger, witness: Witness) -> None:
    ledger.append(some(3))
    first, second = ledger.cosign(witness), ledger.cosign(witness)
    assert first.time <= second.time
    assert ledger.cosignatures(3) == [second]


def test_a_checkpoint_nobody_cosigned_is_shown_as_it_is(ledger: Ledger, witness: Witness) -> None:
    ledger.append(some(2))
    ledger.cosign(witness)
    ledger.append(some(1))
    assert len(notes.parse(ledger.checkpoint().note).signatures) == 1


def test_several_witnesses_stand_beside_each_other(
    log: Ledger, folder: Path, tmp_path: Path
) -> None:
    other = FileWitness.create(tmp_path / "other", "witness.test/two")
    other.trust(log.verifier)
    log.append(some(5))
    words = [log.cosign(FileWitness(folder)), log.cosign(other)]
    assert set(log.cosignatures(5)) == set(words)
    assert len(notes.parse(log.checkpoint().note).signatures) == 3


def test_a_rewound_ledger_is_found_by_its_witness(
    log: Ledger, key: LedgerKey, witness: Witness, folder: Path, tmp_path: Path
) -> None:
    log.append(some(5))
    log.cosign(witness)
    log.close()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "old.db")
    log.append(some(4))
    log.cosign(witness)
    with Ledger(f"sqlite:///{tmp_path / 'old.db'}", key) as rewound:
        with pytest.raises(HistoryContradicted, match="has seen 9 entries"):
            rewound.cosign(witness)
        kept = kept_checkpoint(folder, rewound.origin)
        (finding,) = rewound.verify(witnessed=[kept]).findings
        assert (finding.what, finding.first, finding.last) == (Tampering.HISTORY_REWOUND, 5, 8)
        # Grown over again, it is as long, but another history.
        rewound.append([Event("other", {"number": i}) for i in range(4)])
        with pytest.raises(HistoryContradicted, match="another history"):
            rewound.cosign(witness)
        rewound.append(some(1))
        with pytest.raises(HistoryContradicted, match="another history"):
            rewound.cosign(witness)
        (finding,) = rewound.verify(witnessed=[kept]).findings
        assert finding.what is Tampering.HISTORY_FORKED
    assert log.verify(witnessed=[kept]).ok


def test_a_fork_from_the_first_entry_is_found(
    log: Ledger, key: LedgerKey, witness: Witness, tmp_path: Path
) -> None:
    log.append(some(5))
    log.cosign(witness)
    for size in (5, 8):
        with a_ledger(tmp_path / f"fork-{size}.db", key) as fork:
            fork.append(some(size))
            with pytest.raises(HistoryContradicted, match="another history"):
                fork.cosign(witness)


def test_a_stranger_is_not_cosigned(folder: Path, witness: Witness, tmp_path: Path) -> None:
    with a_ledger(tmp_path / "s.db", LedgerKey.generate("stranger.test")) as stranger:
        stranger.append(some(1))
        with pytest.raises(LogUnknown, match=r"stranger\.test"):
            stranger.cosign(witness)
    with a_ledger(tmp_path / "t.db", LedgerKey.generate("ledger.test/one")) as thief:
        thief.append(some(1))
        with pytest.raises(LogUntrusted):
            thief.cosign(witness)


def test_after_a_newer_key_the_older_one_is_not_cosigned(folder: Path, key: LedgerKey) -> None:
    newer = LedgerKey.generate("ledger.test/one")
    witness = FileWitness(folder)
    witness.trust(newer.public)
    old, new = Tree(key, [b"a"]), Tree(newer, [b"a"])
    witness.add_checkpoint(Submission(0, (), old.note))
    witness.add_checkpoint(Submission(1, (), new.note))
    with pytest.raises(LogUntrusted, match="newer key"):
        witness.add_checkpoint(Submission(1, (), old.note))


def test_trusting_a_key_twice_changes_nothing(folder: Path, key: LedgerKey) -> None:
    keys = folder / "logs" / "ledger.test%2Fone" / "keys"
    before = keys.read_text()
    FileWitness(folder).trust(key.public)
    assert keys.read_text() == before == f"{key.verifier}\n"


def test_a_refusal_leaves_the_witness_where_it_was(folder: Path, key: LedgerKey) -> None:
    witness = FileWitness(folder)
    witness.add_checkpoint(Submission(0, (), Tree(key, [b"a", b"b"]).note))
    kept = kept_checkpoint(folder, "ledger.test/one")
    for submission, refusal in (
        (Submission(0, (), Tree(key, [b"a", b"b", b"c"]).note), WitnessElsewhere),
        (Submission(1, (), Tree(key, [b"a"]).note), WitnessElsewhere),
        (Submission(2, (), Tree(key, [b"a", b"x"]).note), WitnessElsewhere),
        (Submission(2, (bytes(32),), Tree(key, [b"a", b"b", b"c"]).note), WitnessRefused),
        (Submission(3, (), Tree(key, [b"a", b"b"]).note), SubmissionInvalid),
        (Submission(2, (), "no note"), SubmissionInvalid),
    ):
        with pytest.raises(refusal):
            witness.add_checkpoint(submission)
        assert kept_checkpoint(folder, "ledger.test/one") == kept


def test_requests_at_once_never_move_a_witness_backwards(log: Ledger, folder: Path) -> None:
    log.append(some(40))

    def kept() -> int:
        return int(kept_checkpoint(folder, log.origin).split("\n")[1])

    def ask(_: int) -> bool:
        before = kept()
        own = log.append(some(1))[0].index
        try:
            log.cosign(FileWitness(folder))
        except WitnessRefused:  # the others were quicker again and again
            return kept() >= before
        return kept() > max(before - 1, own)

    log.cosign(FileWitness(folder))
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(12)))
    log.cosign(FileWitness(folder))
    assert kept() == log.size
    assert log.verify(witnessed=[kept_checkpoint(folder, log.origin)]).ok


@pytest.mark.parametrize("change", ["signature", "time", "witness", "kind"])
def test_a_changed_cosignature_in_the_database_is_found(
    ledger: Ledger, url: str, folder: Path, change: str
) -> None:
    ledger.append(some(3))
    ledger.cosign(FileWitness(folder))
    with behind_our_back(url) as connection:
        if change == "signature":
            set_blob(connection, "cosignature", "signature", "00" * 64, "size = 3")
        elif change == "time":
            connection.exec_driver_sql("UPDATE cosignature SET time = time - 1")
        elif change == "witness":
            connection.exec_driver_sql("UPDATE cosignature SET witness = 'nobody'")
        elif connection.dialect.name == "sqlite":
            connection.exec_driver_sql("UPDATE cosignature SET signature = 'text'")
        else:
            set_blob(connection, "cosignature", "signature", "", "size = 3")
    (finding,) = ledger.verify().findings
    assert finding.what is Tampering.COSIGNATURE_CHANGED


Post = Callable[[str, bytes], tuple[int, str, str]]


@pytest.fixture
def post(folder: Path) -> Iterator[Post]:
    """POST to the witness as a program of somebody else would."""
    with served(FileWitness(folder)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))

        def send(path: str, body: bytes) -> tuple[int, str, str]:
            connection.request("POST", path, body)  # over one connection, which is kept alive
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()

        yield send
        connection.close()


def test_the_wire_is_that_of_the_specification(post: Post, key: LedgerKey, folder: Path) -> None:
    two, three = Tree(key, [b"a", b"b"]), Tree(key, [b"a", b"b", b"c"])
    first = f"old 0\n\n{two.note}".encode()
    status, _, line = post("/add-checkpoint", first)
    assert status == 200
    cosigned = notes.parse(two.note + line)
    assert FileWitness(folder).verifier.find(cosigned) is not None

    proof = base64.b64encode(leaf_hash(b"c")).decode()
    second = f"old 2\n{proof}\n\n{three.note}".encode()
    wrong = second.replace(proof.encode(), base64.b64encode(bytes(32)))
    assert post("/add-checkpoint", wrong)[0] == 422
    assert post("/add-checkpoint", second)[0] == 200
    assert post("/add-checkpoint", first) == (409, "text/x.tlog.size", "3\n")
    assert post("/add-checkpoint", f"old 4\n\n{three.note}".encode())[0] == 400
    unsigned = LedgerKey.generate("ledger.test/one").sign_checkpoint(3, bytes(32)).note
    assert post("/add-checkpoint", f"old 3\n\n{unsigned}".encode())[0] == 403
    unknown = LedgerKey.generate("unknown.test").sign_checkpoint(3, bytes(32)).note
    assert post("/add-checkpoint", f"old 3\n\n{unknown}".encode())[0] == 404
    assert post("/other", b"")[0] == 404


@pytest.mark.parametrize(
    "body", [b"", b"old 01\n\nx", b"old 0\n!\n\nx", b"old 0\n" + b"AAAA\n" * 64, b"\xff\n\n"]
)
def test_what_is_no_submission_is_refused(post: Post, body: bytes) -> None:
    assert post("/add-checkpoint", body)[0] == 400


def test_a_body_that_is_too_large_is_not_read(folder: Path) -> None:
    with served(FileWitness(folder)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.putrequest("POST", "/add-checkpoint")
        connection.putheader("Content-Length", str(1 << 40))
        connection.endheaders()
        assert connection.getresponse().status == 400
        connection.close()


def test_a_witness_that_is_not_there_is_an_outage(log: Ledger, folder: Path) -> None:
    log.append(some(1))
    local = FileWitness(folder)
    with served(local) as url:
        pass
    with pytest.raises(WitnessUnavailable, match="cannot be reached"):
        log.cosign(HttpWitness(url, local.verifier))
    with pytest.raises(WitnessUnavailable, match="no URL"):
        HttpWitness("ftp://witness.test", local.verifier)


def test_another_witness_at_the_address_is_not_believed(log: Ledger, folder: Path) -> None:
    log.append(some(1))
    with served(FileWitness(folder)) as url:
        expected = WitnessKey.generate("witness.test/one").public
        with pytest.raises(ProofInvalid, match="another key"):
            log.cosign(HttpWitness(url, expected))
    assert log.cosignatures(1) == []
