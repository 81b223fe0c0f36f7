"""``wardmark ledger witness`` and ``cosign`` over a real home."""

import re
import signal
import subprocess
import sys
from pathlib import Path

from provenance.home import Home
from provenance.ledger import Event
from provenance.ledger import note as notes
from tests.cli.conftest import Wardmark


def test_a_ledger_is_cosigned_in_a_folder_and_held_against_it(
    home: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    folder, public = tmp_path / "witness", home / "ledger.pub"
    made = wardmark("ledger", "witness", "--file", folder, "--trust", public, "--json")
    assert made.code == 0
    cosigned = wardmark("ledger", "cosign", "--witness", folder, "--json")
    assert cosigned.document["witness"] == made.document["key"]

    shown = wardmark("ledger", "checkpoint", "--json").document
    assert [word["witness"] for word in shown["cosignatures"]] == [made.document["key"]]
    assert len(notes.parse(shown["note"]).signatures) == 2
    assert wardmark("ledger", "verify", "--witness", folder).code == 0

    kept = tmp_path / "kept.note"
    kept.write_text(Home.open(home).ledger_key.sign_checkpoint(10**6, bytes(32)).note)
    rewound = wardmark("ledger", "verify", "--witness", kept)
    assert (rewound.code, "history-rewound" in rewound.err) == (1, True)


def test_a_witness_answers_over_http(home: Path, wardmark: Wardmark, tmp_path: Path) -> None:
    program = "from guard.cli import main; main()"
    command = [sys.executable, "-c", program, "ledger", "witness", "--file", str(tmp_path / "w")]
    command += ["--trust", str(home / "ledger.pub"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            process.stderr.readline()
            (url,) = re.findall(r"http://\S+(?=;)", process.stderr.readline())
            Home.open(home).ledger.append([Event("test", {})])
            arguments = ["ledger", "cosign", "--witness", url]
            assert wardmark(*arguments).code == 2  # whose word would it be?
            key = tmp_path / "w" / "witness.pub"
            assert wardmark(*arguments, "--witness-key", key).code == 0
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130


def test_a_witness_that_knows_nothing_of_us_says_what_to_do(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    folder = tmp_path / "witness"
    assert wardmark("ledger", "witness", "--file", folder).code == 0
    refused = wardmark("ledger", "cosign", "--witness", folder, "--json")
    assert (refused.code, refused.document["error"]["code"]) == (1, "log_unknown")
    assert "--trust" in refused.err
    assert wardmark("ledger", "verify", "--witness", folder).code == 1
    assert wardmark("ledger", "witness", "--file", folder, "--name", "other").code == 2
    assert wardmark("ledger", "witness", "--file", folder, "--listen", "nowhere").code == 2


def test_a_ledger_gets_a_new_key(home: Path, wardmark: Wardmark, tmp_path: Path) -> None:
    (entry,) = Home.open(home).ledger.append([Event("test", {})])
    proof, before = tmp_path / "proof.json", Home.open(home).ledger_key.verifier
    assert wardmark("ledger", "prove", entry.id, "-o", proof).code == 0
    ran = wardmark("ledger", "rotate-key", "--json")
    assert (ran.code, ran.document["ledger_key"] != before) == (0, True)
    Home.open(home).ledger.append([Event("test", {})])
    assert wardmark("ledger", "verify").code == 0
    assert wardmark("ledger", "verify", proof).code == 0
    assert wardmark("ledger", "verify", proof, "--key", before).code == 0
    assert wardmark("ledger", "verify", proof, "--key", ran.document["ledger_key"]).code == 1


def test_a_packed_proof_verifies_as_a_file(home: Path, wardmark: Wardmark, tmp_path: Path) -> None:
    (entry,) = Home.open(home).ledger.append([Event("test", {})])
    packed = tmp_path / "proof.cbor"
    assert wardmark("ledger", "prove", entry.id, "--packed", "--cosigned", "-o", packed).code == 0
    ran = wardmark("ledger", "verify", packed, "--json")
    assert (ran.code, ran.document["kind"]) == (0, "inclusion")
    assert entry.id in ran.document["says"]
    packed.write_bytes(packed.read_bytes()[:-1])
    assert wardmark("ledger", "verify", packed).code == 1
    assert wardmark("ledger", "prove", entry.id, "--packed").code == 2
