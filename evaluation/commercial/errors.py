"""What can go wrong with a verifier on somebody else's machine, each with a stable `code`.

VerifierError
|-- VerifierUnauthorised  it knows no such key, or the key may not do this
|-- VerifierRefused       it will not compare these pictures, however often it is asked
|-- VerifierNoFace        it saw no face in one of the pictures
`-- VerifierUnavailable   it is busy, broken or silent, and stayed so
"""


class VerifierError(Exception):
    """Base of every error of a verifier; messages never hold keys or pictures."""

    code = "verifier_error"


class VerifierUnauthorised(VerifierError):
    """The key is wrong, not activated, not paid for, or the signature was not accepted."""

    code = "verifier_unauthorised"


class VerifierRefused(VerifierError):
    """The pictures or the request are not what the verifier takes; asking again would not help."""

    code = "verifier_refused"


class VerifierNoFace(VerifierError):
    """The verifier saw no face in one of the two pictures."""

    code = "verifier_no_face"


class VerifierUnavailable(VerifierError):
    """The verifier throttles, fails, or gives no answer that can be read."""

    code = "verifier_unavailable"
