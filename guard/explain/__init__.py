"""Why was this decided? Asked of any assessor, by asking it again with less."""

from guard.explain.images import ImageExplanation, explain_image
from guard.explain.prompts import PromptExplanation, explain_prompt

__all__ = ["ImageExplanation", "PromptExplanation", "explain_image", "explain_prompt"]
