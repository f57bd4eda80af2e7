"""Kinds of first flights, by what the client knows of the server, and the captures there are of each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from qmimic.capture import read_capture
from qmimic.catalog import BUILT_IN
from qmimic.draw import Family
from qmimic.fingerprint import Fingerprint
from qmimic.observation import CACHED_RTT, Observed, observe
from qmimic.profile import Resumption

#: Capture files of the clients that built-in profiles stand for; the beginnings of their names.
CLIENTS: Final = {
    "chrome-156": "chromium-156.0.8078.79",
    "chrome-150": "chromium-150.0.7871.100",
    "firefox-159": "firefox-159.0",
    "firefox-esr-153": "firefox-esr-153.7.0esr",
    "firefox-esr-140": "firefox-esr-140.12.0esr",
}
#: Folders of the public corpus, beside the captures, of clients that were captured there; not all have profiles.
CORPUS: Final = {
    "chrome-146": "multi_chrome_146",
    "chrome-115": "chrome_113_0_5672_126",
    "safari-18.5": "apple_safari_18_5_icloud_private_relay_disabled",
    "firefox-149": "multi_firefox_149",
}
#: What tells Chrome from other clients in one file: application_settings, by its old number and the new one.
CHROME_ONLY: Final = {17_513, 17_613}
#: Packets behind a Retry have numbers of their own.
LATEST_NUMBER: Final = 1

#: What of a header varies from connection to connection: size of the connection ID, of the number, kinds of frames.
Shape = tuple[int, int, tuple[int, ...]]


@dataclass(frozen=True, order=True)
class Kind:
    """What a client knows of the server when it connects."""

    resumed: bool
    family: Family
    token: bool
    rtt: bool

    @classmethod
    def of(cls, item: Observed) -> "Kind":
        """The kind of a captured flight."""
        return cls(
            resumed=item.is_resumed,
            family=6 if item.family == 6 else 4,
            token=bool(item.packets[0].header.token),
            rtt=item.fingerprint.parameters.get(CACHED_RTT) is not None,
        )

    def __str__(self) -> str:
        words = ["resumed" if self.resumed else "fresh"]
        words += ["with token"] if self.token else []
        words += ["with round trip"] if self.rtt else []
        words += ["over IPv6"] if self.family == 6 else []
        return " ".join(words)

    def known(self, sample: Resumption) -> Resumption:
        """As much of `sample` as this kind has."""
        return replace(
            sample,
            sessions=sample.sessions if self.resumed else None,
            version=sample.version if self.resumed else None,
            token=sample.token if self.token else b"",
            rtt=sample.rtt if self.rtt else None,
        )


@dataclass(frozen=True)
class Captures:
    """The captured flights of one kind.

    Attributes:
        profile: name of the profile of the client.
        items: none if nobody has captured it.
        shapes: the headers of captures of any kind and of any version of the client.
    """

    profile: str
    kind: Kind
    items: list[Observed]
    shapes: frozenset[Shape]

    @property
    def title(self) -> str:
        return f"{self.profile}, {self.kind}"


def shape_of(found: Fingerprint) -> Shape:
    """What varies of the header of a flight."""
    first = found.flight.first
    return (
        len(first.header.destination_cid),
        first.packet_number_size,
        tuple(sorted(set(first.frame_types))),
    )


def all_captures(folder: Path) -> Iterator[Captures]:
    """Those of each built-in profile; fresh and resumed connections stand there also where nobody captured them."""
    found = {name: list(captured(folder, name)) for name in (*CLIENTS, *CORPUS)}
    for name in BUILT_IN:
        items = found.get(name, [])
        kinds: dict[Kind, list[Observed]] = {}
        for item in items:
            kinds.setdefault(Kind.of(item), []).append(item)
        for resumed in (False, True):
            if not any(kind.resumed is resumed for kind in kinds):
                kinds[Kind(resumed=resumed, family=4, token=resumed, rtt=resumed)] = []
        client = name.partition("-")[0]
        shapes = frozenset(
            shape_of(item.fingerprint)
            for other, flights in found.items()
            if other.startswith(client)
            for item in flights
        )
        for kind in sorted(kinds):
            yield Captures(name, kind, kinds[kind], shapes)


def captured(folder: Path, name: str) -> Iterator[Observed]:
    """First flights of one client, those behind a Retry left out."""
    if name in CLIENTS:
        for file in sorted(folder.glob(f"{CLIENTS[name]}-*.jsonl")):
            if "retry" not in file.name:
                yield from observe(read_capture(file))
        return
    for file in sorted((folder.parent / "corpus" / CORPUS[name]).glob("*.pcap*")):
        for item in observe(read_capture(file)):
            is_chrome = not CHROME_ONLY.isdisjoint(item.fingerprint.hello.extension_ids)
            if (
                name.startswith("firefox")
                or is_chrome is name.startswith("chrome")
                and item.packets[0].packet_number <= LATEST_NUMBER
            ):
                yield item
