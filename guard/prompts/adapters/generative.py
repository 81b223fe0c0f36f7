"""A guard that answers in words (Llama Guard, ShieldGemma, Qwen3Guard), from a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from guard.assessment import Assessment, AssessorRef
from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.prompts.adapters.checkpoint import loaded, sendable, windows
from guard.prompts.adapters.verdict import (
    Family,
    Question,
    covered,
    listed,
    neutralised,
    questions,
)
from policies.categories import CATEGORIES, CORE_CATEGORIES

WINDOW = 4_000  # characters of a prompt that are judged at once
_LISTED = 32  # tokens in which categories are listed
_MIN_MASS = 0.5  # probability of the closed answers together, for one of them to be a verdict
_LEADS = ("", " ", "\n", "\n\n")  # what families put before their answer
_IMPROBABLE = 1e-4


class GenerativeAssessor:
    """Asks by the checkpoint's own chat template and reads the probability of closed answers.

    "unsafe" is the probability of an unsafe verdict; a category that the guard names then has the
    same score, one that it does not name 0. Where the verdict is safe, no category is more likely
    than "unsafe" is. Where there is no verdict, nothing is assessed.
    """

    def __init__(
        self,
        folder: Path,
        family: Family,
        *,
        sha256: str,
        threshold: float = 0.5,
        guidelines: Mapping[str, str] | None = None,
    ) -> None:
        """Raises WeightsInvalid where the files are not those declared, or no such guard."""
        self._tokenizer, self._model = loaded(
            folder, sha256, auto_class="AutoModelForCausalLM", dtype="auto"
        )
        import torch

        if not self._tokenizer.chat_template:
            raise WeightsInvalid(f"{folder} has no chat template; a guard is asked by its own.")
        self._torch = torch
        self._alone = Lock()  # tokenizers may not be borrowed by two threads at once
        self._family = family
        self._questions = questions(family, guidelines or {})
        self._covers = covered(family, guidelines or {})
        self._threshold = threshold
        added = self._tokenizer.added_tokens_decoder.values()
        self._control = sorted({*self._tokenizer.all_special_tokens, *map(str, added)})
        self._control_ids = frozenset(self._tokenizer.convert_tokens_to_ids(self._control))
        self._ref = AssessorRef(name=folder.name, version=family.value, digest=sha256)

    @property
    def ref(self) -> AssessorRef:
        return self._ref

    @property
    def covers(self) -> frozenset[str]:
        return self._covers

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """One assessment a text. Raises SafetyUnavailable where the model fails."""
        with self._alone:
            return [self._assess(text) for text in texts]

    def _assess(self, text: str) -> Assessment:
        scores: dict[str, float] = {}
        try:
            for part in windows(self._plain(sendable(text)), WINDOW):
                said = self._judged(part)
                if said is None:
                    scores = {}
                    break
                scores = {c: max(score, scores.get(c, 0.0)) for c, score in said.items()}
        except (RuntimeError, IndexError) as error:
            raise SafetyUnavailable(f"The guard {self._ref.name} failed: {error}") from error
        return Assessment(
            assessor=self._ref,
            subject="prompt",
            scores=scores,
            thresholds=dict.fromkeys(scores, self._threshold),
            not_assessed=frozenset(CATEGORIES) - frozenset(scores),
        )

    def _plain(self, text: str) -> str:
        """The text without anything that the tokenizer would take for a mark of its own."""
        plain = neutralised(text, self._control)
        ids = self._tokenizer(plain, add_special_tokens=False)["input_ids"]
        if self._control_ids.isdisjoint(ids):
            return plain
        # Some tokenizers fold look-alikes into their marks; what they took for one is left out.
        rest = [each for each in ids if each not in self._control_ids]
        return neutralised(str(self._tokenizer.decode(rest)), self._control)

    def _judged(self, text: str) -> dict[str, float] | None:
        """Scores of one window, or nothing where there is no verdict."""
        scores: dict[str, float] = {}
        for question in self._questions:
            prompt = self._prompt(text, question)
            unsafe = self._unsafe(prompt, question)
            if unsafe is None:
                return None
            if question.about is not None:
                scores[question.about] = unsafe
                continue
            scores["unsafe"] = unsafe
            named: frozenset[str] | None = self._covers
            if unsafe >= self._threshold and question.listing is not None:
                named = listed(self._family, self._continued(prompt, question.listing))
            if named is not None:
                scores |= {c: unsafe if c in named else 0.0 for c in self._covers}
        core = [score for category, score in scores.items() if category in CORE_CATEGORIES]
        scores.setdefault("unsafe", max(core, default=0.0))
        return scores

    def _prompt(self, text: str, question: Question) -> list[int]:
        rendered = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            tokenize=False,
            add_generation_prompt=True,
            **question.variables,
        )
        return self._ids(rendered + question.begun)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _unsafe(self, prompt: list[int], question: Question) -> float | None:
        chances: dict[str, float] = {}
        first = self._next(prompt)
        for answer in question.answers:
            forms = {tuple(self._ids(lead + answer)) for lead in _LEADS}
            chances[answer] = sum(self._chance(prompt, form, first) for form in forms if form)
        mass = sum(chances.values())
        if not mass >= _MIN_MASS:
            return None
        expected = sum(chance * question.answers[answer] for answer, chance in chances.items())
        return min(expected / mass, 1.0)

    def _next(self, ids: list[int]) -> Any:
        """(V,) probabilities of the token after ``ids``."""
        with self._torch.inference_mode():
            logits = self._model(self._torch.tensor([ids])).logits[0, -1]
        return logits.double().softmax(-1)

    def _chance(self, prompt: list[int], answer: tuple[int, ...], first: Any) -> float:
        chance = float(first[answer[0]])
        for i in range(1, len(answer)):
            if chance < _IMPROBABLE:
                return 0.0
            chance *= float(self._next([*prompt, *answer[:i]])[answer[i]])
        return chance

    def _continued(self, prompt: list[int], begun: str) -> str:
        """What the model lists after ``begun``, the likeliest token each time."""
        step, past = [*prompt, *self._ids(begun)], None
        out: list[int] = []
        for _ in range(_LISTED):
            with self._torch.inference_mode():
                said = self._model(self._torch.tensor([step]), past_key_values=past, use_cache=True)
            token, past = int(said.logits[0, -1].argmax()), said.past_key_values
            if token in self._control_ids:
                break
            out.append(token)
            step = [token]
        return str(self._tokenizer.decode(out)).lstrip()
