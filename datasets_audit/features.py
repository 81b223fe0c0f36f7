"""What feature vectors of a model of the caller's choice show: poisoned groups, captions that do
not fit, labels that are probably wrong.

Features come from a Parquet file (``key``, ``feature``, perhaps ``caption_feature`` of the same
model, such as CLIP's); no model is run here. All of it points at pictures to look at, and proves
nothing. Pure but for reading the file.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets_audit.errors import FeaturesInvalid, LookUnavailable
from datasets_audit.figures import SAMPLES
from datasets_audit.findings import Finding

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Vectors = NDArray[np.float32]
"""(n, d), a row for each picture."""

OUTLYING: Final = 30.0  # robust standard deviations of a spectral score, a square
MISFITTING: Final = 5.0  # robust standard deviations below the median cosine
SMALLEST_GROUP: Final = 50  # pictures of one label; of fewer, no direction can be told from chance
NEIGHBOURS: Final = 10
REFERENCES: Final = 20_000  # pictures among which neighbours are sought
MAX_VECTORS: Final = 2_000_000
_ROWS: Final = 512  # compared at once; bounds memory


class LabelJudge(StrEnum):
    """Who decides which labels are probably wrong, from what neighbours say."""

    CONFIDENCE = "confidence"  # our own rule, below
    CLEANLAB = "cleanlab"  # cleanlab.filter.find_label_issues


class Features(NamedTuple):
    """Vectors by picture. ``captions``: of the same shape, or None."""

    keys: tuple[str, ...]
    pictures: Vectors
    captions: Vectors | None


def load_features(path: Path) -> Features:
    """Read a Parquet file of features. Raises FeaturesInvalid with what is wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_VECTORS:
                raise FeaturesInvalid(f"{path.name} has more than {MAX_VECTORS:,} rows. Split it.")
            names = set(file.schema_arrow.names)
            if not {"key", "feature"} <= names:
                raise FeaturesInvalid(f"{path.name} needs the columns key and feature.")
            table = file.read([n for n in ("key", "feature", "caption_feature") if n in names])
    except (OSError, pa.ArrowException) as error:
        raise FeaturesInvalid(f"{path} cannot be read as Parquet: {error}.") from error
    keys = tuple(str(key) for key in table["key"].to_pylist())
    pictures = _vectors(path, "feature", table["feature"])
    captions = None
    if "caption_feature" in table.column_names:
        captions = _vectors(path, "caption_feature", table["caption_feature"])
        if captions.shape != pictures.shape:
            raise FeaturesInvalid(f"{path.name}: the two kinds of features differ in length.")
    return Features(keys, pictures, captions)


def feature_findings(
    connection: "DuckDBPyConnection", features: Features, judge: LabelJudge = LabelJudge.CONFIDENCE
) -> Iterator[Finding]:
    """Findings on the pictures of an audit that have features, in the order of the file."""
    there, given = _labels(connection, features.keys)
    keys = [features.keys[at] for at in there]
    vectors = features.pictures[there]
    for at in np.flatnonzero(spectral_outliers(vectors, given)):
        group = f"among pictures labelled {given[at]}" if given[at] else "among all pictures"
        yield Finding("feature_outlier", keys[at], detail=group)
    if features.captions is not None:
        cosines = cosine(vectors, features.captions[there])
        for at in np.flatnonzero(misfits(cosines)):
            yield Finding("caption_mismatch", keys[at], detail=f"cosine {cosines[at]:.2f}")
    labelled = [at for at, label in enumerate(given) if label is not None]
    suggested = label_errors(vectors[labelled], [str(given[at]) for at in labelled], judge)
    for place, label in zip(labelled, suggested, strict=True):
        if label is not None:
            detail = f"{given[place]}, neighbours say {label}"
            yield Finding("label_doubtful", keys[place], detail=detail)


def _labels(
    connection: "DuckDBPyConnection", keys: Sequence[str]
) -> tuple[list[int], list[str | None]]:
    """The places of those ``keys`` that are in the audit, and the label of each."""
    import pyarrow as pa

    connection.register("featured", pa.table({"nth": range(len(keys)), "key": keys}))
    rows = connection.execute(
        f"SELECT nth, max(label) FROM featured JOIN {SAMPLES} USING (key) "  # noqa: S608 - ours
        "GROUP BY nth ORDER BY nth"
    ).fetchall()
    connection.unregister("featured")
    return [nth for nth, _ in rows], [label for _, label in rows]


def spectral_outliers(vectors: Vectors, labels: Sequence[str | None]) -> NDArray[np.bool_]:
    """(n,) which pictures stand out along the first singular direction of their label's features.

    Tran, Li and Madry 2018 (Spectral signatures in backdoor attacks), algorithm 1, with a threshold
    on the score instead of a share that is removed.
    """
    found = np.zeros(len(vectors), dtype=bool)
    names = np.array([label or "" for label in labels])
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        if len(members) < SMALLEST_GROUP:
            continue
        centred = vectors[members] - vectors[members].mean(axis=0)
        # The direction from the covariance: (d, d), however many pictures there are.
        _, directions = np.linalg.eigh(centred.T @ centred)
        scores = (centred @ directions[:, -1]) ** 2
        found[members] = _deviation(scores) > OUTLYING
    return found


