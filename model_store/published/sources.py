"""The tables of sources: what published bundles are made of, where each file is, and under which licence."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import get_token, hf_hub_url

from model_store.errors import SourcesInvalid

PUBLISHED = Path(__file__).with_name("sources.toml")
TABLES = {"celebahq-256": PUBLISHED, "recognisers": PUBLISHED.parent / "recognisers" / "sources.toml"}
"""The tables that come with this project, by what they bring."""
NPM_CDN = "https://cdn.jsdelivr.net/npm"
PIP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NPM_NAME = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!_-]*")
"""These three become words of a command, so none may begin like an option."""


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
    """A published file: the parts it gives, and where it is.

    address: where HTTPS has it, or the archive that has it as `member`.  pip, npm: the package that has it, in one
    `version`; npm's has an address too, that of the member alone.  by_hand: where the user fetches it.
    sha256: the file's digest, or as much of the beginning as was published; whole for members.
    """

    name: str
    gives: tuple[str, ...]
    address: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    pip: str = ""
    npm: str = ""
    version: str = ""
    member: str = ""
    by_hand: str = ""
    instead_of: str = ""
    optional: bool = False
    sha256: str = ""
    size_bytes: int | None = None
    about_bytes: int | None = None

    def is_digest(self, sha256: str) -> bool:
        """Whether a file of this digest may be it; without a published one every file may."""
        return sha256.startswith(self.sha256)

    @property
    def package(self) -> str:
        """The package or archive that it is a member of, as people write it; "" where it stands alone."""
        if self.pip:
            return f"{self.pip}=={self.version}"
        if self.npm:
            return f"{self.npm}@{self.version}"
        return PurePosixPath(self.address).name if self.member else ""

    @property
    def whereabouts(self) -> str:
        """Where it is, for people."""
        if self.pip or self.npm:
            return f"the {'pip' if self.pip else 'npm'} package {self.package}"
        return self.by_hand or self.address


@dataclass(frozen=True)
class Sources:
    """The whole table.

    is_collection: every part is of use without the others, so that all are fetched and none is needed.
    """

    bundle: str
    parts: dict[str, Part]
    files: tuple[Source, ...]
    is_collection: bool = False

    def consents(self, parts: Iterable[str]) -> list[Licence]:
        """The licences of these parts that somebody has to agree to, each once."""
        licences = dict.fromkeys(self.parts[name].licence for name in parts)
        return [licence for licence in licences if licence.needs_consent]

    def alternatives(self) -> list[list[Source]]:
        """The files, those that stand in for each other together, in the order in which they are tried."""
        groups: dict[str, list[Source]] = {}
        for source in self.files:
            group = groups.get(source.instead_of, [])
            group.append(source)
            groups[source.name] = group
        return list({id(group): group for group in groups.values()}.values())

    def giving(self, part: str) -> Source | None:
        """The first file that brings a part."""
        return next((source for source in self.files if part in source.gives), None)

    def whereabouts(self, part: str) -> str:
        """A part by title, file and address, for somebody who lacks it."""
        source = self.giving(part)
        title = self.parts[part].title if part in self.parts else part
        if source is None:
            return title
        return f"{title} ({source.name} from {source.whereabouts})"


def read_sources(path: Path = PUBLISHED) -> Sources:
    """The table in a TOML file. Raises SourcesInvalid, OSError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        licences = {name: Licence(**row) for name, row in table["licences"].items()}
        parts = {
            name: Part(row["title"], licences[row["licence"]], row["source"]) for name, row in table["parts"].items()
        }
        is_collection = bool(table.get("collection", False))
        cdn = table.get("npm_cdn", NPM_CDN).rstrip("/")
        files = tuple(_source({"optional": is_collection, **row}, cdn) for row in table["files"])
        _check_files(files, parts)
        return Sources(table["bundle"], parts, files, is_collection)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError, AttributeError) as error:
        raise SourcesInvalid(f"{path.name} is no table of sources: {error}") from error
    except KeyError as error:
        raise SourcesInvalid(f"{path.name} lacks {error}; model_store/published/sources.toml shows the form") from error


def _source(row: dict[str, Any], cdn: str) -> Source:
    """A row of [[files]].

    A file on Hugging Face gets its address there, honouring HF_ENDPOINT and the user's token; a member of an npm
    package the address at which `cdn` has it.
    """
    if repository := row.pop("huggingface", None):
        row["address"] = hf_hub_url(repository, row.pop("path"))
        if token := get_token():
            row["headers"] = (("Authorization", f"Bearer {token}"),)
    row["sha256"] = row.pop("sha256_starts", row.get("sha256", "")).lower()
    if "member" in row:
        row.setdefault("name", PurePosixPath(row["member"]).name)
    if Path(row["name"]).name != row["name"] or row["name"].startswith("."):
        raise ValueError(f"{row['name']!r} is no plain file name")
    if sum(bool(row.get(way)) for way in ("address", "pip", "npm", "by_hand")) != 1:
        raise ValueError(f"{row['name']}: one of address, pip, npm and by_hand says where it is")
    _check_member(row)
    if row.get("npm"):
        inside = row["member"].partition("/")[2]
        row["address"] = f"{cdn}/{row['npm']}@{row['version']}/{inside}"
    return Source(**{**row, "gives": tuple(row["gives"])})


def _check_member(row: dict[str, Any]) -> None:
    """A package is believed for the digest of what is taken out of it, and for nothing else."""
    name, is_package = row["name"], bool(row.get("pip") or row.get("npm"))
    if is_package and not (row.get("version") and row.get("member")):
        raise ValueError(f"{name}: a package needs its version and the member to take out of it")
    if row.get("npm") and "/" not in row["member"]:
        raise ValueError(f"{name}: members of npm packages lie in a folder, mostly `package/`")
    if row.get("member") and not re.fullmatch("[0-9a-f]{64}", row["sha256"]):
        raise ValueError(f"{name}: the member of a package or archive needs its whole sha256")
    rules = {"pip": PIP_NAME, "npm": NPM_NAME, "version": VERSION}
    for key in rules.keys() & row.keys():
        if not rules[key].fullmatch(row[key]):
            raise ValueError(f"{name}: {row[key]!r} is no {key} {'' if key == 'version' else 'package'}".rstrip())


def _check_files(files: tuple[Source, ...], parts: dict[str, Part]) -> None:
    """Every part that is given is listed; a stand-in comes after what it stands in for, and may bear the same name."""
    above: set[str] = set()
    for source in files:
        for part in source.gives:
            if part not in parts:
                raise ValueError(f"{source.name} gives {part!r}, which [parts] does not list")
        if source.instead_of and source.instead_of not in above:
            raise ValueError(f"{source.name} stands in for {source.instead_of!r}, which is no file above it")
        if source.name in above and source.instead_of != source.name:
            raise ValueError(f"{source.name} is there twice")
        above.add(source.name)
