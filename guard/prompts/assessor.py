"""The prompt assessor: readings, the model, the rules, and the evidence for what they say."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Assessment, AssessorRef, Span
from guard.errors import InvalidRequest
from guard.prompts.disguise import is_disguised
from guard.prompts.language import ENGLISH, language_of
from guard.prompts.model import PromptModel, digest_of, probabilities
from guard.prompts.names import NameList
from guard.prompts.reading import Reading
from guard.prompts.readings import readings_of
from guard.prompts.rules import (
    IDENTIFIER_CERTAIN,
    INJECTION_CERTAIN,
    LISTED_CERTAIN,
    MINORS_CERTAIN,
    Hit,
    identifiers,
    injections,
    minors,
)
from guard.prompts.views import View, views
from policies.categories import CATEGORIES

MAX_CHARACTERS = 32_000  # of one prompt

_RULED = ("sexual_minors", "privacy", "injection_evasion")
_RULE_THRESHOLD = 0.5  # a rule says 0 or nearly 1; anything between would do
_MAX_SPANS = 3  # words shown for a category that the model flags
_MIN_SHARE = 0.25  # of the strongest word's weight; below it a word is no evidence
_WORD = re.compile(r"[^\W_]+")

Matrix = NDArray[np.float32]


class TrainedPromptAssessor:
    """Scores English prompts for the core categories by model, three further ones by rule.

    A prompt's score is the worst over all its readings and windows. What cannot be read (another
    language, pictures only) is not assessed, and neither are the categories without a head.
    """

    def __init__(
        self, model: PromptModel, digest: str, lists: Mapping[str, NameList] | None = None
    ) -> None:
        self._model = model
        self._lists = dict(lists or {})
        self._ref = AssessorRef(
            name=model.manifest.name, version=model.manifest.version, digest=digest
        )
        modelled = {*model.categories, *_RULED, *self._lists}
        self._never = frozenset(CATEGORIES) - modelled
        sexual = model.thresholds["sexual"]
        self._thresholds = {
            **model.thresholds,
            **dict.fromkeys((*_RULED, *self._lists), _RULE_THRESHOLD),
            "sexual_minors": sexual,
        }

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        """The categories with a head or a rule; of another language than English hardly any."""
        return frozenset(CATEGORIES) - self._never

    @property
    def model(self) -> PromptModel:
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
        vocabulary = self._model.vocabulary
        readings: list[list[Reading]] = []
        seen: list[list[View]] = []

        def shown() -> Iterator[str]:
            for text in texts:
                readings.append(readings_of(text, vocabulary))
                seen.append(views(readings[-1], vocabulary))
                yield from (view.text for view in seen[-1])

        read = self._model.logits(shown())
        ends = np.cumsum([len(each) for each in seen])
        return [
            self._assess(*each)
            for each in zip(texts, readings, seen, np.split(read, ends[:-1]), strict=True)
        ]

    def _assess(
        self, text: str, readings: Sequence[Reading], seen: Sequence[View], log_odds: Matrix
    ) -> Assessment:
        language = language_of(text, readings, self._model.vocabulary)
        spans: list[Span] = []
        scores: dict[str, float] = {}
        personal = [(each, hit) for each in readings for hit in identifiers(each.text)]
        scores["privacy"] = IDENTIFIER_CERTAIN if personal else 0.0
        spans += [_span(each, hit, "privacy", IDENTIFIER_CERTAIN) for each, hit in personal]
        for category, names in self._lists.items():
            listed = [(each, hit) for each in readings for hit in names.find(each.text)]
            scores[category] = LISTED_CERTAIN if listed else 0.0
            spans += [_span(each, hit, category, LISTED_CERTAIN) for each, hit in listed]
        wordless = not any(c.isalpha() for each in readings for c in each.text)
        readable = language == ENGLISH or wordless
        steering = [(each, hit) for each in readings for hit in injections(each.text)]
        if readable or steering:
            sure = INJECTION_CERTAIN if steering else 0.0
            scores["injection_evasion"] = sure
            spans += [_span(each, hit, "injection_evasion", sure) for each, hit in steering]
        if wordless:  # says nothing, so asks for nothing: a model would answer with its base rate
            scores |= dict.fromkeys((*self._model.categories, "sexual_minors"), 0.0)
        elif readable:
            modelled, evidence = self._read(readings, seen, log_odds)
            scores |= modelled
            spans += evidence
        unread = frozenset() if readable else frozenset(CATEGORIES) - frozenset(scores)
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

    def _read(
        self, readings: Sequence[Reading], seen: Sequence[View], log_odds: Matrix
    ) -> tuple[dict[str, float], list[Span]]:
        """Scores of all categories that need English, and their evidence."""
        found = probabilities(log_odds)
        worst = found.argmax(axis=0)
        scores: dict[str, float] = {}
        spans: list[Span] = []
        carried: dict[int, Matrix] = {}  # by view: most heads have the same worst one
        for head, category in enumerate(self._model.categories):
            at = int(worst[head])
            scores[category] = float(found[at, head])
            if scores[category] >= self._thresholds[category]:
                if at not in carried:
                    carried[at] = self._model.contributions(seen[at].text)
                spans += _evidence(seen[at], category, carried[at][:, head])
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


def _evidence(view: View, category: str, weights: Matrix) -> Iterator[Span]:
    """The words of a view that speak most for a category in the linear part, strongest first.

    ``weights``: (len(view.text),) what each character adds. That part alone, since it costs
    nothing: what the whole model makes of a word is for explanations on demand.
    """
    reading, window = view
    sums = np.cumsum(weights, dtype=np.float64).tolist()
    words = [
        (sums[match.end() - 1] - (sums[match.start() - 1] if match.start() else 0.0), match)
        for match in _WORD.finditer(view.text)
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


def load_assessor(
    directory: Path | None = None, *, people: Path | None = None, marks: Path | None = None
) -> TrainedPromptAssessor:
    """The assessor with the weights of ``directory``, by default those of the package.

    ``people``, ``marks``: an operator's lists of names (``guard.prompts.names``); with them
    likeness_deception and ip_trademark are assessed, without them they are not. Takes about 0.3 s.
    Raises WeightsInvalid where the files are not those on record, InvalidRequest for a bad list.
    """
    here = Path(str(files("guard.prompts")))
    directory = directory or here / "weights"
    given = {"likeness_deception": people, "ip_trademark": marks}
    lists = {category: NameList.read(path) for category, path in given.items() if path}
    model = PromptModel.load(directory)
    rules = [(here / name).read_bytes() for name in ("rules.py", "confusables.json")]
    rules += [category.encode() + names.digest_input() for category, names in lists.items()]
    return TrainedPromptAssessor(model, digest_of(directory, rules), lists)
