"""The refinement alone, on bare photos."""

from evaluation.method import Method, refined

METHOD = Method(
    "Refining only",
    "make-up",
    ("target", "held_out"),
    lambda bundle, subjects, task, _eps: refined(bundle, subjects, task, subjects.photos),
)
