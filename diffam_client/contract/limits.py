"""What holds at a service: sizes, formats, how long things live, how much a key may ask for."""

from pydantic import BaseModel, ConfigDict, Field


class PhotoLimits(BaseModel):
    """What an upload may be."""

    max_bytes: int = Field(description="Size of the file")
    max_pixels: int = Field(description="Width times height")
    max_side_px: int = Field(description="Longest side")
    min_side_px: int = Field(description="Shortest side")
    formats: list[str] = Field(description="Told by the first bytes, not by the name")


class JobLimits(BaseModel):
    """What one job may ask for, and how many there may be."""

    output_formats: list[str] = Field(description="What `output_format` may be")
    max_faces: int = Field(description="Faces that one job protects; others are reported")
    max_candidates: int = Field(description="Pictures to choose from")
    max_wait_s: int = Field(description="The longest `Prefer: wait=n` that is honoured")
    max_queued: int = Field(description="Jobs that may wait; beyond, 503 `queue_full`")
    max_uploads: int = Field(description="Uploads under way at once; beyond, 503 `too_many_uploads`")


class Retention(BaseModel):
    """How long things live, in seconds."""

    result_ttl_s: int = Field(description="A result after the job's end, unless `ttl_s` says otherwise")
    max_ttl_s: int = Field(description="The most that `ttl_s` may say")
    retry_ttl_s: int = Field(description="The photo of a job that may be retried, after its end; every other goes then")
    queue_timeout_s: int = Field(description="A job that nobody begins, until it fails")
    idempotency_key_s: int = Field(description="How long a request is known by its key, at least")
    forget_s: float = Field(description="Erased bytes in the files of the store, at most")


class Quota(BaseModel):
    """How much a key may ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int = Field(600, ge=1, description="Of any kind")
    jobs_at_once: int = Field(50, ge=1, description="That wait or run")
    bytes_per_day: int = Field(2 * 1024**3, ge=1, description="Of uploads")


class KeyQuota(Quota):
    """How much your key may ask for, and what is left of it."""

    requests_left: int = Field(description="In this minute")
    jobs_now: int = Field(description="That wait or run")
    bytes_left: int = Field(description="In these 24 hours")


class Limits(BaseModel):
    """What holds for everybody, and for your key."""

    photo: PhotoLimits = Field(description="What an upload may be")
    job: JobLimits = Field(description="What one job may ask for, and how many there may be")
    retention: Retention = Field(description="How long things live")
    quota: KeyQuota | None = Field(description="Of your key; null where nobody needs one")
    seconds_per_photo: float | None = Field(
        description="Between the ends of photos lately, while there was work; null before the first"
    )
