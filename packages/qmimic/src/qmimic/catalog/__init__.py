"""The built-in profiles, by name."""

from typing import Final

from ..errors import ProfileError
from ..profile import BASES, ClientProfile, ProfileInfo
from . import chrome, firefox, plain, safari

BUILT_IN: Final[dict[str, ClientProfile]] = {
    item.name: item for module in (chrome, firefox, safari, plain) for item in module.PROFILES
}

#: Names that follow the newest version.
ALIASES: Final[dict[str, str]] = {
    "chrome": "chrome-156",
    "firefox": "firefox-159",
    "safari": "safari-18.5",
}
BASES.update(BUILT_IN)
BASES.update({alias: BUILT_IN[name] for alias, name in ALIASES.items()})


def profile(name: str = "chrome") -> ClientProfile:
    """The built-in profile of this name or alias.

    Raises:
        ProfileError: there is none; the message lists those there are.
    """
    try:
        return BUILT_IN[ALIASES.get(name, name)]
    except KeyError:
        names = ", ".join((*ALIASES, *BUILT_IN))
        raise ProfileError(f"no profile named {name!r}; there are {names}") from None


def profiles() -> list[ProfileInfo]:
    """What there is to know of each built-in profile."""
    return [item.info for item in BUILT_IN.values()]


__all__ = ["ALIASES", "BUILT_IN", "profile", "profiles"]
