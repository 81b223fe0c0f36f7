"""A small encoder learns to place texts as its teacher does; every step is kept and gone on from.

Both are tiny here, built and saved by the test.
"""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from guard.errors import WeightsInvalid
from guard.prompts.training import encoders as kept
from guard.prompts.training.corpus import Prompt, own
from guard.prompts.training.distilling import LAYERS, distil, mapped, shortened
from guard.prompts.training.phrases import contrasts
from guard.prompts.training.pretrained import Checkpoint, Pretrained
from guard.prompts.training.written import pairs

WORDS = [f"word{i}" for i in range(60)]


def checkpoint(directory: Path, width: int, seed: int) -> Pretrained:
    """A tiny BERT of six layers that reads ``WORDS``."""
    from transformers import BertConfig, BertModel

    directory.mkdir()
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    vocabulary |= {word: 4 + i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    torch.manual_seed(seed)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=width, num_hidden_layers=6,
            num_attention_heads=2, intermediate_size=2 * width, max_position_embeddings=64,
        ),
        add_pooling_layer=False,
    ).save_pretrained(directory)  # fmt: skip
    names = ("model.safetensors", "tokenizer.json")
    digests = {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names}
    return Pretrained(Checkpoint(digests, "Build it again.", "BertModel", width, 0), directory)


def sentences(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.sample(WORDS, rng.randint(3, 9))) for _ in range(count)]


def test_another_file_than_the_one_on_record_is_refused_with_advice(tmp_path: Path) -> None:
    found = checkpoint(tmp_path / "tiny", 32, 0)
    raw = json.loads((found.directory / "tokenizer.json").read_bytes())
    (found.directory / "tokenizer.json").write_text(json.dumps(raw, indent=1))
    digests = {"tokenizer.json": hashlib.sha256(found.tokenizer).hexdigest()}
    with pytest.raises(WeightsInvalid, match="Build it again"):
        Pretrained(Checkpoint(digests, "Build it again.", "BertModel", 32, 0), found.directory)


def test_the_small_encoder_places_strangers_nearer_to_where_its_teacher_does(
    tmp_path: Path,
) -> None:
    student = checkpoint(tmp_path / "student", 32, 0)
    teacher = checkpoint(tmp_path / "teacher", 48, 1)
    shown, strangers = sentences(600, 1), sentences(200, 2)
    aims = teacher.embeddings(teacher.encoder(), shown)
    losses: list[float] = []
    found = distil(student, shown, aims, losses)
    assert np.mean(losses[-5:]) < np.mean(losses[:5])

    small = shortened(student.encoder())
    assert len(small.encoder.layer) == len(LAYERS)
    small.load_state_dict(dict(found.encoder))
    goals = teacher.embeddings(teacher.encoder(), strangers)
    placed = mapped(student.embeddings(small, strangers), found.map)
    assert placed.shape == goals.shape
    near = (placed * goals).sum(axis=1).mean()
    others = (placed * np.roll(goals, 1, axis=0)).sum(axis=1).mean()
    assert near > others


def test_a_training_that_was_stopped_goes_on_from_the_last_whole_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("DRAWN", 150), ("PAIRS", 30), ("SHOWN", 150), ("_STARTED", 80)):
        monkeypatch.setattr(kept, name, value)
    some = [*list(contrasts())[:100], *pairs()[:100]]
    chosen = {text for pair in some for text in pair[:2]}
    mine = [prompt for prompt in own() if prompt.text in chosen]
    texts = sentences(120, 3)
    prompts = [
        *(Prompt(text, "calm", False, frozenset(), True) for text in texts[:60]),
        *(Prompt(text, "harm", True, frozenset({"violence"}), True) for text in texts[60:90]),
        *(Prompt(text, "users", None, frozenset(), True) for text in texts[90:]),
        *mine,
    ]
    usable = np.ones(len(prompts), dtype=np.bool_)

    def training() -> kept.Encoders:
        return kept.Encoders(
            checkpoint_of("student", 32), checkpoint_of("teacher", 48), tmp_path / "work", prompts,
            [prompt.text for prompt in prompts],
        )  # fmt: skip

    def checkpoint_of(name: str, width: int) -> Pretrained:
        if name not in built:
            built[name] = checkpoint(tmp_path / name, width, width)
        return built[name]

    built: dict[str, Pretrained] = {}
    (tmp_path / "work").mkdir()
    training().teach("all", usable)
    before = (tmp_path / "work" / "teacher-all.safetensors").stat().st_mtime_ns
    again = training()
    again.teach("all", usable)
    again.distil("all", usable, sentences(20, 4))
    assert (tmp_path / "work" / "teacher-all.safetensors").stat().st_mtime_ns == before
    assert (tmp_path / "work" / "student-all.safetensors").exists()
    assert set(again.losses("all")) == {"teacher", "student"}
    assert not list((tmp_path / "work").glob("*.partial"))
