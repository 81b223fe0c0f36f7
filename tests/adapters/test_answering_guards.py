"""Guards that answer in words about pictures, as tiny checkpoints of the real classes."""

import json
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Gemma3ImageProcessorPil,
    Gemma3TextConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    ShieldGemma2Config,
    ShieldGemma2ForImageClassification,
    ShieldGemma2Processor,
    SiglipVisionConfig,
)

from guard.images.adapters.answering import GUIDELINES, Rater, ShieldGemma2
from guard.prompts.adapters.checkpoint import digest_of
from provenance.picture import Pixels
from tests.adapters.checkpoints import _tokenizer
from tests.adapters.pictures import SIDE, colours
from tests.support.lettering import plain

_SIZE = {"height": SIDE, "width": SIDE}
_TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16,
}  # fmt: skip
_VISION = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 8, "initializer_range": 0.5,
}  # fmt: skip


def _fast(special: Mapping[str, str], words: list[str]) -> PreTrainedTokenizerFast:
    made = _tokenizer(list(special.values()), words)
    return PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer, pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=dict(special),
    )  # fmt: skip


@pytest.fixture(scope="module")
def shieldgemma(tmp_path_factory: pytest.TempPathFactory) -> ShieldGemma2:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("shieldgemma2")
    marks = {"boi_token": "<boi>", "image_token": "<img>", "eoi_token": "<eoi>"}
    tokenizer = _fast(marks, ["Yes", "No", "violence:", "sexually", "dangerous", "blood"])
    ShieldGemma2Processor(
        image_processor=Gemma3ImageProcessorPil(size=_SIZE),
        tokenizer=tokenizer,
        chat_template="{% for c in messages[0]['content'] %}"
        "{% if c['type'] == 'image' %}<boi>{% else %}{{ c['text'] }}{% endif %}{% endfor %}",
        image_seq_length=4,
    ).save_pretrained(folder)
    number = tokenizer.convert_tokens_to_ids
    config = ShieldGemma2Config(
        text_config=Gemma3TextConfig(
            vocab_size=len(tokenizer), sliding_window=64, initializer_range=0.3, **_TEXT
        ).to_dict(),
        vision_config=SiglipVisionConfig(**_VISION).to_dict(),
        mm_tokens_per_image=4,
        boi_token_index=number("<boi>"),
        eoi_token_index=number("<eoi>"),
        image_token_index=number("<img>"),
        yes_token_index=number("Yes"),
        no_token_index=number("No"),
    )
    model = ShieldGemma2ForImageClassification(config)
    for name, parameter in model.named_parameters():
        if "mm_input_projection" in name:
            torch.nn.init.normal_(parameter)  # transformers begins it with zeros
    model.save_pretrained(folder)
    return ShieldGemma2(folder, digest_of(folder), {})


def test_shieldgemma_gives_each_of_its_guidelines_a_probability(
    shieldgemma: ShieldGemma2,
) -> None:
    assert shieldgemma.covers == frozenset(GUIDELINES)
    found = [shieldgemma.look(pixels).scores for pixels in colours(3)]
    assert all(each.keys() == GUIDELINES.keys() for each in found)
    assert all(0 < score < 1 for each in found for score in each.values())
    assert len({each["violence"] for each in found}) == 3  # it looks at the picture


CODES = {"O1": "sexual", "O2": "violence"}
_ANSWERS = [
    ("red", '{\n    "rating": "Unsafe",\n    "category": "O2'),
    ("blue", '{\n    "rating": "Unsafe",\n    "category": "O1'),
    ("grey", '{\n    "rating": "Safe",\n    "category": "NA'),
    ("green", "hello hello"),
]
COLOURS = {"red": (250, 0, 0), "blue": (0, 0, 250), "grey": (90, 90, 90), "green": (0, 250, 0)}


def filled(name: str) -> Pixels:
    pixels = plain(48, 40)
    pixels[:] = COLOURS[name]
    return pixels


@pytest.fixture(scope="module")
def rater(tmp_path_factory: pytest.TempPathFactory) -> Rater:
    """A Llava taught in seconds what it says of four colours."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("rater")
    marks = {"image_token": "<image>"}
    tokenizer = _tokenizer(["<image>"], [])
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = sorted({c for _, said in _ANSWERS for c in said} | set("policy: NSafeUn,"))
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<unk>", "<image>", *letters])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=marks,
    )  # fmt: skip
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=_SIZE, crop_size=_SIZE),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template="{% for c in messages[0]['content'] %}"
        "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}",
    )
    processor.save_pretrained(folder)
    text = LlamaConfig(vocab_size=len(vocabulary), **_TEXT, max_position_embeddings=256)
    config = LlavaConfig(
        text_config=text.to_dict(),
        vision_config=CLIPVisionConfig(**_VISION).to_dict(),
        image_token_index=vocabulary["<image>"],
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config)
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "policy"}]}]
    )
    batch = processor(
        images=[filled(name) for name, _ in _ANSWERS],
        text=[prompt + said for _, said in _ANSWERS],
        padding=True,
        return_tensors="pt",
    )
    aims = batch["input_ids"].clone()
    aims[(aims == 0) | (aims == vocabulary["<image>"])] = -100
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(400):
        loss = model(**batch, labels=aims).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss < 0.01:
            break
    model.save_pretrained(folder)
    return Rater(folder, digest_of(folder), "policy", CODES)


def test_a_rating_and_its_category_become_probabilities(rater: Rater) -> None:
    red, blue, grey = (rater.look(filled(name)).scores for name in ("red", "blue", "grey"))
    assert red["violence"] > 0.8 > 0.2 > red["sexual"]
    assert blue["sexual"] > 0.8 > 0.2 > blue["violence"]
    assert max(grey.values()) < 0.2


def test_an_answer_out_of_form_assesses_nothing(rater: Rater) -> None:
    assert rater.look(filled("green")).scores == {}


def test_the_answers_are_as_the_families_write_them() -> None:
    answer = json.dumps({"rating": "Unsafe", "category": "O2: x"}, indent=4)
    assert answer.startswith('{\n    "rating": "Unsafe",\n    "category": "O2')
    assert np.array_equal(filled("red")[0, 0], COLOURS["red"])
