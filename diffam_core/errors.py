"""What the method can refuse, each with a stable `code`.

DiffAMError
|-- NoFaceFound     the detector saw no face in the photo
|-- FaceTooSmall    the face is there, but has too few pixels to carry make-up
|-- FaceInProfile   the face is seen from the side
|-- FaceUnknown     the photo has fewer faces than the one that was asked for
|-- EyesMisplaced   a face that was marked by hand cannot be where its eyes are said to be
|-- NoFaceLeft      every face was left out
|-- PhotoUnreadable the bytes do not decode to a picture
`-- PhotoUnwritable the format cannot hold the photo, or its writer is not installed
"""


class DiffAMError(Exception):
    """Base of every error of the core; `code` is stable."""

    code = "core_error"


class NoFaceFound(DiffAMError):
    """The detector saw no face in the photo."""

    code = "no_face_found"


class FaceTooSmall(DiffAMError):
    """The face is there, but has too few pixels to carry make-up."""

    code = "face_too_small"


class FaceInProfile(DiffAMError):
    """The face is seen from the side."""

    code = "face_in_profile"


class FaceUnknown(DiffAMError):
    """The photo has fewer faces than the one that was asked for."""

    code = "face_unknown"


class EyesMisplaced(DiffAMError):
    """Eyes that were marked lie outside the photo, too near to each other, or too far apart."""

    code = "eyes_misplaced"


class NoFaceLeft(DiffAMError):
    """Every face that was chosen was left out as well."""

    code = "no_face_left"


class PhotoUnreadable(DiffAMError):
    """The bytes do not decode to a picture."""

    code = "photo_unreadable"


class PhotoUnwritable(DiffAMError):
    """The format cannot hold the photo, or its writer is not installed."""

    code = "photo_unwritable"
