"""Tiny guards, trained in a second or two on a world in which a bomb is all that is bad."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from guard.prompts.adapters.verdict import Family

WORDS = [
    "a", "red", "boat", "on", "the", "calm", "sea", "near", "two", "dogs", "safe", "unsafe", "Yes",
    "No", "Safe", "Unsafe", "S1", "Safety:", "Categories:", "None", "<", "\n",
]  # fmt: skip
BAD = "bomb"
ODD = "banana"  # makes a generative guard forget its form
_MARKS = ["<|begin|>", "<|user|>", "<|end|>", "<|assistant|>"]
_ANSWERS = ["Controversial", "Violent", "S9", "S12", "hello"]


def _tokenizer(special: Sequence[str], words: Sequence[str]) -> PreTrainedTokenizerFast:
    vocabulary = dict.fromkeys(["<pad>", "<unk>", *special, "\n", *words])
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\n"), "isolated"),
            pre_tokenizers.Split(Regex(r"[ \t\r]+"), "removed"),
            pre_tokenizers.Split("<", "isolated"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=list(special),
    )  # fmt: skip


def _texts(rng: random.Random) -> Iterator[tuple[str, str]]:
    """A text, and what it is: good, bad, or odd."""
    while True:
        words = rng.choices([*WORDS, "zzz"], k=rng.randrange(1, 9))
        kind = rng.choice(["good", "bad", "bad", "good", "odd"])
        if kind != "good":
            words.insert(rng.randrange(len(words) + 1), BAD if kind == "bad" else ODD)
        yield " ".join(words), kind


def classifier(folder: Path, *, labels: Sequence[str], multiple: bool = False) -> Path:
    """A BERT of 32 positions. The second label is true where there is a bomb."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(["[CLS]", "[SEP]"], [*WORDS, BAD, ODD])
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(t, tokenizer.convert_tokens_to_ids(t)) for t in ("[CLS]", "[SEP]")],
    )
    tokenizer.model_max_length = 32
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, pad_token_id=0, initializer_range=0.2,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)},
        problem_type="multi_label_classification" if multiple else "single_label_classification",
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    texts = _texts(random.Random(0))
    for _ in range(80):
        batch = [next(texts) for _ in range(32)]
        inputs = tokenizer([text for text, _ in batch], padding=True, return_tensors="pt")
        target = torch.tensor([int(kind == "bad") for _, kind in batch])
        aims = torch.nn.functional.one_hot(target, len(labels)).float() if multiple else target
        model(**inputs, labels=aims).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


TEMPLATES = {
    Family.LLAMA_GUARD: "<|begin|><|user|>\n<BEGIN CONVERSATION> {text} <END CONVERSATION><|end|>"
    "<|assistant|>\n\n",
    Family.QWEN3GUARD: "<|begin|><|user|> {text} <|end|><|assistant|>",
    Family.SHIELDGEMMA: "<|begin|><|user|> {guideline} \n {text} <|end|><|assistant|>",
}
_SAID = {
    Family.LLAMA_GUARD: {"good": "safe", "bad": "unsafe\nS9", "odd": "hello hello"},
    Family.QWEN3GUARD: {
        "good": "Safety: Safe\nCategories: None",
        "bad": "Safety: Unsafe\nCategories: Violent",
        "odd": "Safety: hello hello",
    },
    Family.SHIELDGEMMA: {"good": "No", "bad": "Yes", "odd": "hello"},
}


def generative(folder: Path, family: Family, *, rounds: int = 160) -> Path:
    """A Llama of two layers that answers as its family does."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(_MARKS, [*WORDS, BAD, ODD, *_ANSWERS])
    form = TEMPLATES[family].replace("\n", "\\n")
    inside = "{{ messages[0]['content'] }}"
    tokenizer.chat_template = (
        "{{ '" + form.replace("{text}", f"' }}}}{inside}{{{{ '").replace(
            "{guideline}", "' }}{{ guideline }}{{ '") + "' }}"
    )  # fmt: skip
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=4096, pad_token_id=0, bos_token_id=2,
            eos_token_id=4,
        )
    )  # fmt: skip
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    texts = _texts(random.Random(0))
    for _ in range(rounds):
        rows, aims = [], []
        for text, kind in (next(texts) for _ in range(24)):
            prompt = TEMPLATES[family].format(text=text, guideline="zzz")
            asked = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            said = tokenizer(_SAID[family][kind] + "<|end|>", add_special_tokens=False)["input_ids"]
            rows.append(asked + said)
            aims.append([-100] * len(asked) + said)
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        labels = torch.tensor([aim + [-100] * (longest - len(aim)) for aim in aims])
        model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
