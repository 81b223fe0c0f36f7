"""What sealing, opening and forgetting cost: python benchmarks/forgetting.py [--people N]

CPU seconds of this process (user and system), so that a busy machine changes little. AES-GCM alone,
over the same texts, is the floor that sealing is compared with.
"""

import argparse
import secrets
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import migrations
from provenance.ledger import Event, Ledger, LedgerKey
from provenance.ledger.forgetting import KeyStore, Subjects
from provenance.ledger.forgetting.sealed import SubjectKey, open_sealed, seal
from provenance.ledger.forgetting.settling import Contents

TEXT = {"said": "it is my own picture, please look at it again", "case": 17}
ROUNDS = 5_000


def per_second(count: int, started: float) -> str:
    return f"{count / (time.process_time() - started):>12,.0f} / CPU-s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000, help="keys in the store")
    people = parser.parse_args().people

    key = SubjectKey.generate("ab" * 32)
    cipher, plain = AESGCM(key.secret), secrets.token_bytes(96)
    started = time.process_time()
    for _ in range(ROUNDS):
        cipher.encrypt(secrets.token_bytes(12), plain, b"")
    print(f"AES-256-GCM alone       {per_second(ROUNDS, started)}")
    started = time.process_time()
    sealed = [seal(key, TEXT) for _ in range(ROUNDS)]
    print(f"seal                    {per_second(ROUNDS, started)}")
    started = time.process_time()
    for one in sealed:
        open_sealed(key, one)
    print(f"open                    {per_second(ROUNDS, started)}")

    with tempfile.TemporaryDirectory() as folder:
        migrations.upgrade(f"sqlite:///{folder}/ledger.db")
        with (
            Ledger(f"sqlite:///{folder}/ledger.db", LedgerKey.generate("bench.test")) as ledger,
            KeyStore.create(f"sqlite:///{folder}/keys.db") as keys,
        ):
            fill(keys, people)
            for start in range(0, people, 10_000):
                ledger.append([Event("refusal", {"rule": n}) for n in range(start, start + 10_000)])
            subjects = Subjects(ledger, keys, secrets.token_bytes(32))
            started = time.process_time()
            events = [subjects.event("appeal", "somebody", TEXT) for _ in range(1_000)]
            print(f"event, with its key     {per_second(1_000, started)}")
            ledger.append(events)
            started, wall = time.process_time(), time.perf_counter()
            done = subjects.withdraw("somebody")
            cpu, wall = time.process_time() - started, time.perf_counter() - wall
            assert done.complete
            size = Path(folder, "keys.db").stat().st_size / 1e6
            print(
                f"withdraw, of {people:,} keys ({size:.0f} MB) and {ledger.size:,} entries: "
                f"{cpu:.2f} CPU-s, {wall:.2f} s"
            )


def fill(keys: KeyStore, people: int) -> None:
    """Give the store one key for each of so many people."""
    rows = [
        {
            "id": secrets.token_hex(16),
            "subject": secrets.token_hex(32),
            "retention": "dispute",
            "day": "2026-03-01",
            "secret": secrets.token_bytes(32),
        }
        for _ in range(people)
    ]
    with keys.settling() as settling:
        settling.take_in(Contents(rows, [], keys.settlement()))


if __name__ == "__main__":
    main()
