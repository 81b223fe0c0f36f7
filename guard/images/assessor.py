"""The picture assessor that works offline: known content, codes, and text in the picture."""

import hashlib
from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from typing import Final

from guard.assessment import Assessment, AssessorRef, PromptAssessor
from guard.images.codes import Codes
from guard.images.finding import Finding, Part, Subject
from guard.images.judgement import Examination, Silence, judge
from guard.images.known import KnownContent
from guard.images.known_list import KnownContentList
from guard.images.memorised import Audited, Memorised
from guard.images.text import TextReader, WrittenText
from provenance.picture import Pixels

NAME: Final = "picture-signals"
VERSION: Final = "1"
# Says nothing, in a language that is read; assessed once, for the categories and thresholds.
_PLAIN_TEXT: Final = "a photograph of a lake with a mountain behind it"


class PictureAssessor:
    """Runs its parts in the order of cost and has all writing judged by the prompt assessor.

    ``scores`` are the probabilities that the writing in the picture (text and codes) gives, 0
    where nothing is written, 1 for the category that a list of known content names.
    ``not_assessed`` holds every category, because nobody looks at the scene: a category may well
    have a score and stand there too. ``covers`` is empty for the same reason, so a policy that
    requires a category does not start in front of an open core on the strength of this assessor.
    """

    covers: frozenset[str] = frozenset()

    def __init__(self, parts: Sequence[Part], prompt_assessor: PromptAssessor) -> None:
        self._parts = tuple(parts)
        self._prompt_assessor = prompt_assessor

    @cached_property
    def ref(self) -> AssessorRef:
        digests = [part.digest for part in self._parts] + [self._prompt_assessor.ref.digest]
        digest = hashlib.sha256(" ".join(digests).encode()).hexdigest()
        return AssessorRef(name=NAME, version=VERSION, digest=digest)

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        """One assessment a picture, (H, W, 3) uint8 RGB of any size.

        ``files``: the bytes of each upload, so that lists of file hashes apply. Raises
        SafetyUnavailable where a part cannot look: never a pass.
        """
        sources = files if files is not None else [None] * len(images)
        examined = [
            self._examine(Subject(pixels, file))
            for pixels, file in zip(images, sources, strict=True)
        ]
        texts = [text for examination in examined for text in examination.texts]
        read = iter(self._prompt_assessor.assess(texts) if texts else [])
        return [
            judge(examination, _next(read, len(examination.texts)), self._silence, self.ref)
            for examination in examined
        ]

    def _examine(self, subject: Subject) -> Examination:
        findings: list[Finding] = []
        for part in self._parts:
            finding = part.find(subject)
            findings.append(finding)
            if finding.match is not None and finding.match.conclusive:
                break
        complete = len(findings) == len(self._parts)
        return Examination(subject.pixels, tuple(findings), complete)

    @cached_property
    def _silence(self) -> Silence:
        (plain,) = self._prompt_assessor.assess([_PLAIN_TEXT])
        return Silence(dict.fromkeys(plain.thresholds, 0.0), plain.thresholds)


def load_assessor(
    prompt_assessor: PromptAssessor,
    *,
    lists: Sequence[KnownContentList] = (),
    audited: Sequence[Audited] = (),
    withdrawn: Container[str] = (),
) -> PictureAssessor:
    """The assessor with all parts that need no weights of the operator's.

    ``lists`` are searched in their order. ``audited``: what the core learnt from; ``withdrawn``:
    the pseudonyms of those who took their consent back since. Raises WeightsInvalid where the text
    models are not installed; they are loaded with the first picture.
    """
    parts: list[Part] = [KnownContent(lists)]
    if audited:
        parts.append(Memorised(audited, withdrawn))
    return PictureAssessor((*parts, Codes(), WrittenText(TextReader())), prompt_assessor)


def _next(read: Iterator[Assessment], count: int) -> list[Assessment]:
    return [next(read) for _ in range(count)]
