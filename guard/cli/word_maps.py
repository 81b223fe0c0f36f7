"""Pictures of where each word of a prompt had its say, beside what was delivered."""

from collections.abc import Sequence
from pathlib import Path

from guard.cli.output import say
from guard.errors import InvalidRequest
from guard.generation import Core
from guard.pipeline import Outcome, deliver
from provenance.errors import OutputFailed
from provenance.picture import decode, encode, write_atomically


def check_shows_words(core: Core) -> None:
    """Raise InvalidRequest for a core that cannot be watched."""
    if not core.info.shows_words:
        raise InvalidRequest(
            f"{core.info.name!r} draws elsewhere, or without a UNet, and shows no maps of words; "
            "leave --maps out"
        )


def write_maps(core: Core, outcome: Outcome, paths: Sequence[Path], folder: Path) -> None:
    """One PNG a word and delivered picture into ``folder``: the picture as delivered, lit where the
    word was looked at. Each picture is drawn once more, from its seed, to be watched."""
    from guard.generation.word_maps import overlay

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(f"cannot make {folder}: {error.strerror}") from error
    refused = {refusal.index for refusal in outcome.refusals}
    passed = [index for index in range(outcome.asked.count) if index not in refused]
    for path, released, index in zip(paths, outcome.released, passed, strict=False):
        pixels = decode(deliver(released)).pixels
        maps = core.word_maps(outcome.asked.part(index, 1))
        for number, one in enumerate(maps, start=1):
            file = folder / f"{path.stem}-{number:02}-{one.word}.png"
            write_atomically(file, encode(overlay(pixels, one), "png"))
        say(f"{folder}  where each of {len(maps)} words had its say in {path.name}")
