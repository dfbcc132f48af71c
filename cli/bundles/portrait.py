"""`diffam models build portrait`: what its maker needs from elsewhere, then its stages."""

from pathlib import Path

from cli.bundles.fetch import console, fetch_published
from cli.bundles.progress import stages_shown
from cli.errors import CliError
from jobs.settings import Settings
from model_store.judges import FOLDER


def make_portrait(people: Path | None, work: Path, jobs: int) -> None:
    """Make the stages that are missing in `work`. Raises CliError without people or the detector, StoreError."""
    from model_store.portrait.build import SOURCES, Maker, build_portrait
    from model_store.published.recognisers.pack import DETECTOR
    from model_store.published.sources import read_sources

    if people is None:
        raise CliError("whose portraits? add --people DIR, a folder with `ai` and `sfhq_t2i` in it")
    settings = Settings()
    detector = settings.shelf / FOLDER / DETECTOR
    if not detector.is_file():
        raise CliError(f"there is no face detector at {detector}: diffam models pull recognisers")
    downloads = settings.data_dir / "downloads" / "portrait"
    if not fetch_published(read_sources(SOURCES), downloads).is_complete:
        raise CliError("without the face mesh nothing teaches where lips and lids are; run it again to fetch it")
    with stages_shown() as on_build:
        build_portrait(Maker(people, detector, downloads), work, on_build, jobs)
    console.print(f"The stages of 'portrait' are in {work}; no bundle is made of them yet.", soft_wrap=True)