def misfits(cosines: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) which captions lie far below the others in likeness to their picture."""
    if len(cosines) < SMALLEST_GROUP:
        return np.zeros(len(cosines), dtype=bool)
    return np.asarray(_deviation(cosines) < -MISFITTING)


def label_errors(
    vectors: Vectors, labels: Sequence[str], judge: LabelJudge = LabelJudge.CONFIDENCE
) -> list[str | None]:
    """For each picture the label that its neighbours suggest with confidence, None if its own.

    Confident learning (Northcutt, Jiang and Chuang 2021): the share of a label among the nearest
    NEIGHBOURS, itself left out, is taken as its probability; another label is suggested where that
    exceeds what pictures of that label have on average. Raises LookUnavailable where the ``judge``
    is not installed.
    """
    names, given = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)
    if len(vectors) < SMALLEST_GROUP or len(names) < 2:
        return [None] * len(vectors)
    shares = _neighbour_shares(vectors, given, len(names))
    if judge is LabelJudge.CLEANLAB:
        best, doubtful = _cleanlab(shares, given)
    else:
        best, doubtful = _confidence(shares, given)
    return [str(names[one]) if doubt else None for one, doubt in zip(best, doubtful, strict=True)]


def _confidence(
    shares: NDArray[np.float32], given: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n,) the label that is suggested, and whether it is."""
    own = shares[np.arange(len(given)), given]
    usual = np.array([own[given == label].mean() for label in range(shares.shape[1])])
    confident = np.where(shares >= np.maximum(usual, 0.5), shares, -1.0)
    best = confident.argmax(axis=1)
    return best, (confident.max(axis=1) > 0) & (best != given)


def _cleanlab(
    shares: NDArray[np.float32], given: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The same by cleanlab's rule of noise rates."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise LookUnavailable(
            "cleanlab is not installed: pip install 'wardmark[cleanlab]'."
        ) from error
    best = shares.argmax(axis=1)
    issues = find_label_issues(labels=given, pred_probs=shares.astype(np.float64), n_jobs=1)
    return best, np.asarray(issues, dtype=bool) & (best != given)


def cosine(left: Vectors, right: Vectors) -> NDArray[np.float32]:
    """(n,) cosines, -1..1; of a vector of nothing 0."""
    return np.asarray((_unit(left) * _unit(right)).sum(axis=1), dtype=np.float32)


def _neighbour_shares(
    vectors: Vectors, given: NDArray[np.int64], labels: int
) -> NDArray[np.float32]:
    unit = _unit(vectors)
    rng = np.random.default_rng(0)
    count = len(unit)
    few = count <= REFERENCES
    chosen = np.arange(count) if few else np.sort(rng.choice(count, REFERENCES, replace=False))
    shares = np.zeros((count, labels), dtype=np.float32)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        likeness = unit[rows] @ unit[chosen].T
        likeness[chosen[None] == rows[:, None]] = -2.0  # itself
        nearest = np.argpartition(-likeness, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        for place in range(NEIGHBOURS):
            shares[rows, given[chosen[nearest[:, place]]]] += 1 / NEIGHBOURS
    return shares


def _deviation(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distance from the median in robust standard deviations (1.4826 MAD)."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    # Half and more alike to the last bit: whatever differs at all is far away.
    return np.asarray((values - middle) / max(float(spread), 1e-12), dtype=np.float64)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _vectors(path: Path, name: str, column: Any) -> Vectors:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks()
    kind = whole.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)
            or pa.types.is_fixed_size_list(kind)):  # fmt: skip
        raise FeaturesInvalid(f"{path.name}: {name} holds {kind}, not lists of numbers.")
    lengths = pc.fill_null(pc.list_value_length(whole), -1).to_numpy(zero_copy_only=False)
    if not len(lengths) or lengths[0] < 1 or (lengths != lengths[0]).any():
        bad = 1 + int(np.argmax((lengths != lengths[0]) | (lengths < 1))) if len(lengths) else 1
        raise FeaturesInvalid(f"{path.name}: {name} of row {bad} is not as long as the others.")
    try:
        numbers = pc.cast(pc.list_flatten(whole), pa.float32(), safe=False)
    except pa.ArrowException as error:
        raise FeaturesInvalid(f"{path.name}: {name} holds what is no number: {error}.") from error
    # A number that is not there becomes NaN, and is refused with its row.
    vectors = numbers.to_numpy(zero_copy_only=False).reshape(len(lengths), int(lengths[0]))
    if not np.isfinite(vectors).all():
        row_number = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0]) + 1
        raise FeaturesInvalid(f"{path.name}: {name} of row {row_number} is not finite.")
    return np.asarray(vectors, dtype=np.float32)
