"""The look alone: the first stage of fine-tuning, which misleads nobody."""

from evaluation.method import Method, wear

METHOD = Method(
    "Make-up only",
    "make-up",
    ("reference",),
    lambda bundle, subjects, task, _eps: wear(bundle, subjects, bundle.find_makeup(task.reference)),
)
