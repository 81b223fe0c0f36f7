"""The prompt assessor: readings, the model, the rules, and the evidence for what they say."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from guard.assessment import Assessment, AssessorRef, Span
from guard.errors import InvalidRequest
from guard.prompts.disguise import is_disguised
from guard.prompts.language import ENGLISH, language_of
from guard.prompts.linear import LinearModel, Window, digest_of, windows
from guard.prompts.reading import Reading
from guard.prompts.readings import readings_of
from guard.prompts.rules import IDENTIFIER_CERTAIN, MINORS_CERTAIN, Hit, identifiers, minors
from policies.categories import CATEGORIES

MAX_CHARACTERS = 32_000  # of one prompt

_RULED = ("sexual_minors", "privacy")
_PRIVACY_THRESHOLD = 0.5  # the rule says 0 or nearly 1; anything between would do
_MAX_SPANS = 3  # words shown for a category that the model flags
_MIN_SHARE = 0.25  # of the strongest word's weight; below it a word is no evidence
_WORD = re.compile(r"[^\W_]+")


class LinearPromptAssessor:
    """Scores English prompts for six core categories by model, two further ones by rule.

    A prompt's score is the worst over all its readings and windows. What cannot be read (another
    language, pictures only) is not assessed, and neither are the categories without a head.
    """

    def __init__(self, model: LinearModel, digest: str) -> None:
        self._model = model
        self._ref = AssessorRef(
            name=model.manifest.name, version=model.manifest.version, digest=digest
        )
        modelled = {*model.categories, *_RULED}
        self._never = frozenset(CATEGORIES) - modelled
        sexual = model.thresholds["sexual"]
        self._thresholds = {
            **model.thresholds, "sexual_minors": sexual, "privacy": _PRIVACY_THRESHOLD
        }  # fmt: skip

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        """The categories with a head or a rule; of another language than English only privacy."""
        return frozenset(CATEGORIES) - self._never

    @property
    def model(self) -> LinearModel:
        """The model behind the scores, for explanations and for figures."""
        return self._model

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """One assessment a text, in order. Raises InvalidRequest over ``MAX_CHARACTERS``."""
        for text in texts:
            if len(text) > MAX_CHARACTERS:
                raise InvalidRequest(
                    f"The prompt has {len(text):,} characters; at most {MAX_CHARACTERS:,} are "
                    "assessed. Shorten it."
                )
        return [self._assess(text) for text in texts]

    def _assess(self, text: str) -> Assessment:
        readings = readings_of(text, self._model.vocabulary)
        language = language_of(text, readings, self._model.vocabulary)
        spans: list[Span] = []
        scores: dict[str, float] = {}
        personal = [(each, hit) for each in readings for hit in identifiers(each.text)]
        scores["privacy"] = IDENTIFIER_CERTAIN if personal else 0.0
        spans += [_span(each, hit, "privacy", IDENTIFIER_CERTAIN) for each, hit in personal]
        wordless = not any(c.isalpha() for each in readings for c in each.text)
        readable = language == ENGLISH or wordless
        if wordless:  # says nothing, so asks for nothing: a model would answer with its base rate
            scores |= dict.fromkeys((*self._model.categories, "sexual_minors"), 0.0)
        elif readable:
            modelled, evidence = self._read(readings)
            scores |= modelled
            spans += evidence
        unread = frozenset() if readable else frozenset(CATEGORIES) - {"privacy"}
        return Assessment(
            assessor=self._ref,
            subject="prompt",
            scores=scores,
            thresholds={each: self._thresholds[each] for each in scores},
            not_assessed=self._never | unread,
            language=language,
            spans=_distinct(spans),
            fields={
                "language": language,
                "prompt.characters": len(text),
                "prompt.obfuscated": is_disguised(text, readings),
            },
        )

    def _read(self, readings: Sequence[Reading]) -> tuple[dict[str, float], list[Span]]:
        """Scores of all categories that need English, and their evidence."""
        views = [(reading, window) for reading in readings for window in windows(reading.text)]
        logits = self._model.logits([r.text[w.start : w.end] for r, w in views])
        probabilities = self._model.probabilities(logits)
        worst = probabilities.argmax(axis=0)
        scores: dict[str, float] = {}
        spans: list[Span] = []
        for head, category in enumerate(self._model.categories):
            scores[category] = float(probabilities[worst[head], head])
            if scores[category] >= self._thresholds[category]:
                reading, window = views[worst[head]]
                spans += self._evidence(reading, window, category)
        scores["sexual_minors"] = 0.0
        for reading in readings:
            terms = minors(reading.text)
            if not terms.age:
                continue
            score = MINORS_CERTAIN if terms.sexual else scores["sexual"]
            scores["sexual_minors"] = max(scores["sexual_minors"], score)
            if score >= self._thresholds["sexual_minors"]:
                hits = (*terms.age, *terms.sexual)
                spans += [_span(reading, hit, "sexual_minors", score) for hit in hits]
        if scores["sexual_minors"] >= self._thresholds["sexual_minors"]:
            scores["unsafe"] = max(scores["unsafe"], scores["sexual_minors"])
        return scores, spans

    def _evidence(self, reading: Reading, window: Window, category: str) -> Iterator[Span]:
        """The words of a window that speak most for a category, strongest first."""
        text = reading.text[window.start : window.end]
        weights = self._model.contributions(text, category)
        words = [
            (float(weights[match.start() : match.end()].sum()), match)
            for match in _WORD.finditer(text)
        ]
        words.sort(key=lambda pair: -pair[0])
        for weight, match in words[:_MAX_SPANS]:
            if weight > 0 and weight >= _MIN_SHARE * words[0][0]:
                hit = Hit(window.start + match.start(), window.start + match.end(), "word")
                yield _span(reading, hit, category, weight)


def _distinct(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The first span of each place and category: several readings find the same thing."""
    return tuple({(s.start, s.end, s.category): s for s in reversed(spans)}.values())[::-1]


def _span(reading: Reading, hit: Hit, category: str, weight: float) -> Span:
    start, end = reading.origin(hit.start, hit.end)
    return Span(start=start, end=end, category=category, weight=weight, reading=reading.name)


def load_assessor(directory: Path | None = None) -> LinearPromptAssessor:
    """The assessor with the weights of ``directory``, by default those of the package.

    Takes about 50 ms. Raises WeightsInvalid where the files are not those on record.
    """
    here = Path(str(files("guard.prompts")))
    directory = directory or here / "weights"
    model = LinearModel.load(directory)
    rules = [(here / name).read_bytes() for name in ("rules.py", "confusables.json")]
    return LinearPromptAssessor(model, digest_of(directory, rules))
