"""What is on offer: make-up references and identities to resemble, from the bundle's manifest."""

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from app.problem import PROBLEMS, Problem
from app.service import ServiceDep
from diffam_client.contract.offer import Reference, References, Target, Targets
from model_store.additions import remove_reference, sweep_leaving

router = APIRouter(prefix="/v1", tags=["catalog"], responses=PROBLEMS)


@router.get("/references")
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


@router.get("/references/{reference_id}/image", response_class=FileResponse)
def show_reference(reference_id: str, service: ServiceDep) -> FileResponse:
    """The reference, worn."""
    return _image({card.id: card.image for card in service.catalog.references}, reference_id)


@router.delete("/references/{reference_id}", status_code=204, responses={202: {"description": "Jobs still wear it"}})
def remove_added_reference(reference_id: str, service: ServiceDep) -> Response:
    """Remove a reference that was added, and its styles. From now on no job can ask for it.

    204: it is gone. 202: jobs that wear it, or fine-tune it, finish first; then it goes.
    """
    if not any(card.id == reference_id for card in service.catalog.references):
        raise Problem("not_found", f"no reference {reference_id!r}")
    remove_reference(service.shipped, service.added, reference_id)
    gone, _ = sweep_leaving(service.added, service.ledger.references_in_use)
    return Response(status_code=204 if reference_id in gone else 202)


@router.get("/targets")
def list_targets(service: ServiceDep) -> Targets:
    """The identities a protected face can resemble."""
    return Targets(
        targets=[
            Target(id=card.id, title=card.title, consent=card.consent, image=f"/v1/targets/{card.id}/image")
            for card in service.catalog.targets
        ]
    )


@router.get("/targets/{target_id}/image", response_class=FileResponse)
def show_target(target_id: str, service: ServiceDep) -> FileResponse:
    """The identity."""
    return _image({card.id: card.image for card in service.catalog.targets}, target_id)


def _image(images: dict[str, Path], name: str) -> FileResponse:
    if name not in images or not images[name].is_file():
        raise Problem("not_found", f"no image of {name!r}")
    return FileResponse(images[name], headers={"Cache-Control": "private, max-age=3600"})
