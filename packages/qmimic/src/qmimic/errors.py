"""What goes wrong above the protocol: unreadable captures, profiles that cannot be used."""


class MimicError(ValueError):
    """Base of the errors of this package."""


class CaptureError(MimicError):
    """A capture file cannot be read; the message names the file and the reason."""


class ProfileError(MimicError):
    """A profile is unknown or says something that cannot be done."""
