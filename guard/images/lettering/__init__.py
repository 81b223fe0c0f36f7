"""A gate for text: a tiny network that says whether letters may be in a picture.

Trained by this project on lines that it draws into photographs (docs/model-cards/letters.md). It
decides only whether a picture is read, never what becomes of it.
"""

from guard.images.lettering.presence import LetterPresence

__all__ = ["LetterPresence"]
