"""The make-up alone: the first stage of fine-tuning, and of a style that is refined afterwards. It misleads nobody."""

from evaluation.method import Method, protect_with

METHOD = Method(
    "Make-up only",
    "make-up",
    ("reference",),
    lambda bundle, subjects, task, _eps: protect_with(bundle, subjects, bundle.find_makeup(task.reference)),
)
