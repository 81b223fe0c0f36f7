"""The eleven categories that assessors score and policies speak of."""

CORE_CATEGORIES: tuple[str, ...] = (
    "sexual",
    "sexual_minors",
    "violence",
    "hate_harassment",
    "self_harm",
    "illegal_dangerous",
    "shocking",
)
"""Categories that make up ``unsafe_score``: the probability that any of them applies."""

CATEGORIES: tuple[str, ...] = (
    *CORE_CATEGORIES,
    "likeness_deception",
    "ip_trademark",
    "privacy",
    "injection_evasion",
)
