"""Whether a file is a face detector that OpenCV can run."""

from pathlib import Path

from diffam_core.faces.yunet import Yunet
from model_store.errors import CheckpointDamaged


def check_detector(path: Path) -> None:
    """Run it on an empty picture. Raises CheckpointDamaged."""
    try:
        Yunet(path)
    except ValueError as error:
        raise CheckpointDamaged("OpenCV cannot run this as a YuNet face detector; download it again") from error
