"""What can be wrong with the store or with what was asked of it.

StoreError
|-- BundleDamaged      a file is missing, altered or unreadable
|-- UnknownBundle      no bundle of that name
|-- UnknownReference   no make-up reference of that id
|-- UnknownTarget      no identity of that id
|-- UnknownRecogniser  no recogniser of that name may be held out or attacked
|-- JudgeMissing       a recogniser of a library was asked for that was not pulled
|-- RecognisersMissing a bundle needs recognisers of libraries, and too few were pulled
|-- EffortUnavailable  a thorough result was asked of a bundle that does not refine
|-- StyleNotTrained    the reference is there, but no style of it for that target
|-- StyleExists        somebody did already
|-- HeldOutAttacked    the recogniser to hold out is among those to attack
|-- ReferenceExists    one of that id is on offer already
|-- ReferenceShipped   one of the bundle itself, which nobody can remove
|-- NameInvalid        an id has characters that ids must not have
|-- RecipeInvalid      a recipe file cannot be read, or asks for what cannot be
|-- DatasetError       a folder of photos to train on or to measure with
|   |-- DatasetMissing         it is not there, or nobody said where
|   |-- DatasetDamaged         it is incomplete, or a file in it cannot be read
|   `-- DatasetTooSmall        it has fewer faces than were asked for
|-- ReferenceRefused   a picture that cannot serve as one
|   |-- ReferenceGrey            it has no colours
|   |-- ReferenceWithoutMakeup   nothing tells it from its bare twin
|   `-- ReferenceRegionTooSmall  lips or eyes show too few pixels
|-- PullFailed         published files could not be fetched
|   |-- SourcesInvalid       the table of sources is none
|   |-- LicencesNotAccepted  nobody said yes to the licences
|   |-- DownloadFailed       the server has no such file, refuses it, or cannot be reached
|   |-- DownloadDamaged      what arrived is not the published file
|   `-- DiskFull             no room for it
`-- ImportFailed       published files could not be made into a bundle
    |-- CheckpointUnknown    no published network has these keys and shapes
    |-- CheckpointDamaged    a file is cut short or no checkpoint at all
    |-- CheckpointUnsafe     a file wants to run code
    |-- CheckpointConflict   two different files for the same network
    |-- ArchiveUnsafe        a zip archive that no honest packer made
    |-- PictureDamaged       a picture of a reference or target is missing or unreadable
    `-- ImportIncomplete     too little for a bundle that works
"""

from typing import ClassVar


class StoreError(Exception):
    """Base of every error of the model store; `code` is stable.

    told: what a client of the service reads instead of the message, where that may name files of the machine.
    """

    code = "store_error"
    told: ClassVar[str | None] = None


class BundleDamaged(StoreError):
    """A bundle's file is missing, altered or unreadable."""

    code = "bundle_damaged"
    told = "a file of the service's models is missing or damaged"


class UnknownBundle(StoreError):
    """No bundle of that name is installed."""

    code = "unknown_bundle"
    told = "the service does not find its models"


class UnknownReference(StoreError):
    """The bundle has no make-up reference of that id."""

    code = "unknown_reference"


class UnknownTarget(StoreError):
    """The bundle has no target identity of that id."""

    code = "unknown_target"


class RecognisersMissing(StoreError):
    """A bundle refines faces on recognisers of libraries, and too few of them were pulled."""

    code = "recognisers_missing"
    told = "the service lacks recognisers that its models need"


class EffortUnavailable(StoreError):
    """A thorough result was asked of a bundle that does not refine faces."""

    code = "effort_unavailable"


class StyleNotTrained(StoreError):
    """The reference exists, but no style was fine-tuned for it and that target."""

    code = "style_not_trained"


class UnknownRecogniser(StoreError):
    """The bundle has no such recogniser, or one that must never be attacked."""

    code = "unknown_recogniser"


