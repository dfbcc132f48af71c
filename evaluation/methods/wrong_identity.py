"""Control: photos protected for another target than the one they are judged by. It must not work."""

from dataclasses import replace

from diffam_core.images import Photo
from evaluation.method import Method, protect_thoroughly, protect_with
from evaluation.subjects import Subjects
from model_store.bundle import Bundle, style_name
from model_store.catalog import StyleCard
from model_store.errors import StyleNotTrained


def _protect(bundle: Bundle, subjects: Subjects, task: StyleCard, _eps: float) -> list[Photo]:
    known = [style.target for style in bundle.catalog.styles if style.reference == task.reference]
    trained = [target for target in dict.fromkeys(known) if target is not None]
    others = [target for target in trained if target != task.target]
    if not others:
        raise StyleNotTrained(f"reference {task.reference!r} has a style for {task.target!r} only")
    later = [target for target in others if trained.index(target) > trained.index(task.identity)]
    wrong = (later or others)[0]
    if bundle.catalog.refines:
        style = bundle.find_style(task.reference, wrong)
        task = replace(style, held_out=task.held_out, surrogates=task.surrogates)
        return protect_thoroughly(bundle, subjects, task)
    return protect_with(bundle, subjects, style_name(task.reference, wrong))


METHOD = Method("Wrong identity", "control", ("reference", "target", "held_out"), _protect)
