"""What is on offer: make-up to wear, identities to resemble, and a service that is ready."""

from pydantic import BaseModel


class Reference(BaseModel):
    """A make-up reference; `targets` are the identities it has a style for, the first one being the default."""

    id: str
    title: str
    description: str
    image: str
    targets: list[str]


class Target(BaseModel):
    """An identity that protected faces resemble; `consent` says why it may be used."""

    id: str
    title: str
    consent: str
    image: str


class References(BaseModel):
    """All references on offer."""

    references: list[Reference]


class Targets(BaseModel):
    """All identities on offer."""

    targets: list[Target]


class Ready(BaseModel):
    """Redis takes writes and `workers` warm workers showed a sign of life within a lease."""

    status: str = "ready"
    workers: int
    bundle: str
