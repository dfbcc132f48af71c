"""Control: photos protected for another target than the one they are judged by. It must not work."""

from diffam_core.images import Photo
from evaluation.method import Method, protect_with
from evaluation.subjects import Subjects
from model_store.bundle import Bundle, style_name
from model_store.catalog import StyleCard
from model_store.errors import StyleNotTrained


def _protect(bundle: Bundle, subjects: Subjects, task: StyleCard, _eps: float) -> list[Photo]:
    trained = [style.identity for style in bundle.catalog.styles if style.reference == task.reference]
    others = [target for target in trained if target != task.target]
    if not others:
        raise StyleNotTrained(f"reference {task.reference!r} has a style for {task.target!r} only")
    later = [target for target in others if trained.index(target) > trained.index(task.identity)]
    return protect_with(bundle, subjects, style_name(task.reference, (later or others)[0]))


METHOD = Method("Wrong identity", "control", ("reference", "target"), _protect)
