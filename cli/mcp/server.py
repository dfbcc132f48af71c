"""What an assistant can do: ask for the looks, protect a photo. It is a client of the service like others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from logging import INFO
from pathlib import Path
from typing import Annotated

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.tools import ToolResult
from fastmcp.utilities.types import Image
from mcp_types import ImageContent, TextContent
from pydantic import BaseModel, Field

from cli.errors import CliError
from cli.mcp.folder import photo_in, place_in, write_new
from cli.mcp.telling import told
from cli.wishes import format_of
from diffam_client import AsyncClient, ClientError, Event, Job, Unavailable, Unreachable

READS, WRITES = {"readOnlyHint": True}, {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False}
PhotoName = Annotated[str, Field(description="The photo, by its path in the folder")]
LookId = Annotated[str, Field(description="The make-up to wear: an id that `list_looks` gave")]
OutName = Annotated[
    str | None,
    Field(description="Where to write the protected photo, beside the photo with `-protected` in its name by default"),
]


@dataclass(frozen=True)
class Desk:
    """What an assistant works with.

    folder: resolved; it reads and writes nowhere else.  url: of the service; None: as `Client()` finds it.
    is_shown: pictures go to the assistant, too.
    """

    folder: Path
    url: str | None
    is_shown: bool


class Look(BaseModel):
    """Make-up on offer."""

    id: str
    title: str
    description: str


class Made(BaseModel):
    """What became of a photo. report: for people."""

    path: str
    report: str


def assistant_server(desk: Desk) -> FastMCP:
    """The server, which runs until its input ends."""
    server = FastMCP(
        "diffam",
        instructions=f"Protects photos of people from face recognition, by make-up. Photos lie in {desk.folder}, and "
        "paths are relative to it. No file is ever changed: a protected photo is a new one. What its report says was "
        "measured on that photo and is no promise: pass it on so.",
        mask_error_details=True,
        strict_input_validation=True,
    )

    @server.tool(annotations=READS)
    async def list_looks() -> list[Look]:
        """The make-up that a photo can wear. Let the person choose, unless they said which."""
        async with service_at(desk.url) as service:
            return [Look(**each.model_dump(include={*Look.model_fields})) for each in await service.references()]

    @server.tool(annotations=WRITES, output_schema=Made.model_json_schema())
    async def protect_photo(photo: PhotoName, look: LookId, context: Context, out: OutName = None) -> ToolResult:
        """Write a copy of a photo in which faces wear make-up that misleads face recognition.

        Every face that can be protected is; the report says how well each one is. It takes seconds to minutes.
        """

        async def tell(event: Event) -> None:
            if progress := event.progress:
                await context.report_progress(progress.fraction, 1, progress.stage)

        async with service_at(desk.url) as service:
            source = photo_in(desk.folder, photo)
            place = place_in(desk.folder, out or str(source.with_stem(f"{source.stem}-protected")))
            done = await service.protect(source, tell, reference=look, output_format=format_of(place.suffix))
            try:
                shown = [await comparison(service, done.job)] if desk.is_shown else []
                write_new(place, done.photo)
            finally:
                with suppress(ClientError):  # what cannot be erased goes when it expires
                    await service.erase(done.job)
        made = Made(path=str(place), report=told(place, done))
        return ToolResult([TextContent(text=made.report), *shown], made)

    return server


async def comparison(service: AsyncClient, job: Job) -> ImageContent:
    """The picture before and after, side by side."""
    return Image(data=await service.comparison(job), format="jpeg").to_image_content()


@asynccontextmanager
async def service_at(url: str | None) -> AsyncIterator[AsyncClient]:
    """The service, if it is there. What goes wrong meanwhile is told the assistant in a sentence. Raises ToolError."""
    try:
        async with AsyncClient(url) as service:
            with suppress(Unavailable):  # a worker that still starts is waited for, as a photo is
                await service.health()  # asked once: where nobody is, that is told at once
            yield service
    except Unreachable as error:
        hint = "`diffam up` starts a service on this machine; `diffam mcp --server URL` asks one elsewhere"
        raise _sentence(f"{error.message}. {hint}") from error
    except (CliError, ClientError, OSError, ValueError) as error:  # ValueError: the service's URL is none
        raise _sentence(str(error)) from error


def _sentence(text: str) -> ToolError:
    return ToolError(text, log_level=INFO)  # the assistant is told, so nobody needs a traceback
