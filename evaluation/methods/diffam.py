"""The method of this project: the shipped style of a look and a target."""

from evaluation.method import Method, wear
from model_store.bundle import style_name

METHOD = Method(
    "DiffAM (ours)",
    "make-up",
    ("reference", "target", "held_out"),
    lambda bundle, subjects, task, _eps: wear(bundle, subjects, style_name(task.reference, task.target)),
)
