"""The photos as they are."""

from evaluation.method import Method

METHOD = Method("No protection", "nothing", (), lambda _bundle, subjects, _task, _eps: subjects.photos)
