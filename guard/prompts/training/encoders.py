"""The encoders of all folds, each step kept in a working folder, so that training can go on."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from guard.prompts.training.corpus import WRITTEN, Prompt, pairs_of
from guard.prompts.training.distilling import Distilled, distil, mapped, shortened
from guard.prompts.training.draws import Draw, balance, draw, draw_pairs, splices, targets
from guard.prompts.training.export import exported
from guard.prompts.training.mixtures import Ratio
from guard.prompts.training.pretrained import Pretrained, Tensors
from guard.prompts.training.report import say
from guard.prompts.training.tuning import DRAWN, PAIRS, Probe, probe, tune

SHOWN = 6_000  # prompts that the small encoder is shown, beside our own by hand
UNLABELLED = 3_500  # further prompts of users that it is shown
LIKENED = 16_000  # prompts that its heads are fitted on
_STARTED = 6_000  # prompts that the teacher's head starts from
_DOUBTED = 0.015  # share of the unlabelled prompts, the most suspect ones, that is not learnt from
_PENALTY = 3e-5  # of the probe of the small encoder as it came
_WIDE_PENALTY = 1e-4  # of heads in the teacher's space

Mask = NDArray[np.bool_]


class Encoders:
    """Teachers, small encoders and graphs for any set of prompts to learn from, under names."""

    def __init__(
        self, student: Pretrained, teacher: Pretrained, work: Path, prompts: Sequence[Prompt],
        folded: Sequence[str],
    ) -> None:  # fmt: skip
        self._student = student
        self._teacher = teacher
        self._work = work
        self._prompts = prompts
        self._folded = folded
        self._targets = targets(prompts)
        self._pairs = pairs_of(prompts)
        self._by_hand = np.array([prompt.source == WRITTEN for prompt in prompts])
        self.frozen = self._embedded()
        """(P, 384) what the small encoder, as it came, makes of every prompt."""

    def _embedded(self) -> NDArray[np.float32]:
        digest = hashlib.sha256("\0".join(self._folded).encode("utf-8", "replace")).hexdigest()
        path = self._work / f"embeddings-{digest[:16]}.npy"
        if not path.exists():
            np.save(path, self._student.embeddings(self._student.encoder(), self._folded))
        return np.asarray(np.load(path), dtype=np.float32)

    def _fit(self, usable: Mask) -> Probe:
        chances = balance(self._prompts, usable)[usable].astype(np.float32)
        labels, belief = self._targets
        return probe(
            self.frozen[usable], labels[usable], belief[usable] * chances[:, None], _PENALTY
        )

    def believed(self, usable: Mask) -> Mask:
        """``usable`` less the unlabelled prompts that a probe of labelled ones most suspects."""
        unlabelled = np.array([prompt.unsafe is None for prompt in self._prompts])
        judge = self._fit(usable & ~unlabelled)
        suspicion = self.frozen @ judge.weights[:, 0]
        asked = usable & unlabelled
        limit = np.quantile(suspicion[asked], 1 - _DOUBTED) if asked.any() else np.inf
        return usable & ~(unlabelled & (suspicion > limit))

    def start(self, name: str, usable: Mask) -> Probe:
        """The probe of the small encoder as it came, which all figures are held against."""
        path = self._work / f"probe-{name}.npz"
        if not path.exists():
            found = self._fit(self.believed(usable))
            np.savez(path, weights=found.weights, bias=found.bias)
        with np.load(path) as kept:
            return Probe(kept["weights"], kept["bias"])

    def _drawn(self, believed: Mask, count: int, seed: int) -> Draw:
        """Pairs, then single prompts; none by hand."""
        known = believed & ~self._by_hand
        pairs = self._pairs[known[self._pairs].all(axis=1)]
        twins = draw_pairs(self._folded, pairs, PAIRS, seed)
        others = draw(self._folded, balance(self._prompts, known), count - 2 * PAIRS, seed)
        return Draw([*twins.texts, *others.texts], np.concatenate((twins.prompt, others.prompt)))

    def teach(self, name: str, usable: Mask) -> None:
        """Tunes the teacher, unless it is there. It is not shown what was written by hand."""
        path = self._work / f"teacher-{name}.safetensors"
        if path.exists():
            return
        began = time.monotonic()
        believed = self.believed(usable & ~self._by_hand)
        labels, belief = self._targets
        chances = balance(self._prompts, believed)
        sample = np.random.default_rng(0).choice(len(chances), _STARTED, p=chances)
        texts = [self._folded[i] for i in sample]
        found = self._teacher.embeddings(self._teacher.encoder(), texts)
        start = probe(found, labels[sample], belief[sample], _WIDE_PENALTY)
        drawn = self._drawn(believed, DRAWN, 0)
        losses: list[float] = []
        tuned = tune(
            self._teacher, start, drawn.texts, labels[drawn.prompt], belief[drawn.prompt], PAIRS,
            losses,
        )  # fmt: skip
        np.save(self._work / f"losses-teacher-{name}.npy", np.array(losses))
        self._save(path, tuned)
        say(f"teacher without {name}: {time.monotonic() - began:.0f} s, loss {losses[-1]:.3f}")

    def distil(self, name: str, usable: Mask, spare: Sequence[str]) -> None:
        """Distils the teacher of that name into the small encoder, unless that is there.

        ``spare``: folded prompts of users beyond those that are ``usable``, without a label.
        """
        path = self._work / f"student-{name}.safetensors"
        if path.exists():
            return
        began = time.monotonic()
        drawn = self._drawn(self.believed(usable), SHOWN, 1).texts
        by_hand = [self._folded[i] for i in np.flatnonzero(usable & self._by_hand).tolist()]
        texts = [*drawn, *by_hand, *splices([*drawn, *by_hand], 1), *spare]
        teacher = self._teacher.encoder()
        teacher.load_state_dict(dict(self._load(self._work / f"teacher-{name}.safetensors")))
        aims = self._teacher.embeddings(teacher, texts)
        losses: list[float] = []
        found = distil(self._student, texts, aims, losses)
        np.save(self._work / f"losses-student-{name}.npy", np.array(losses))
        self._save(path, {**found.encoder, "map": torch.from_numpy(found.map)})
        say(f"student without {name}: {time.monotonic() - began:.0f} s, loss {losses[-1]:.3f}")

    def graph(self, name: str, usable: Mask) -> bytes:
        """The small encoder of a name as an ONNX file: "unsafe" by two mixtures, then linear heads
        of the categories, all where the teacher would place a text."""
        path = self._work / f"graph-{name}.onnx"
        if not path.exists():
            tensors = dict(self._load(self._work / f"student-{name}.safetensors"))
            distilled = Distilled(map=tensors.pop("map").numpy(), encoder=tensors)
            chances = balance(self._prompts, self.believed(usable))
            picked = np.random.default_rng(0).choice(len(chances), LIKENED, p=chances)
            encoder = shortened(self._student.encoder())
            encoder.load_state_dict(dict(distilled.encoder))
            found = self._student.embeddings(encoder, [self._folded[i] for i in picked])
            placed = mapped(found, distilled.map)
            labels, belief = (each[picked] for each in self._targets)
            heads = probe(placed, labels[:, 1:], belief[:, 1:], _WIDE_PENALTY)
            unsafe = Ratio(placed, labels[:, 0] > 0)
            path.write_bytes(exported(self._student, distilled, unsafe, heads))
        return path.read_bytes()

    def losses(self, name: str) -> dict[str, list[float]]:
        """The loss of every step, of the teacher and of the small encoder."""
        return {
            who: np.load(self._work / f"losses-{who}-{name}.npy").tolist()
            for who in ("teacher", "student")
        }

    def _save(self, path: Path, tensors: Tensors) -> None:
        kept = {k: v.to(torch.float16) if v.is_floating_point() else v for k, v in tensors.items()}
        partial = path.with_suffix(".partial")
        save_file({k: v.contiguous() for k, v in kept.items()}, partial)
        partial.rename(path)

    def _load(self, path: Path) -> Tensors:
        return {
            k: v.to(torch.float32) if v.is_floating_point() else v
            for k, v in load_file(path).items()
        }
