"""The style alone, where a thorough result is refined, too: what `effort=quick` gives."""

from evaluation.method import Method, protect_with

METHOD = Method(
    "Quick",
    "make-up",
    ("reference", "target", "held_out"),
    lambda bundle, subjects, task, _eps: protect_with(bundle, subjects, task.adapter),
)
