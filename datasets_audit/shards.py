"""The pass: pictures in, Parquet files of sample rows and findings out, a root for each.

A shard is SHARD_SAMPLES samples in source order, whatever the batches and however many workers:
the same source, annotations and secret always give the same files and roots.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from datasets_audit.annotations import Annotations
from datasets_audit.declaration import Terms, combine
from datasets_audit.errors import SourceInvalid
from datasets_audit.findings import Finding, findings_of
from datasets_audit.inspection import Inspection, inspect, unreadable
from datasets_audit.look import Look
from datasets_audit.report import Shard
from datasets_audit.sample import Row, rows_root, schema, to_row
from datasets_audit.sketch import Sketch, sketch, sketch_key
from datasets_audit.sources import Batch
from provenance.ledger.merkle import leaf_hash, root_of

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_SAMPLES: Final = 4_096
FINDINGS_AT_ONCE: Final = 10_000  # rows of a group; bounds memory
SKETCH_KEY: Final = "sketches/key.hex"  # of the content hashes in the sketches beside it


class Inspected(NamedTuple):
    """A picture by its key, measured."""

    key: str
    inspection: Inspection


def inspect_batch(batch: Batch, look: Look | None = None) -> list[Inspected]:
    """Measure every picture of a batch. This is what runs in worker processes."""
    return [
        Inspected(
            key,
            inspect(data, look) if data is not None else unreadable(problem or ""),
        )
        for key, data, problem in batch.read()
    ]


def in_shards(
    batches: Iterable[Sequence[Inspected]], size: int = SHARD_SAMPLES
) -> Iterator[list[Inspected]]:
    """The same pictures in the same order, ``size`` at a time."""
    waiting: list[Inspected] = []
    for batch in batches:
        waiting += batch
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """Writes shards below ``folder``. ``annotations`` is None where there are none."""

    folder: Path
    annotations: Annotations | None
    terms: Terms

    @property
    def attributes(self) -> tuple[str, ...]:
        """The declared attributes, which fix the columns of every shard."""
        return self.annotations.attributes if self.annotations else ()

    def write(self, number: int, pictures: Sequence[Inspected]) -> Shard:
        """Annotate, write and sum up one shard."""
        rows: list[Row] = []
        findings: list[Finding] = []
        stated = self.annotations.lookup([p.key for p in pictures]) if self.annotations else {}
        for key, inspection in pictures:
            declarations = stated.get(key, [])
            sample, contradictions = combine(key, inspection, declarations, self.terms)
            if self.annotations and not declarations:
                findings.append(Finding("picture_without_annotation", key))
            findings += contradictions
            findings += findings_of(sample)
            rows.append(to_row(sample, self.attributes, self.terms.secret))
        file = f"samples/part-{number:05d}.parquet"
        _write(rows, schema(self.attributes), self.folder / file)
        write_findings(findings, self.folder / f"findings/part-{number:05d}.parquet")
        summed = sketch(rows, sketch_key(self.terms.secret))
        beside = self.folder / sketch_file(file)
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(summed.canonical())
        return Shard(
            file=file,
            samples=len(rows),
            bytes=sum(picture.inspection.bytes for picture in pictures),
            root=rows_root(rows).hex(),
            sketch=summed.digest(),
        )


def sketch_file(samples: str) -> str:
    """Where the sketch of a file of samples lies; both relative to the report."""
    return samples.replace("samples/", "sketches/").replace(".parquet", ".json")


def load_sketch(folder: Path, shard: Shard) -> Sketch:
    """The sketch of a shard of the audit in ``folder``. Raises SourceInvalid."""
    path = folder / sketch_file(shard.file)
    try:
        return Sketch.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceInvalid(
            f"{path} is not the sketch of a shard; run wardmark audit again."
        ) from error


def load_sketch_key(folder: Path) -> bytes:
    """The key of the content hashes in the sketches of the audit there. Raises SourceInvalid."""
    path = folder / SKETCH_KEY
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise SourceInvalid(f"{path} is no key of sketches; run wardmark audit again.") from error


def version_root(shards: Sequence[Shard]) -> bytes:
    """RFC 6962 root, 32 bytes, over the roots of the shards in order: the version's identity."""
    return root_of([leaf_hash(bytes.fromhex(shard.root)) for shard in shards])


def write_findings(findings: Iterable[Finding], path: Path) -> None:
    """Write findings to Parquet, also if there are none: queries must find the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.schema(
        [("code", pa.string()), ("key", pa.string()), ("row", pa.int64()), ("detail", pa.string())]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = iter(findings)
    with pq.ParquetWriter(path, columns, compression="zstd") as file:
        while some := [finding._asdict() for finding in islice(rest, FINDINGS_AT_ONCE)]:
            file.write_table(pa.Table.from_pylist(some, columns))


def _write(rows: list[Row], columns: "pa.Schema", path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, columns), path, compression="zstd")
