"""The table of sources: what a published bundle is made of, where each file is, and under which licence."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import get_token, hf_hub_url

from model_store.errors import SourcesInvalid

PUBLISHED = Path(__file__).with_name("sources.toml")


@dataclass(frozen=True)
class Licence:
    """What was granted; `terms` is the sentence to agree to where consent is needed."""

    title: str
    terms: str = ""
    needs_consent: bool = False


@dataclass(frozen=True)
class Part:
    """Something a bundle is made of, by the name of its file there."""

    title: str
    licence: Licence
    source: str


@dataclass(frozen=True)
class Source:
    """A published file: the parts it gives, and either where we fetch it or how the user does (`by_hand`).

    sha256: its digest, or as much of the beginning as was published.
    """

    name: str
    gives: tuple[str, ...]
    address: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    by_hand: str = ""
    instead_of: str = ""
    optional: bool = False
    sha256: str = ""
    size_bytes: int | None = None
    about_bytes: int | None = None

    def is_digest(self, sha256: str) -> bool:
        """Whether a file of this digest may be it; without a published one every file may."""
        return sha256.startswith(self.sha256)


@dataclass(frozen=True)
class Sources:
    """The whole table."""

    bundle: str
    parts: dict[str, Part]
    files: tuple[Source, ...]

    def consents(self, parts: Iterable[str]) -> list[Licence]:
        """The licences of these parts that somebody has to agree to, each once."""
        licences = dict.fromkeys(self.parts[name].licence for name in parts)
        return [licence for licence in licences if licence.needs_consent]

    def giving(self, part: str) -> Source | None:
        """The first file that brings a part."""
        return next((source for source in self.files if part in source.gives), None)

    def whereabouts(self, part: str) -> str:
        """A part by title, file and address, for somebody who lacks it."""
        source = self.giving(part)
        title = self.parts[part].title if part in self.parts else part
        if source is None:
            return title
        return f"{title} ({source.name} from {source.by_hand or source.address})"


def read_sources(path: Path = PUBLISHED) -> Sources:
    """The table in a TOML file. Raises SourcesInvalid, OSError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        licences = {name: Licence(**row) for name, row in table["licences"].items()}
        parts = {
            name: Part(row["title"], licences[row["licence"]], row["source"]) for name, row in table["parts"].items()
        }
        files = tuple(_source(dict(row)) for row in table["files"])
        for source in files:
            for part in source.gives:
                if part not in parts:
                    raise SourcesInvalid(f"{path.name}: {source.name} gives {part!r}, which [parts] does not list")
        return Sources(table["bundle"], parts, files)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise SourcesInvalid(f"{path.name} is no table of sources: {error}") from error
    except KeyError as error:
        raise SourcesInvalid(f"{path.name} lacks {error}; model_store/published/sources.toml shows the form") from error


def _source(row: dict[str, Any]) -> Source:
    """A row of [[files]]; a file on Hugging Face gets its address there, honouring HF_ENDPOINT and the user's token."""
    if repository := row.pop("huggingface", None):
        row["address"] = hf_hub_url(repository, row.pop("path"))
        if token := get_token():
            row["headers"] = (("Authorization", f"Bearer {token}"),)
    row["sha256"] = row.pop("sha256_starts", row.get("sha256", "")).lower()
    if Path(row["name"]).name != row["name"] or row["name"].startswith("."):
        raise ValueError(f"{row['name']!r} is no plain file name")
    if bool(row.get("address")) == bool(row.get("by_hand")):
        raise ValueError(f"{row['name']}: either an address or by_hand says where it is")
    return Source(**{**row, "gives": tuple(row["gives"])})
