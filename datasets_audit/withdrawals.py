"""Which samples of an audited version are withdrawn by now: by their own row, or by the ledger.

An audit is of its day; a withdrawal of consent is an event of the ledger, and holds for every
sample of that subject from then on. So whoever trains or serves asks here, and waits for no new
audit.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.figures import load_report
from policies.decision import Frozen
from provenance.ledger import Ledger
from provenance.ledger.forgetting.subjects import WITHDRAWN

KEYS_NAMED: Final = 20


class Withdrawn(Frozen):
    """``samples``: how many; ``keys``: of the first KEYS_NAMED, sorted."""

    samples: int
    keys: tuple[str, ...]


def withdrawn_subjects(ledger: Ledger) -> frozenset[str]:
    """Pseudonyms of everybody who withdrew."""
    entries = ledger.entries(kind=WITHDRAWN)
    return frozenset(str(entry.body["subject"]) for entry in entries if "subject" in entry.body)


def withdrawn_samples(folder: Path, subjects: Collection[str]) -> Withdrawn:
    """Samples of the audit in ``folder`` that are withdrawn, or of any of ``subjects``.

    Raises SourceInvalid where there is no audit, or its rows cannot be read.
    """
    return withdrawn_rows([folder / shard.file for shard in load_report(folder).shards], subjects)


def withdrawn_rows(files: Sequence[Path], subjects: Collection[str]) -> Withdrawn:
    """The same of Parquet files of sample rows. Raises SourceInvalid."""
    import duckdb

    connection = duckdb.connect(config={"threads": 2, "memory_limit": "400MB"})
    try:
        connection.read_parquet([str(file) for file in files]).create_view("samples")
        ((count, keys),) = connection.execute(
            "SELECT count(*), min(key, $2) FROM samples "
            "WHERE consent = 'withdrawn' OR subject IN (SELECT unnest($1::VARCHAR[]))",
            [sorted(subjects), KEYS_NAMED],
        ).fetchall()
    except duckdb.IOException as error:
        raise SourceInvalid(f"The rows cannot be read: {error}") from error
    finally:
        connection.close()
    return Withdrawn(samples=count, keys=tuple(keys or ()))
