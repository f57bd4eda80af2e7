"""The pace of a captured visit: when its client had read what the server sent, and when it asked for a page.

A browser's thread that is away for forty milliseconds answers two datagrams at once which it would have answered one by
one; how often that happens is the machine's, and the server's, and no habit of the client. So a visit of our own gets each
datagram when the captured client had read its counterpart, with those that the captured client read together. The
browsers tell when that was: their ACKs say how long they were delayed, those of Initial and Handshake packets included
(RFC 9000 §13.2.5). What they do then is theirs, and is compared. Long-header datagrams that have their first acknowledgement
in common are taken to have been read together, so how many answers there are before the Finished is in part the model's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from qmimic.capture import CapturedFlow
from qmimic.dissection import dissect_flow

from .asked import REQUEST

#: Milliseconds for which the relay of the captures held back what the server said.
HELD_BACK_MS: Final = 20.0
#: Microseconds of a unit of ACK Delay: no browser sends an ack_delay_exponent, so it is 3.
DELAY_UNIT: Final = 8
#: What both kinds of browsers keep to: Chromium 25, Firefox 20.
MAX_ACK_DELAY_MS: Final = 25.0


Times = tuple[float, ...]
Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Pace:
    """Times in seconds, of what came before the client's Finished from its first datagram on, else from the Finished.

    Attributes:
        opening, later: the server's datagrams: those that it sent before it had the Finished, and those behind that
            call for an acknowledgement.
        absences: when something lay there unread, in the same two parts.
        awake: when the client sent something, and so was not away.
        pause: between the Finished and the first request; None if it was asked earlier.
    """

    opening: Times = ()
    later: Times = ()
    absences: tuple[Spans, Spans] = ((), ())
    awake: tuple[Times, Times] = ((), ())
    pause: float | None = None


@dataclass
class Said:
    """One datagram of the server.

    Attributes:
        at: when it reached the client, in milliseconds as all times here.
        packets: types and numbers of what is in it.
        calls_for_ack: there is more in it than acknowledgements and padding.
        answer: place of the client's datagram that was first to acknowledge any of it; None if none did.
        read: when the client says it was read; None if it does not.
    """

    at: float
    packets: list[tuple[str, int]]
    calls_for_ack: bool
    answer: int | None = None
    read: float | None = None


def pace_of(flow: CapturedFlow) -> Pace:
    """What a captured visit shows; its secrets are needed."""
    datagrams = dissect_flow(flow)["datagrams"]
    finished = first_time(datagrams, "handshake", "crypto")
    if finished is None:
        raise ValueError("no Finished in what was captured")
    asked = first_time(datagrams, None, "stream", REQUEST)
    said = list(answered(datagrams))
    own = [item["t"] if item["dir"] == "c" else None for item in datagrams]
    opening: list[float] = []
    later: list[float] = []
    absences: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for item, read in zip(said, reading_times(said, own), strict=True):
        if item.at - HELD_BACK_MS < finished:
            opening.append(read / 1000)
            absences[0].append((item.at / 1000, read / 1000))
        else:
            if item.calls_for_ack:
                later.append((read - finished) / 1000)
            absences[1].append(((item.at - finished) / 1000, (read - finished) / 1000))
    sent = [time for time in own if time is not None]
    return Pace(
        tuple(opening),
        tuple(later),
        (tuple(absences[0]), tuple(absences[1])),
        (
            tuple(time / 1000 for time in sent if time <= finished),
            tuple((time - finished) / 1000 for time in sent if time > finished),
        ),
        None if asked is None or asked < finished else (asked - finished) / 1000,
    )


def first_time(
    datagrams: Sequence[dict[str, Any]], packet_type: str | None, name: str, stream: int | None = None
) -> float | None:
    """When the client first sent such a frame."""
    for item in datagrams:
        if item["dir"] != "c":
            continue
        for packet in item["packets"]:
            if packet_type is not None and packet["type"] != packet_type:
                continue
            for frame in packet.get("frames", []):
                if frame["frame"] == name and (stream is None or frame["stream_id"] == stream):
                    return float(item["t"])
    return None


def answered(datagrams: Sequence[dict[str, Any]]) -> Iterator[Said]:
    """The server's datagrams, with what the client's acknowledgements say of them."""
    for place, item in enumerate(datagrams):
        if item["dir"] == "c":
            continue
        packets = [(packet["type"], packet["number"]) for packet in item["packets"] if "number" in packet]
        said = Said(float(item["t"]), packets, calls_for_ack(item["packets"]))
        for behind, answer in enumerate(datagrams[place + 1 :], place + 1):
            for space, ack in acks_of(answer):
                covered = [
                    number
                    for packet_type, number in packets
                    if packet_type == space and any(low <= number <= high for low, high in ack["ranges"])
                ]
                if covered and said.answer is None:
                    said.answer = behind
                if max(high for _, high in ack["ranges"]) in covered:
                    read = float(answer["t"]) - ack["delay"] * DELAY_UNIT / 1000
                    # A packet that waited for its keys counts from when it had them: the smaller is the datagram's.
                    said.read = read if said.read is None else min(said.read, read)
        yield said


def calls_for_ack(packets: Sequence[dict[str, Any]]) -> bool:
    """Whether any of a datagram's packets is ack-eliciting; one that cannot be read is taken to be."""
    return any(
        "frames" not in packet or any(frame["frame"] not in ("ack", "padding") for frame in packet["frames"])
        for packet in packets
        if packet["type"] is not None
    )


def acks_of(datagram: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The client's ACK frames with the types of their packets."""
    if datagram["dir"] != "c":
        return
    for packet in datagram["packets"]:
        for frame in packet.get("frames", []):
            if frame["frame"] == "ack":
                yield packet["type"], frame


def reading_times(said: Sequence[Said], own: Sequence[float | None]) -> list[float]:
    """When each was read; `own` are the times of the client's datagrams, None in the places of the server's."""
    times: list[float] = []
    start = 0
    while start < len(said):
        end = start + 1
        answer = said[start].answer
        is_open = any(packet_type != "one_rtt" for packet_type, _ in said[start].packets)
        while is_open and answer is not None and end < len(said) and said[end].answer == answer:
            end += 1
        group = said[start:end]
        known = [item.read for item in group if item.read is not None]
        read = max(min(known, default=group[-1].at), group[-1].at)
        if not is_open and not known:
            read = max(group[-1].at, delayed(said, start, own))
        if answer is not None:
            # It was no part of what the client said just before.
            read = max([read, *(time for time in own[:answer] if time is not None and time >= group[-1].at)])
        times.extend([max(read, times[-1] if times else 0.0)] * len(group))
        start = end
    return times


def delayed(said: Sequence[Said], place: int, own: Sequence[float | None]) -> float:
    """When a datagram was read whose acknowledgement says it of a later one only.

    It was as late as the later one, and no earlier than an ACK may wait: RFC 9000 §13.2.1.
    """
    item = said[place]
    if item.answer is None:
        return item.at
    known = [
        behind for behind in said[place + 1 :] if behind.answer == item.answer and behind.read is not None
    ]
    if not known:
        return item.at
    read = cast(float, known[0].read)
    late = item.at + max(0.0, read - known[0].at)
    return min(read, max(late, cast(float, own[item.answer]) - MAX_ACK_DELAY_MS))
