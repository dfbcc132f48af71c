"""`diffam models build portrait`: what its maker needs from elsewhere, then its stages."""

from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import CliError
from jobs.settings import Settings
from model_store.judges import FOLDER

if TYPE_CHECKING:
    from model_store.training.stages import OnBuild


def make_portrait(people: Path | None, work: Path, on_build: "OnBuild", jobs: int) -> None:
    """Make the stages that are missing in `work`. Raises CliError without people or the detector, StoreError."""
    from model_store.portrait.build import Maker, build_portrait
    from model_store.published.recognisers.pack import DETECTOR

    if people is None:
        raise CliError("whose portraits? add --people DIR, a folder with `ai` and `sfhq_t2i` in it")
    detector = Settings().shelf / FOLDER / DETECTOR
    if not detector.is_file():
        raise CliError(f"there is no face detector at {detector}: diffam models pull recognisers")
    build_portrait(Maker(people, detector), work, on_build, jobs)
