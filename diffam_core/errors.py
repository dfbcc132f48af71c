"""What the method can refuse, each with a stable `code`.

DiffAMError
|-- NoFaceFound     the detector saw no face in the photo
|-- FaceTooSmall    the face is there, but has too few pixels to carry make-up
`-- PhotoUnreadable the bytes do not decode to a picture
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


class PhotoUnreadable(DiffAMError):
    """The bytes do not decode to a picture."""

    code = "photo_unreadable"
