"""Opens a chosen bundle together with what was pulled for it: recognisers that judge, and the face detector."""

from collections.abc import Sequence
from pathlib import Path

from model_store.bundle import Bundle, open_bundle
from model_store.choice import Choice
from model_store.recognisers import open_judges, open_yunet


def open_chosen(
    choice: Choice, device: str = "cpu", added: Path | None = None, judges: Sequence[str] | None = None
) -> Bundle:
    """Verify and load a bundle. Raises UnknownBundle, BundleDamaged, RecognisersMissing.

    added: the folder of references and styles added to it.  judges: of the recognisers that may judge, those that are
    needed, all of them with None; a bundle that refines faces on them needs all.
    """
    wanted = choice.judging if judges is None or choice.catalog.refines else judges
    opened = open_judges(choice.recognisers, wanted, device)
    yunet = open_yunet(choice.recognisers) if opened is None else opened.landmarks
    return open_bundle(choice.folder, device, added, opened, yunet)
