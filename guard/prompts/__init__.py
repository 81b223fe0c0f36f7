"""What does a prompt ask for? Scores with their evidence, and what could not be read."""

from guard.prompts.assessor import MAX_CHARACTERS, TrainedPromptAssessor, load_assessor

__all__ = ["MAX_CHARACTERS", "TrainedPromptAssessor", "load_assessor"]
