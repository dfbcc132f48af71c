"""Every setting of the service, read once from the environment (`DIFFAM_*`) or a `.env` file.

Built in `main()` and handed down; nothing reads the environment later. `.env.example` mirrors the defaults.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from diffam_client.contract.wish import Wish

Port = Annotated[int, Field(ge=0, le=65535)]


def _origin(url: str) -> str:
    """Of a server that people's tokens are sent to. Raises ValueError."""
    parts = urlsplit(url.rstrip("/"))
    has_name_alone = bool(parts.hostname) and url.rstrip("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in url
    if parts.scheme not in ("https", "http") or not has_name_alone:
        raise ValueError("write the instance as https://social.example.org, without a path")
    if parts.scheme == "http" and not _is_here(str(parts.hostname)):
        raise ValueError("tokens go to the instance, so it must be reached by https; http is for this machine alone")
    return url.rstrip("/")


def _is_here(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


Origin = Annotated[str, AfterValidator(_origin)]


class Settings(BaseSettings):
    """Frozen; units are in the names. `None` means: decided where it is used, as the comment says."""

    model_config = SettingsConfigDict(env_prefix="DIFFAM_", env_file=".env", frozen=True, extra="ignore")

    # Where things are
    redis_url: str | None = Field(default=None, repr=False)  # None: `diffam up` starts an embedded Valkey
    data_dir: Path = Path(".diffam")
    bundle: str = "auto"  # the best that this machine can run: `portrait` where enough recognisers are, else `mini`
    bundles_dir: Path | None = None  # None: `bundles` in the data folder; then the shipped ones
    judges: tuple[str, ...] | None = None  # of libraries: they measure, faces are refined on them; None: all
    looks_dir: Path | None = None  # None: `looks` in the data folder; web and workers must share it
    keys_file: Path | None = None  # None: `keys.json` in the data folder; once it is there, nobody asks without a key
    webhooks_file: Path | None = None  # None: `webhooks.json` in the data folder; what nobody signs is not sent
    host: str = "127.0.0.1"
    port: Port = 8000
    behind_proxy: bool = False  # True: something else guards the door, so `host` may be more than this machine
    allowed_hosts: tuple[str, ...] = ()  # beside this machine's own names
    allowed_origins: tuple[str, ...] = ()  # of web pages that may call this service from elsewhere
    page: bool = True  # the pages at `/` and `/admin`; False: `/` leads to /docs
    api_key: SecretStr | None = None  # the command line's, where `--server` asks for keys
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # What an upload may be
    max_upload_bytes: PositiveInt = 20 * 1024 * 1024
    max_pixels: PositiveInt = 50_000_000
    max_side_px: PositiveInt = 16_384
    min_side_px: PositiveInt = 64
    extra_formats: tuple[Literal["avif", "heic"], ...] = ()  # beside JPEG, PNG and WebP: each is one more decoder
    max_uploads: Annotated[int, Field(ge=4)] = 64
    max_uploading_bytes: PositiveInt | None = None  # None: six times `max_upload_bytes`
    upload_timeout_s: PositiveFloat = 60
    head_timeout_s: PositiveFloat = 10
    keep_alive_s: PositiveInt = 5
    decode_timeout_s: PositiveFloat = 60
    decode_processes: PositiveInt = 2
    max_wait_s: PositiveInt = 30

    # How long things live
    result_ttl_s: PositiveInt = 3600
    max_result_ttl_s: PositiveInt = 24 * 3600  # the longest that a client may ask for
    tombstone_ttl_s: PositiveInt = 600
    retry_ttl_s: NonNegativeInt = 600  # of the photo of a job that a retry may still bring to a good end; 0: none
    queue_timeout_s: PositiveInt = 3600
    forget_s: PositiveFloat = 60  # the bound for what was erased to leave the files of Redis, while the web runs

    # How the ledger keeps its promises
    lease_s: PositiveInt = 30
    max_attempts: PositiveInt = 3
    max_queued: PositiveInt = 1000
    reap_every_s: PositiveFloat = 3
    ring_again_s: PositiveInt = 10

    # How webhooks are told
    public_url: str | None = None  # how receivers reach this service: put before a job's address in what they are told
    webhook_timeout_s: PositiveFloat = 15
    webhook_retry_s: PositiveFloat = 3  # before the second attempt; each pause is twice the one before
    webhook_loopback: bool = False  # True: also this machine's own addresses, by HTTP: to try things out

    # Mastodon's media API in front of an instance (docs/mastodon.md)
    mastodon_url: Origin | None = None  # https://social.example.org; None: there is no such address here
    mastodon_wish: dict[str, str] = {}  # fields of POST /v1/jobs; what is not said is as there
    mastodon_films: Literal["refuse", "pass"] = "refuse"  # GIFs, films and sound, which nothing here protects
    mastodon_other: Literal["pass", "refuse"] = "pass"  # calls that are not about pictures
    mastodon_timeout_s: PositiveFloat = 30

    # How a worker runs
    device: str = "cpu"
    batch_size: PositiveInt = 4
    batch_wait_ms: PositiveInt = 30
    batch_timeout_s: PositiveFloat = 300
    max_faces: PositiveInt = 16  # that one job protects; the rest is reported
    worker_threads: PositiveInt = 8
    torch_threads: PositiveInt | None = None  # None: torch decides

    # How styles are fine-tuned
    finetune_makeup_steps: PositiveInt = 100
    finetune_steps: PositiveInt = 240
    finetune_photos: Annotated[int, Field(ge=4)] = 192
    finetune_timeout_s: PositiveInt = 6 * 3600
    dataset: Literal["celebahq", "mt", "ladn"] | None = None  # None: the portraits that the bundle describes
    dataset_dir: Path | None = None
    people_dir: Path | None = None  # folders of people to measure on, by name

    # Commercial verifiers, asked only by `diffam evaluate --verifier`, one key each; None: not subscribed
    facepp_url: str = "https://api-us.faceplusplus.com"
    facepp_api_key: SecretStr | None = None
    facepp_api_secret: SecretStr | None = None
    facepp_per_second: PositiveFloat = 1
    aliyun_url: str = "https://facebody.cn-shanghai.aliyuncs.com"
    aliyun_access_key_id: SecretStr | None = None
    aliyun_access_key_secret: SecretStr | None = None
    aliyun_per_second: PositiveFloat = 2

    @field_validator("mastodon_wish")
    @classmethod
    def _is_a_wish(cls, fields: dict[str, str]) -> dict[str, str]:
        Wish.model_validate({"reference_id": "any"} | fields)
        return fields

    @model_validator(mode="after")
    def _has_room_for_an_upload(self) -> Self:
        if self.uploading_bytes < 2 * self.max_upload_bytes:
            raise ValueError("DIFFAM_MAX_UPLOADING_BYTES must be at least twice DIFFAM_MAX_UPLOAD_BYTES")
        return self

    @property
    def uploading_bytes(self) -> int:
        """How many bytes all uploads under way may have together."""
        return self.max_uploading_bytes or 6 * self.max_upload_bytes

    @property
    def shelf(self) -> Path:
        """Where bundles made at run time are kept, and looked for before the shipped ones."""
        return self.bundles_dir or self.data_dir / "bundles"

    @property
    def keys(self) -> Path:
        """The file of the API's keys."""
        return self.keys_file or self.data_dir / "keys.json"

    @property
    def webhooks(self) -> Path:
        """The file of the secrets that sign webhooks."""
        return self.webhooks_file or self.data_dir / "webhooks.json"

    def added_to(self, bundle: str) -> Path:
        """Where looks and styles added to a bundle are kept."""
        return (self.looks_dir or self.data_dir / "looks") / bundle
