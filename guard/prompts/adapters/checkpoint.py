"""A user-supplied checkpoint: a folder whose files are those that were declared, without code.

Weights are read from safetensors only; pickles and Python files in the folder are never opened.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guard.errors import WeightsInvalid

_READ = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
_CHUNK = 1 << 20  # bytes


def digest_of(folder: Path) -> str:
    """SHA-256 (hex) over the names and SHA-256s of all files that loading may read.

    Configuration and tokenizer are in it: a changed label map turns a guard around as surely as
    changed weights. Raises WeightsInvalid where there are no weights in safetensors.
    """
    if not any(folder.glob("*.safetensors")):
        raise WeightsInvalid(f"{folder} has no *.safetensors; other weights are not loaded.")
    digest = hashlib.sha256()
    try:
        for path in sorted(_files(folder)):
            digest.update(f"{path.name}\0{_sha256(path)}\n".encode())
    except OSError as error:
        raise WeightsInvalid(f"{folder} cannot be read: {error}.") from error
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for pattern in _READ:
        yield from folder.glob(pattern)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def check(folder: Path, declared: str) -> None:
    """Raises WeightsInvalid where the files are not those that were declared."""
    found = digest_of(folder)
    if found != declared:
        raise WeightsInvalid(
            f"{folder} has SHA-256 {found}, declared is {declared or 'none'}. Put back the files, "
            "or declare the new digest once you know where they come from."
        )


def loaded(folder: Path, declared: str, *, auto_class: str, dtype: str) -> tuple[Any, Any]:
    """Tokenizer and model of a transformers checkpoint, ``auto_class`` by name, ready to read.

    Raises WeightsInvalid where the files are not those declared, or no such model.
    """
    check(folder, declared)
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()  # stderr belongs to the command line
    safe = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **safe)
        model = getattr(transformers, auto_class).from_pretrained(
            folder, use_safetensors=True, dtype=dtype, **safe
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsInvalid(f"{folder} does not load as {auto_class}: {error}") from error
    return tokenizer, model.eval()


def sendable(text: str) -> str:
    """The text as valid Unicode: halves of surrogate pairs are replaced by a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def windows(text: str, longest: int) -> list[str]:
    """Overlapping parts of ``longest`` characters that cover a text; the worst of them counts."""
    last = max(len(text) - longest, 0)
    return [text[at : at + longest] for at in (*range(0, last, longest * 3 // 4), last)]
