"""Every code that the service can answer with, in a problem document, a failed job or a face that was left alone.

One line a code, and `/problems/{code}` tells it to whoever asks. Nothing here is said twice elsewhere.
"""

from collections.abc import Mapping
from typing import NamedTuple

IN_A_JOB = 200  # the code stands in a job, or in one of its faces, and reading that job is no error


class Fact(NamedTuple):
    """What a code means, over HTTP and to people; `param` is the form field at fault."""

    status: int
    explanation: str
    param: str | None = None
    is_retryable: bool = False


FACTS: Mapping[str, Fact] = {
    # The request itself
    "malformed_request": Fact(400, "The request, or the form in it, does not follow the rules of its format."),
    "key_missing": Fact(401, "The service asks for a key, and the request brought none: `Authorization: Bearer ...`."),
    "key_refused": Fact(401, "The key is not known here, or was revoked."),
    "scope_missing": Fact(403, "The key may do other things than this; its operator can make one that may."),
    "origin_not_allowed": Fact(403, "A web page of another origin sent this; DIFFAM_ALLOWED_ORIGINS lists such pages."),
    "listing_closed": Fact(
        403,
        "Without keys, jobs are listed only where the people of this machine alone can ask; never for a public key.",
    ),
    "not_found": Fact(404, "Nothing is at this address."),
    "method_not_allowed": Fact(405, "The address exists, but not with this method; `Allow` names those it has."),
    "upload_too_slow": Fact(408, "The request did not arrive in the time it had.", is_retryable=True),
    "upload_too_large": Fact(413, "The upload has more bytes than DIFFAM_MAX_UPLOAD_BYTES allows.", "photo"),
    "media_type_unsupported": Fact(415, "The body has a type or an encoding that this call does not read."),
    "host_not_allowed": Fact(421, "The `Host` header names a host that is not ours; DIFFAM_ALLOWED_HOSTS lists them."),
    "missing_field": Fact(422, "A field that is needed was not sent."),
    "invalid_field": Fact(422, "A field has a value that it cannot have, was sent twice, or does not exist."),
    "rate_exceeded": Fact(429, "The key has made as many requests as it may in a minute.", is_retryable=True),
    "wrong_keys_exceeded": Fact(
        429, "More wrong keys came from this address than may in a minute; a right one is let in.", is_retryable=True
    ),
    "bytes_exceeded": Fact(429, "The upload is more than the key may still upload on this day.", is_retryable=True),
    "too_many_jobs": Fact(429, "As many jobs of the key wait or run as may at once.", is_retryable=True),
    # A Mastodon instance behind this service
    "not_passed_on": Fact(
        403, "This service protects pictures for a Mastodon instance, and does not pass this call on."
    ),
    "media_refused": Fact(422, "Pictures come one by one to /api/v2/media, where they are protected, or not at all."),
    "film_refused": Fact(415, "GIFs, films and sound cannot be protected, and are not passed on.", "file"),
    "media_not_ready": Fact(422, "A picture is still being protected; send this again in a moment.", is_retryable=True),
    "media_failed": Fact(422, "The picture could not be protected, so the instance is not given it."),
    "instance_unreachable": Fact(502, "The Mastodon instance does not answer as one.", is_retryable=True),
    # The photo
    "photo_too_large": Fact(413, "The photo has more pixels than the service decodes.", "photo"),
    "photo_format_unsupported": Fact(415, "The first bytes of the photo belong to no format that is taken.", "photo"),
    "photo_empty": Fact(422, "The photo has no bytes.", "photo"),
    "photo_damaged": Fact(422, "The photo is truncated or cannot be decoded.", "photo"),
    "photo_animated": Fact(422, "The photo has several frames; send a single picture.", "photo"),
    "photo_too_small": Fact(422, "The photo has too few pixels for a face.", "photo"),
    "photo_transparent": Fact(422, "Every pixel of the photo is transparent.", "photo"),
    # References, targets and styles
    "judge_missing": Fact(422, "No recogniser of this name judges photos here; leave `judges` out.", "judges"),
    "unknown_reference": Fact(422, "No make-up reference has this id; /v1/references lists them.", "reference_id"),
    "unknown_target": Fact(422, "No target identity has this id; /v1/targets lists them.", "target_id"),
    "unknown_recogniser": Fact(422, "No recogniser of this name may be held out or attacked.", "held_out"),
    "effort_unavailable": Fact(422, "These models refine no faces; ask for a quick result.", "effort"),
    "style_not_trained": Fact(422, "The reference has no style for this target yet; fine-tune one.", "target_id"),
    "style_exists": Fact(409, "The reference has a style for this target already.", "target_id"),
    "held_out_attacked": Fact(422, "The recogniser to hold out is among those to attack.", "held_out"),
    "reference_exists": Fact(409, "A reference of this id is there already.", "reference_id"),
    "reference_shipped": Fact(409, "The reference belongs to the models and cannot be removed.", "reference_id"),
    "name_invalid": Fact(422, "Such ids are 1 to 40 lower-case letters, digits and underscores.", "reference_id"),
    # The job
    "unknown_job": Fact(404, "No job has this id, or it is not yours."),
    "erased_job": Fact(410, "The job was erased or has expired; nothing of it is left."),
    "job_exists": Fact(409, "The id belongs to a job of another photo or wish; choose a new one.", "job_id"),
    "idempotency_key_reused": Fact(422, "The key came with another photo or wish before.", "idempotency-key"),
    "request_in_progress": Fact(409, "The same request is being read at this moment.", is_retryable=True),
    "result_not_ready": Fact(409, "The job is not over yet; come back.", is_retryable=True),
    "job_failed": Fact(409, "The job failed, so it has no result; its `error` says why."),
    "job_not_retryable": Fact(409, "The job waits, runs, succeeded or failed for good, or its photo is gone."),
    "not_redeliverable": Fact(409, "The job has no webhook, or nothing has happened that this one is to be told."),
    "webhook_forbidden": Fact(422, "Messages go by https, to public addresses alone.", "webhook_url"),
    "webhook_disabled": Fact(
        422,
        "The endpoint answered 410 in the last 24 hours; redeliver an earlier job to it, or name another.",
        "webhook_url",
    ),
    "webhooks_off": Fact(
        422,
        "The operator has made no secret to sign webhooks of your key with: `diffam webhooks secret`.",
        "webhook_url",
    ),
    "job_over": Fact(409, "The job has ended, so it cannot be canceled."),
    # The service
    "internal": Fact(500, "An error of ours; the operator finds it in the log under the request id."),
    "too_many_uploads": Fact(503, "Too many uploads are under way; none of this one was read.", is_retryable=True),
    "queue_full": Fact(503, "Too many jobs wait.", is_retryable=True),
    "store_full": Fact(503, "The store of jobs has no room, in memory or on its disk.", is_retryable=True),
    "keys_damaged": Fact(503, "The file of keys cannot be read, so nobody is let in.", is_retryable=True),
    "webhook_secrets_damaged": Fact(
        503, "The file of the secrets that sign webhooks cannot be read.", is_retryable=True
    ),
    "ledger_unavailable": Fact(503, "The store of jobs cannot be reached.", is_retryable=True),
    "no_worker": Fact(503, "No warm worker has shown a sign of life lately.", is_retryable=True),
    "shutting_down": Fact(503, "The service is stopping; another one may take the request.", is_retryable=True),
    "not_in_time": Fact(504, "The job was not over in the time that the answer could wait.", is_retryable=True),
    # Why a job failed
    "no_face_found": Fact(IN_A_JOB, "No face was found in the photo."),
    "face_too_small": Fact(IN_A_JOB, "The face has too few pixels to carry make-up."),
    "face_in_profile": Fact(IN_A_JOB, "The face is seen from the side."),
    "face_unknown": Fact(
        IN_A_JOB, "The photo has fewer faces than one of those that `faces` or `skip` names.", "faces"
    ),
    "eyes_misplaced": Fact(IN_A_JOB, "The eyes that were marked cannot be those of a face in this photo.", "eyes"),
    "no_face_left": Fact(IN_A_JOB, "Every face that was to be protected was left out by `skip`.", "skip"),
    "face_not_chosen": Fact(IN_A_JOB, "The face was not among those to protect."),
    "face_beyond_limit": Fact(IN_A_JOB, "The job had no room for this face; a second one that names it has.", "faces"),
    "photo_takes_too_long": Fact(IN_A_JOB, "Work on the photo alone took longer than a worker may take."),
    "photo_unreadable": Fact(IN_A_JOB, "The stored photo does not decode."),
    "photo_unwritable": Fact(IN_A_JOB, "The output format cannot hold the photo.", "output_format"),
    "photo_expired": Fact(IN_A_JOB, "The photo expired before a worker was free.", is_retryable=True),
    "canceled": Fact(IN_A_JOB, "Somebody canceled the job.", is_retryable=True),
    "deadline_passed": Fact(IN_A_JOB, "The time that the client set had passed.", is_retryable=True),
    "worker_lost": Fact(IN_A_JOB, "The workers that held the job all died.", is_retryable=True),
    "queue_timeout": Fact(IN_A_JOB, "No worker was free in time.", is_retryable=True),
    "out_of_memory": Fact(IN_A_JOB, "The accelerator ran out of memory.", is_retryable=True),
    "store_unwritable": Fact(IN_A_JOB, "The store of references cannot be written.", is_retryable=True),
    "core_error": Fact(IN_A_JOB, "The method refused the photo."),
    "store_error": Fact(IN_A_JOB, "The service's models refused the work."),
    "bundle_damaged": Fact(IN_A_JOB, "A file of the service's models is missing or damaged."),
    "unknown_bundle": Fact(IN_A_JOB, "The service does not find its models."),
    "recognisers_missing": Fact(IN_A_JOB, "The service lacks recognisers that its models need."),
    "recipe_invalid": Fact(IN_A_JOB, "The service's recipe does not fit its models."),
    "dataset_error": Fact(IN_A_JOB, "The service cannot read the faces to train on."),
    "dataset_missing": Fact(IN_A_JOB, "The service does not find the faces to train on."),
    "dataset_damaged": Fact(IN_A_JOB, "The faces to train on are incomplete or cannot be read."),
    "dataset_too_small": Fact(IN_A_JOB, "There are fewer faces to train on than the training needs."),
    "reference_refused": Fact(IN_A_JOB, "The picture cannot serve as a reference.", "picture"),
    "reference_grey": Fact(IN_A_JOB, "The picture of the reference has no colours.", "picture"),
    "reference_without_makeup": Fact(IN_A_JOB, "Nothing tells the picture from its bare twin.", "picture"),
    "reference_region_too_small": Fact(IN_A_JOB, "Lips or eyes of the reference show too few pixels.", "picture"),
}


def title_of(code: str) -> str:
    """The code in words: `photo_too_large` is "Photo too large"."""
    return code.replace("_", " ").capitalize()


def address_of(code: str) -> str:
    """Where this service explains the code; relative to wherever it is reached."""
    return f"/problems/{code}"
