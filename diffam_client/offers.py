"""What a service offers: make-up, identities, limits; whether it is ready; and make-up of one's own."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from diffam_client.answers import ask, read, read_job
from diffam_client.asking import Photo, photo_bytes
from diffam_client.calls import once, send
from diffam_client.contract.job import Job
from diffam_client.contract.limits import Limits
from diffam_client.contract.offer import Ready, Reference, References, Target, Targets
from diffam_client.retrying import ONCE
from diffam_client.wire import Wire


async def references(wire: Wire) -> list[Reference]:
    """The make-up that a photo can wear, and towards which targets, the default first. Raises Refused, Unreachable."""
    return read(References, await ask(wire, "GET", "/v1/references")).references


async def add_reference(
    wire: Wire, reference: str, picture: Photo, bare: Photo | None = None, title: str = "", description: str = ""
) -> Job:
    """Make a reference of a picture with make-up; returns the job that does.

    reference: the id it is to have.  picture: one face wearing the make-up.  bare: the same without; else the service
    removes it.  title, description: what people read. Raises Conflict, Refused, Unreachable, OSError.
    """
    files = {"picture": picture} | ({} if bare is None else {"bare": bare})
    asked = {"reference": reference, "title": title, "description": description}
    return await send(wire, "/v1/references", {name: photo_bytes(file) for name, file in files.items()}, asked)


class Training(TypedDict, total=False):
    """How a style is fine-tuned, where it is not as everybody's. surrogates: whom to attack; else all that may be."""

    surrogates: Sequence[str]
    mode: Literal["lora", "full"]
    objective: Literal["impersonate", "dodge", "both"]


async def fine_tune(wire: Wire, reference: str, target: str, held_out: str, **training: Unpack[Training]) -> Job:
    """Fine-tune a reference's style for a target; returns the job, a long one.

    held_out: the recogniser that is not attacked, and judges. Raises Conflict: there is such a style; Refused.
    """
    order: dict[str, Any] = {"target_id": target, "held_out": held_out, **training}
    path = f"/v1/references/{quote(reference, safe='')}/finetune"
    return read_job(await ask(wire, "POST", path, json=order, headers=once()))


async def remove_reference(wire: Wire, reference: str) -> None:
    """Remove a reference that was added, and its styles, once no job wears it. Raises NotThere, Conflict, Refused."""
    await ask(wire, "DELETE", f"/v1/references/{quote(reference, safe='')}")


async def targets(wire: Wire) -> list[Target]:
    """The identities that a protected face can resemble. Raises Refused, Unreachable."""
    return read(Targets, await ask(wire, "GET", "/v1/targets")).targets


async def limits(wire: Wire) -> Limits:
    """Sizes, formats, how long things live, what is left of the key's quota. Raises Refused, Unreachable."""
    return read(Limits, await ask(wire, "GET", "/v1/limits"))


async def health(wire: Wire) -> Ready:
    """How many workers are ready, asked once. Raises Unavailable: a photo sent now would have to wait; Unreachable."""
    return read(Ready, await ask(wire, "GET", "/readyz", extensions=ONCE))
