"""`diffam models build portrait`: what its maker needs from elsewhere, then its stages."""

from pathlib import Path

from cli.bundles.fetch import console, fetch_published
from cli.bundles.progress import stages_shown
from cli.errors import CliError
from jobs.settings import Settings
from model_store.judges import FOLDER


def make_portrait(people: Path | None, work: Path, jobs: int) -> None:
    """Make the stages that are missing in `work`, then the bundle in `work/bundle`.

    Raises CliError without people or the detector, BundleDamaged when that is damaged.
    """
    from model_store.portrait.build import SOURCES, Maker, build_portrait
    from model_store.portrait.listing import write_bundle
    from model_store.published.recognisers.pack import DETECTOR
    from model_store.published.sources import read_sources
    from model_store.recognisers import open_yunet

    if people is None:
        raise CliError("whose portraits? add --people DIR, a folder with `ai` and `sfhq_t2i` in it")
    settings = Settings()
    if open_yunet(settings.shelf / FOLDER) is None:
        raise CliError("there is no face detector here: diffam models pull recognisers")
    downloads = settings.data_dir / "downloads" / "portrait"
    if not fetch_published(read_sources(SOURCES), downloads).is_complete:
        raise CliError("without the face mesh nothing teaches where lips and lids are; run it again to fetch it")
    with stages_shown() as on_build:
        build_portrait(Maker(people, settings.shelf / FOLDER / DETECTOR, downloads), work, on_build, jobs)
    write_bundle(work, work / "bundle")
    console.print(f"Bundle 'portrait' is in {work / 'bundle'}.", soft_wrap=True)
