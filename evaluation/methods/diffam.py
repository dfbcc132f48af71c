"""The method of this project: the shipped style of a reference and a target."""

from evaluation.method import Method, protect_with

METHOD = Method(
    "DiffAM (ours)",
    "make-up",
    ("reference", "target", "held_out"),
    lambda bundle, subjects, task, _eps: protect_with(bundle, subjects, task.adapter),
)
