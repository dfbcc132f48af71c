"""What can be wrong with the store or with what was asked of it.

StoreError
|-- BundleDamaged      a file is missing, altered or unreadable
|-- UnknownBundle      no bundle of that name
|-- UnknownReference   no make-up look of that id
|-- UnknownTarget      no identity of that id
`-- StyleNotTrained    the look is there, but nobody trained it for that target
"""


class StoreError(Exception):
    """Base of every error of the model store; `code` is stable."""

    code = "store_error"


class BundleDamaged(StoreError):
    """A bundle's file is missing, altered or unreadable."""

    code = "bundle_damaged"


class UnknownBundle(StoreError):
    """No bundle of that name is installed."""

    code = "unknown_bundle"


class UnknownReference(StoreError):
    """The bundle has no make-up look of that id."""

    code = "unknown_reference"


class UnknownTarget(StoreError):
    """The bundle has no target identity of that id."""

    code = "unknown_target"


class StyleNotTrained(StoreError):
    """The look exists, but no style was trained for it and that target."""

    code = "style_not_trained"
