"""What a service offers: make-up, identities, limits; whether it is ready; and make-up of one's own."""

from diffam_client.answers import ask, read
from diffam_client.contract.limits import Limits
from diffam_client.contract.offer import Ready, Reference, References, Target, Targets
from diffam_client.retrying import ONCE
from diffam_client.wire import Wire


async def references(wire: Wire) -> list[Reference]:
    """The make-up that a photo can wear, and towards which targets, the default first. Raises Refused, Unreachable."""
    return read(References, await ask(wire, "GET", "/v1/references")).references


async def targets(wire: Wire) -> list[Target]:
    """The identities that a protected face can resemble. Raises Refused, Unreachable."""
    return read(Targets, await ask(wire, "GET", "/v1/targets")).targets


async def limits(wire: Wire) -> Limits:
    """Sizes, formats, how long things live, what is left of the key's quota. Raises Refused, Unreachable."""
    return read(Limits, await ask(wire, "GET", "/v1/limits"))


async def health(wire: Wire) -> Ready:
    """How many workers are ready, asked once. Raises Unavailable: a photo sent now would have to wait; Unreachable."""
    return read(Ready, await ask(wire, "GET", "/readyz", extensions=ONCE))
