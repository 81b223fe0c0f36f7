"""The encoders of all folds, each run kept in a working folder, so that training can go on."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from guard.prompts.training.corpus import Prompt, pairs_of
from guard.prompts.training.draws import balance, draw, draw_pairs, targets
from guard.prompts.training.export import exported
from guard.prompts.training.mixtures import MEANS, Ratio
from guard.prompts.training.report import say
from guard.prompts.training.tuning import (
    DRAWN,
    KEPT,
    PAIRS,
    Pretrained,
    Probe,
    Tuned,
    embeddings,
    interpolated,
    probe,
    tune,
)

LIKENED = 6_000  # prompts that the mixtures of the head "unsafe" are of
_DOUBTED = 0.015  # share of the unlabelled prompts, the most suspect ones, that is not learnt from

Mask = NDArray[np.bool_]


class Encoders:
    """Probes, runs and graphs for any set of prompts to learn from, kept under names."""

    def __init__(
        self, pretrained: Pretrained, work: Path, prompts: Sequence[Prompt], folded: Sequence[str]
    ) -> None:
        self._pretrained = pretrained
        self._work = work
        self._prompts = prompts
        self._folded = folded
        self._targets = targets(prompts)
        self._pairs = pairs_of(prompts)
        self.frozen = self._embedded()
        """(P, 384) what the encoder, as it came, makes of every prompt."""

    def _embedded(self) -> NDArray[np.float32]:
        digest = hashlib.sha256("\0".join(self._folded).encode("utf-8", "replace")).hexdigest()
        path = self._work / f"embeddings-{digest[:16]}.npy"
        if path.exists():
            return np.asarray(np.load(path), dtype=np.float32)
        found = embeddings(self._pretrained.encoder(), self._pretrained.ids(self._folded))
        np.save(path, found)
        return found

    def _fit(self, usable: Mask) -> Probe:
        chances = balance(self._prompts, usable)[usable].astype(np.float32)
        labels, belief = self._targets
        return probe(self.frozen[usable], labels[usable], belief[usable] * chances[:, None])

    def believed(self, usable: Mask) -> Mask:
        """``usable`` less the unlabelled prompts that a probe of labelled ones most suspects."""
        unlabelled = np.array([prompt.unsafe is None for prompt in self._prompts])
        judge = self._fit(usable & ~unlabelled)
        suspicion = self.frozen @ judge.weights[:, 0]
        asked = usable & unlabelled
        limit = np.quantile(suspicion[asked], 1 - _DOUBTED) if asked.any() else np.inf
        return usable & ~(unlabelled & (suspicion > limit))

    def start(self, name: str, usable: Mask) -> Probe:
        """The probe of the untouched encoder."""
        path = self._work / f"probe-{name}.npz"
        if not path.exists():
            found = self._fit(self.believed(usable))
            np.savez(path, weights=found.weights, bias=found.bias)
        with np.load(path) as kept:
            return Probe(kept["weights"], kept["bias"])

    def run(self, name: str, usable: Mask, seed: int) -> None:
        """One run, unless it is there."""
        path = self._work / f"run-{name}-{seed}.safetensors"
        if path.exists():
            return
        began = time.monotonic()
        believed = self.believed(usable)
        pairs = self._pairs[believed[self._pairs].all(axis=1)]
        twins = draw_pairs(self._folded, pairs, PAIRS, seed)
        others = draw(self._folded, balance(self._prompts, believed), DRAWN - 2 * PAIRS, seed)
        prompt = np.concatenate((twins.prompt, others.prompt))
        labels, belief = self._targets
        losses: list[float] = []
        tuned = tune(
            self._pretrained, self.start(name, usable), [*twins.texts, *others.texts],
            labels[prompt], belief[prompt], PAIRS, seed, losses,
        )  # fmt: skip
        kept = {f"encoder.{k}": v.to(torch.float16) for k, v in tuned.encoder.items()}
        kept["probe.weights"] = torch.from_numpy(tuned.probe.weights)
        kept["probe.bias"] = torch.from_numpy(tuned.probe.bias)
        np.save(self._work / f"losses-{name}-{seed}.npy", np.array(losses))
        partial = path.with_suffix(".partial")
        save_file(kept, partial)
        partial.rename(path)
        say(f"run {seed} without {name}: {time.monotonic() - began:.0f} s, loss {losses[-1]:.3f}")

    def graph(self, name: str, usable: Mask) -> bytes:
        """All runs of a name and its start as one ONNX file, its head "unsafe" two mixtures."""
        paths = sorted(self._work.glob(f"run-{name}-*.safetensors"))
        path = self._work / f"graph-{name}-{len(paths)}-{LIKENED}-{MEANS}.onnx"
        if not path.exists():
            runs = []
            for each in paths:
                kept = load_file(each)
                encoder = {
                    k.removeprefix("encoder."): v.to(torch.float32) if v.is_floating_point() else v
                    for k, v in kept.items()
                    if k.startswith("encoder.")
                }
                runs.append(
                    Tuned(encoder, Probe(kept["probe.weights"].numpy(), kept["probe.bias"].numpy()))
                )
            origin = self._pretrained.encoder().state_dict()
            tuned = interpolated(Tuned(origin, self.start(name, usable)), runs, KEPT)
            chances = balance(self._prompts, self.believed(usable))
            picked = np.random.default_rng(0).choice(len(chances), LIKENED, p=chances)
            texts = [self._folded[i] for i in picked]
            encoder = self._pretrained.encoder(tuned.encoder)
            embedded = embeddings(encoder, self._pretrained.ids(texts))
            unsafe = self._targets.labels[picked, 0] > 0
            path.write_bytes(exported(self._pretrained, tuned, Ratio(embedded, unsafe)))
        return path.read_bytes()

    def losses(self, name: str) -> list[list[float]]:
        """The loss of every step of every run of a name."""
        return [np.load(path).tolist() for path in sorted(self._work.glob(f"losses-{name}-*.npy"))]
