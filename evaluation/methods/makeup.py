"""The look alone: the first stage of fine-tuning, which misleads nobody."""

from diffam_core.images import Photo
from evaluation.method import Method, wear
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard
from model_store.errors import StyleNotTrained


def _protect(bundle: Bundle, subjects: Subjects, task: StyleCard, _eps: float) -> list[Photo]:
    card = next(card for card in bundle.catalog.references if card.id == task.reference)
    if card.makeup is None:
        raise StyleNotTrained(f"reference {task.reference!r} has no style without a target")
    return wear(bundle, subjects, task.reference)


METHOD = Method("Make-up only", "make-up", ("reference",), _protect)
