"""The one framing of a portrait: where the eyes sit in the square crop, everywhere the same.

Recognisers, fine-tuning, the product and the renderer of the miniature all use it: a network that learned one framing
judges another one badly.
"""

EYE_MIDDLE = (0.5, 0.46)
"""The point between the eyes, as fractions of the portrait's side."""

EYE_DISTANCE = 0.28
"""Distance between the eye centres, as a fraction of the portrait's side."""
