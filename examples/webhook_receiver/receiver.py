"""A server that is told when photos are done, and fetches them.

    WEBHOOK_SECRET=whsec_... OUT=protected uvicorn --factory receiver:create_app --port 9000

`diffam webhooks secret` shows the secret. Jobs that name `webhook_url=https://.../hook` are told of here.
docs/webhooks.md says what comes; any library of https://www.standardwebhooks.com verifies it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from standardwebhooks import Webhook, WebhookVerificationError

from diffam_client import AsyncClient, NotThere

LARGEST_BYTES = 65_536  # a message is a few hundred


def create_app() -> FastAPI:
    """Settings are those of the environment: WEBHOOK_SECRET, OUT, and the client's DIFFAM_SERVER and DIFFAM_API_KEY."""
    secret, out = Webhook(os.environ["WEBHOOK_SECRET"]), Path(os.environ.get("OUT", "protected"))
    taken = out / "taken"
    """An empty file per message: the same one may come twice, also after a restart."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        taken.mkdir(parents=True, exist_ok=True)
        async with AsyncClient() as app.state.service:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/hook")
    async def hook(request: Request) -> dict[str, Any]:
        message = await verified(request, secret)
        if message["type"] == "endpoint.verification":  # are you there, and do you want this?
            return {"challenge": message["data"]["challenge"]}
        note = taken / request.headers["webhook-id"]
        if not note.exists():
            job = message["data"]
            print(f"{job['id']}: {job['status']}", flush=True)
            if (job["kind"], job["status"]) == ("protect", "succeeded"):
                await fetch(app.state.service, job["id"], out)
            note.touch()  # last: should this process die before, the message comes again, and nothing is lost
        return {}

    return app


async def verified(request: Request, secret: Webhook) -> Any:
    """The message, if the service signed it, a few minutes ago at most. Raises HTTPException."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise HTTPException(413)
    try:
        return secret.verify(bytes(body), dict(request.headers))
    except (WebhookVerificationError, ValueError) as error:  # ValueError: bytes or a signature in no form at all
        raise HTTPException(401, "not signed by the service") from error


async def fetch(service: AsyncClient, job_id: str, out: Path) -> None:
    """The job's photo is in `out`. An error answers 500, and the service tells of the job again, later and later."""
    try:
        protected = await service.fetch(await service.get(job_id))
    except NotThere:  # erased or expired meanwhile: asking again brings nothing
        print(f"{job_id}: gone before it was fetched", flush=True)
        return
    protected.save(out / f"{job_id}.{protected.media_type.removeprefix('image/')}")
