"""Why was this decided? Asked of any assessor, by asking it again with less."""

from guard.explain.prompts import PromptExplanation, explain_prompt

__all__ = ["PromptExplanation", "explain_prompt"]
