"""What is on offer: make-up references and identities to resemble, from the bundle's manifest."""

from mimetypes import guess_type
from pathlib import Path

from fastapi import APIRouter, Response

from app.openapi.examples import files, shown
from app.openapi.problems import Responses, problems
from app.problem import Problem
from app.service import ServiceDep
from diffam_client.contract.offer import Reference, References, Target, Targets
from model_store.additions import remove_reference, sweep_leaving

router = APIRouter(prefix="/v1", tags=["catalog"])

LEAVING: Responses = {202: {"description": "Jobs still wear it"}}
IMAGE = files("image/png", "image/jpeg", "image/webp") | problems("not_found")


@router.get("/references", responses=shown(200, "references") | problems())
def list_references(service: ServiceDep) -> References:
    """The make-up references a photo can wear."""
    styles = service.catalog.styles
    return References(
        references=[
            Reference(
                id=card.id,
                title=card.title,
                description=card.description,
                image=f"/v1/references/{card.id}/image",
                targets=[style.target for style in styles if style.reference == card.id and style.target is not None],
            )
            for card in service.catalog.references
        ]
    )


@router.get("/references/{reference_id}/image", response_class=Response, responses=IMAGE)
def show_reference(reference_id: str, service: ServiceDep) -> Response:
    """The reference, worn."""
    return _image({card.id: card.image for card in service.catalog.references}, reference_id)


@router.delete(
    "/references/{reference_id}",
    status_code=204,
    responses=LEAVING | problems("not_found", "reference_shipped"),
)
def remove_added_reference(reference_id: str, service: ServiceDep) -> Response:
    """Remove a reference that was added, and its styles. From now on no job can ask for it.

    204: it is gone. 202: jobs that wear it, or fine-tune it, finish first; then it goes.
    """
    if not any(card.id == reference_id for card in service.catalog.references):
        raise Problem("not_found", f"no reference {reference_id!r}")
    remove_reference(service.shipped, service.added, reference_id)
    gone, _ = sweep_leaving(service.added, service.ledger.references_in_use)
    return Response(status_code=204 if reference_id in gone else 202)


@router.get("/targets", responses=shown(200, "targets") | problems())
def list_targets(service: ServiceDep) -> Targets:
    """The identities a protected face can resemble."""
    return Targets(
        targets=[
            Target(id=card.id, title=card.title, consent=card.consent, image=f"/v1/targets/{card.id}/image")
            for card in service.catalog.targets
        ]
    )


@router.get("/targets/{target_id}/image", response_class=Response, responses=IMAGE)
def show_target(target_id: str, service: ServiceDep) -> Response:
    """The identity."""
    return _image({card.id: card.image for card in service.catalog.targets}, target_id)


def _image(images: dict[str, Path], name: str) -> Response:
    if name not in images or not images[name].is_file():
        raise Problem("not_found", f"no image of {name!r}")
    media_type, _ = guess_type(images[name])
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(images[name].read_bytes(), headers=headers, media_type=media_type)
