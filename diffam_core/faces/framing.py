"""The framing of a portrait: where the eyes sit in the square crop, the same everywhere in a bundle.

Recognisers, fine-tuning and the product all use it: a network that learned one framing judges another one badly.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Framing:
    """The point between the eyes and their distance, as fractions of a portrait's side."""

    eye_middle: tuple[float, float]
    eye_distance: float
