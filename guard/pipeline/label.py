"""The visible label: words on the picture that a person can read."""

import numpy as np

from provenance.picture import Pixels

LABEL_TEXT = "AI-generated"
LABEL_HEIGHT = 0.05  # of the short side: the least that GB 45438-2025 accepts for a picture
MARGIN = 0.02  # of the short side


def draw_label(image: Pixels, text: str = LABEL_TEXT) -> Pixels:
    """``image`` with ``text`` in its lower right corner, white on a dark ground.

    Capital letters are at least ``LABEL_HEIGHT`` of the short side high.
    """
    import cv2

    height, width = image.shape[:2]
    short = min(height, width)
    letters = max(8, int(np.ceil(LABEL_HEIGHT * short)))
    font = cv2.FONT_HERSHEY_SIMPLEX
    weight = max(1, round(letters / 10))
    scale = cv2.getFontScaleFromHeight(font, letters, weight)
    (text_width, text_height), below = cv2.getTextSize(text, font, scale, weight)
    margin = max(2, round(MARGIN * short))
    left, bottom = max(0, width - text_width - 2 * margin), height - margin - below
    labelled = image.copy()
    box = labelled[max(0, bottom - text_height - margin) :, max(0, left - margin) :]
    box[:] = (box * 0.35).astype(np.uint8)
    white = (255, 255, 255)
    cv2.putText(labelled, text, (left, bottom), font, scale, white, weight, cv2.LINE_AA)
    return labelled
