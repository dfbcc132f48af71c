"""What is asked of a picture that comes without a word about it: what the operator says, or a header of its own."""

from urllib.parse import parse_qsl

from pydantic import ValidationError

from app.problem import Problem, field_error, field_problem
from app.routes.sending import not_on_offer
from app.service import Service
from app.submission import Submission
from diffam_client.contract.wish import Wish

HEADER = "diffam-wish"
"""`DiffAM-Wish: reference_id=berry&effort=thorough`: fields of POST /v1/jobs, for one picture."""
USUAL = {"output_format": "same"}
"""A PNG of a phone's photo is larger than instances take."""


def wish_for(service: Service, header: str) -> Submission:
    """The wish; without a look, the first on offer. Raises Problem, StoreError."""
    try:
        said = dict(parse_qsl(header, strict_parsing=True)) if header else {}
    except ValueError as error:
        raise Problem("invalid_field", "write it as field=value&field=value", param=HEADER) from error
    if unknown := sorted(said.keys() - Wish.model_fields.keys()):
        raise Problem("invalid_field", f"no picture can be asked for {', '.join(unknown)}", param=HEADER)
    catalog = service.catalog
    first = {"reference_id": catalog.styles[0].reference if catalog.styles else ""}
    try:
        wish = Submission.model_validate(first | USUAL | service.settings.mastodon_wish | said)
    except ValidationError as error:
        raise field_problem([field_error(each) for each in error.errors()]) from error
    refused = not_on_offer(service, catalog, dict(wish))
    if wish.candidates > 1:
        raise Problem("invalid_field", "a post shows one picture of a photo", param="candidates")
    if refused:
        raise field_problem(refused)
    return wish
