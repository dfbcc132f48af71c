"""The framing of a portrait: where the eyes sit in the square crop, the same everywhere in a bundle.

Recognisers, fine-tuning, the product and the renderer of the miniature all use it: a network that learned one framing
judges another one badly.
"""

from dataclasses import dataclass

EYE_MIDDLE = (0.5, 0.46)
"""The point between the eyes, as fractions of the portrait's side; the miniature's."""

EYE_DISTANCE = 0.28
"""Distance between the eye centres, as a fraction of the portrait's side; the miniature's."""


@dataclass(frozen=True)
class Framing:
    """The point between the eyes and their distance, as fractions of a portrait's side."""

    eye_middle: tuple[float, float] = EYE_MIDDLE
    eye_distance: float = EYE_DISTANCE


MINIATURE = Framing()
