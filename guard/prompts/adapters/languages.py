"""A guard that reads some languages only: of others it assesses nothing."""

from collections.abc import Sequence

from guard.assessment import Assessment, AssessorRef, PromptAssessor
from guard.prompts.language import NO_LANGUAGE
from policies.categories import CATEGORIES


class OnlyLanguages:
    """``assessor`` for texts in ``languages`` (BCP 47) or without words; ``tells`` says which."""

    def __init__(
        self, assessor: PromptAssessor, languages: Sequence[str], tells: PromptAssessor
    ) -> None:
        self._assessor, self._tells = assessor, tells
        self._read = frozenset({*languages, NO_LANGUAGE})

    @property
    def ref(self) -> AssessorRef:
        return self._assessor.ref

    @property
    def covers(self) -> frozenset[str]:
        return self._assessor.covers

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """One assessment a text, with its language."""
        languages = [found.language for found in self._tells.assess(texts)]
        readable = [i for i, language in enumerate(languages) if language in self._read]
        found = self._assessor.assess([texts[i] for i in readable])
        by_text = dict(zip(readable, found, strict=True))
        nothing = Assessment(
            assessor=self.ref, subject="prompt", scores={}, not_assessed=frozenset(CATEGORIES)
        )
        return [
            by_text.get(i, nothing).model_copy(update={"language": language})
            for i, language in enumerate(languages)
        ]
