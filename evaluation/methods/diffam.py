"""The method of this project, as users get it: a style, and faces refined after it where a bundle does that."""

from diffam_core.images import Photo
from evaluation.method import Method, protect_thoroughly, protect_with
from evaluation.subjects import Subjects
from model_store.bundle import Bundle
from model_store.catalog import StyleCard


def _protect(bundle: Bundle, subjects: Subjects, task: StyleCard, _eps: float) -> list[Photo]:
    if bundle.catalog.refines:
        return protect_thoroughly(bundle, subjects, task)
    return protect_with(bundle, subjects, task.adapter)


METHOD = Method("DiffAM (ours)", "make-up", ("reference", "target", "held_out"), _protect)
