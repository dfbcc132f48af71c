"""The bundle that a command works with."""

from rich.console import Console

from jobs.settings import Settings
from model_store.choice import Choice, choose_bundle


def choose(settings: Settings) -> Choice:
    """The bundle of the settings; why it is no better one is told on stderr.

    Raises UnknownBundle, BundleDamaged, JudgeMissing.
    """
    choice = choose_bundle(settings.bundle, settings.shelf, settings.judges)
    if choice.because:
        Console(stderr=True).print(choice.because, soft_wrap=True, highlight=False)
    return choice