class JudgeMissing(StoreError):
    """No recogniser of that name was pulled."""

    code = "judge_missing"


class StyleExists(StoreError):
    """A style of this reference for this target is there already."""

    code = "style_exists"


class HeldOutAttacked(StoreError):
    """The recogniser to hold out is one of the surrogates: then nothing would be held out."""

    code = "held_out_attacked"


class ReferenceExists(StoreError):
    """A reference of this id is there already."""

    code = "reference_exists"


class ReferenceShipped(StoreError):
    """The reference belongs to the bundle; only added ones can be removed."""

    code = "reference_shipped"


class NameInvalid(StoreError):
    """Ids of references are 1 to 40 lower-case letters, digits and underscores."""

    code = "name_invalid"


class RecipeInvalid(StoreError):
    """A recipe file cannot be read, has a key or a type it must not have, or does not fit the bundle."""

    code = "recipe_invalid"
    told = "the service's recipe does not fit its models"


class DatasetError(StoreError):
    """A folder of photos cannot be used; the message says what was looked for, where, and what was found."""

    code = "dataset_error"
    told = "the service cannot read the faces to train on"


class DatasetMissing(DatasetError):
    """The dataset is not there, or nobody said where it is."""

    code = "dataset_missing"


class DatasetDamaged(DatasetError):
    """The dataset is incomplete, or one of its files cannot be read."""

    code = "dataset_damaged"


class DatasetTooSmall(DatasetError):
    """The dataset has fewer people with a face that the detector finds than were asked for."""

    code = "dataset_too_small"


class ReferenceRefused(StoreError):
    """The picture cannot serve as a make-up reference."""

    code = "reference_refused"


class ReferenceGrey(ReferenceRefused):
    """A greyscale picture: it says nothing about the colours of make-up."""

    code = "reference_grey"


class ReferenceWithoutMakeup(ReferenceRefused):
    """Lips and eyes look as they do without make-up."""

    code = "reference_without_makeup"


class ReferenceRegionTooSmall(ReferenceRefused):
    """Lips or eye areas are hidden, or too small to read colours from."""

    code = "reference_region_too_small"


class PullFailed(StoreError):
    """Published files could not be fetched."""

    code = "pull_failed"
    told = "the service's models could not be fetched"


class SourcesInvalid(PullFailed):
    """The table of sources lacks something or is no TOML."""

    code = "sources_invalid"


class LicencesNotAccepted(PullFailed):
    """The licences of the published files were not accepted."""

    code = "licences_not_accepted"


class DownloadFailed(PullFailed):
    """A server has no such file, refuses it, or cannot be reached."""

    code = "download_failed"


class DownloadDamaged(PullFailed):
    """What arrived is a web page, has another length or another digest."""

    code = "download_damaged"


class DiskFull(PullFailed):
    """There is no room for the file."""

    code = "disk_full"


class ImportFailed(StoreError):
    """Published files could not be made into a bundle."""

    code = "import_failed"
    told = "the service's models could not be imported"


class CheckpointUnknown(ImportFailed):
    """No published network has these keys and shapes."""

    code = "checkpoint_unknown"


class CheckpointDamaged(ImportFailed):
    """A file is cut short, altered, or no checkpoint at all."""

    code = "checkpoint_damaged"


class CheckpointUnsafe(ImportFailed):
    """A pickle or archive that would run code when read; it was not read."""

    code = "checkpoint_unsafe"


class CheckpointConflict(ImportFailed):
    """Two different files hold the same network."""

    code = "checkpoint_conflict"


class ArchiveUnsafe(ImportFailed):
    """A zip archive with paths, links or sizes that no honest packer writes."""

    code = "archive_unsafe"


class PictureDamaged(ImportFailed):
    """A picture of a reference or a target is missing, unreadable or not what it should be."""

    code = "picture_damaged"


class ImportIncomplete(ImportFailed):
    """Something that every bundle needs is not among the files."""

    code = "import_incomplete"
