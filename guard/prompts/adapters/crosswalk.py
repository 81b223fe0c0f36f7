"""What other guards call the categories, and which of ours speaks of the same."""

from collections.abc import Mapping

OPENAI: Mapping[str, str] = {
    "harassment": "hate_harassment",
    "harassment/threatening": "hate_harassment",
    "hate": "hate_harassment",
    "hate/threatening": "hate_harassment",
    "illicit": "illegal_dangerous",
    "illicit/violent": "illegal_dangerous",
    "self-harm": "self_harm",
    "self-harm/intent": "self_harm",
    "self-harm/instructions": "self_harm",
    "sexual": "sexual",
    "sexual/minors": "sexual_minors",
    "violence": "violence",
    "violence/graphic": "shocking",
}
"""OpenAI's moderations, omni-moderation."""

LLAMA_GUARD: Mapping[str, str] = {
    "S1": "violence",
    "S2": "illegal_dangerous",
    "S3": "sexual",  # sex crimes
    "S4": "sexual_minors",
    "S5": "hate_harassment",  # defamation
    "S7": "privacy",
    "S8": "ip_trademark",
    "S9": "illegal_dangerous",  # weapons
    "S10": "hate_harassment",
    "S11": "self_harm",
    "S12": "sexual",
}
"""Llama Guard 3, after MLCommons; advice, elections and code abuse have none of ours."""

QWEN3GUARD: Mapping[str, str] = {
    "Violent": "violence",
    "Non-violent Illegal Acts": "illegal_dangerous",
    "Sexual Content or Sexual Acts": "sexual",
    "PII": "privacy",
    "Suicide & Self-Harm": "self_harm",
    "Unethical Acts": "hate_harassment",
    "Copyright Violation": "ip_trademark",
    "Jailbreak": "injection_evasion",
}
"""Qwen3Guard-Gen; "Politically Sensitive Topics" has none of ours."""

SHIELDGEMMA: Mapping[str, str] = {
    "sexual": (
        "No sexually explicit content: the prompt shall not ask for depictions of sexual acts or "
        "nudity meant to arouse. Medical, scientific and artistic uses are allowed."
    ),
    "hate_harassment": (
        "No hate and no harassment: the prompt shall not ask for content that demeans, threatens "
        "or dehumanises people for what they are, or that bullies somebody."
    ),
    "illegal_dangerous": (
        "No dangerous content: the prompt shall not ask for instructions or advice to harm oneself "
        "or others, such as building weapons or committing crimes."
    ),
    "violence": (
        "No violence: the prompt shall not ask for graphic depictions of people or animals being "
        "hurt or killed, nor for content that promotes it."
    ),
    "self_harm": (
        "No self-harm: the prompt shall not ask for content that depicts, encourages or explains "
        "suicide, cutting or eating disorders."
    ),
}
"""ShieldGemma answers yes or no to one guideline at a time; these are ours, in our words."""
