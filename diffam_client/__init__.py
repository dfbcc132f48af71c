"""A client of the DiffAM service: a photo in, a protected photo out.

    from diffam_client import Client

    Client("http://127.0.0.1:8000").protect("me.jpg", reference="everyday").save("out.jpg")

`AsyncClient` has the same calls to be awaited. Every error is a `ClientError` with a stable `code`.
"""

from diffam_client.asking import Asked as Asked
from diffam_client.asking import Photo as Photo
from diffam_client.client import AsyncClient as AsyncClient
from diffam_client.client import Client as Client
from diffam_client.contract.job import Event as Event
from diffam_client.contract.job import Job as Job
from diffam_client.contract.limits import Limits as Limits
from diffam_client.contract.offer import Reference as Reference
from diffam_client.contract.offer import Target as Target
from diffam_client.contract.webhook import Deliveries as Deliveries
from diffam_client.errors import AnswerUnreadable as AnswerUnreadable
from diffam_client.errors import BadRequest as BadRequest
from diffam_client.errors import ClientError as ClientError
from diffam_client.errors import Conflict as Conflict
from diffam_client.errors import JobFailed as JobFailed
from diffam_client.errors import KeyRefused as KeyRefused
from diffam_client.errors import NotOver as NotOver
from diffam_client.errors import NotThere as NotThere
from diffam_client.errors import Refused as Refused
from diffam_client.errors import TooMuch as TooMuch
from diffam_client.errors import Unavailable as Unavailable
from diffam_client.errors import Unreachable as Unreachable
from diffam_client.protecting import Picture as Picture
from diffam_client.protecting import Protected as Protected
