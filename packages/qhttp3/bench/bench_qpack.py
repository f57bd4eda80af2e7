"""QPACK per message, beside ls-qpack (through pylsqpack) if that is importable.

    python packages/qhttp3/bench/bench_qpack.py

Prints microseconds per message and the ratio to ls-qpack, best of several runs. `same` repeats one message on a
connection; `new` has a path that never comes twice.
"""

import time
from collections.abc import Callable

from qhttp3.config import DEFAULT_PSEUDO_ORDER
from qhttp3.headers import check_request
from qhttp3.outgoing import prepare_request
from qhttp3.qpack import Decoder, Encoder, EncoderPolicy, Insert

Field = tuple[bytes, bytes]

SMALL: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"www.example.com"),
    (b":path", b"/index.html"),
]
BROWSER: list[Field] = [
    *SMALL,
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0",
    ),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-US,en;q=0.9"),
    (b"priority", b"u=0, i"),
]
COUNT = 5_000
ROUNDS = 5


def best(run: Callable[[], None]) -> float:
    """Microseconds per message."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times) / COUNT * 1e6


def messages(fields: list[Field], is_new: bool) -> list[list[Field]]:
    if not is_new:
        return [fields] * COUNT
    return [
        [(name, b"/item/%d" % number) if name == b":path" else (name, value) for name, value in fields]
        for number in range(COUNT)
    ]


def ours(
    fields: list[Field], is_new: bool, policy: EncoderPolicy, capacity: int
) -> tuple[float, float, float]:
    lists = messages(fields, is_new)
    made: list[tuple[int, bytes, bytes]] = []

    def encode() -> None:
        made.clear()
        encoder, decoder = Encoder(policy), Decoder(capacity, 16)
        encoder.set_limits(capacity, 16)
        for number, each in enumerate(lists):
            section = encoder.encode(4 * number, each)
            made.append((4 * number, encoder.take_instructions(), section))
            if number < 4:  # the peer acknowledges what was inserted
                decoder.receive(made[-1][1])
                decoder.decode(4 * number, section)
                encoder.receive(decoder.take_instructions())

    def decode() -> None:
        decoder = Decoder(capacity, 16)
        for stream_id, inserts, section in made:
            if inserts:
                decoder.receive(inserts)
            decoder.decode(stream_id, section)
            decoder.take_instructions()

    def check() -> None:
        for each in lists:
            check_request(prepare_request(each, DEFAULT_PSEUDO_ORDER, None))

    return best(encode), best(decode), best(check)


def theirs(fields: list[Field], is_new: bool, capacity: int) -> tuple[float, float] | None:
    try:
        import pylsqpack
    except ImportError:
        return None
    lists = messages(fields, is_new)
    made: list[tuple[int, bytes, bytes]] = []

    def encode() -> None:
        made.clear()
        encoder, decoder = pylsqpack.Encoder(), pylsqpack.Decoder(capacity, 16)
        settings = encoder.apply_settings(capacity, 16)
        for number, each in enumerate(lists):
            inserts, section = encoder.encode(4 * number, each)
            made.append((4 * number, settings + inserts, section))
            settings = b""
            if number < 4:
                decoder.feed_encoder(made[-1][1])
                encoder.feed_decoder(decoder.feed_header(4 * number, section)[0])

    def decode() -> None:
        decoder = pylsqpack.Decoder(capacity, 16)
        for stream_id, inserts, section in made:
            if inserts:
                decoder.feed_encoder(inserts)
            decoder.feed_header(stream_id, section)

    return best(encode), best(decode)


def main() -> None:
    print(f"{'':34} {'encode':>8} {'decode':>8} {'rules':>8}   ratio to ls-qpack")
    for title, fields in (("small", SMALL), ("browser", BROWSER)):
        for is_new in (False, True):
            for name, policy, capacity in (
                ("static", EncoderPolicy(insert=Insert.NOTHING), 0),
                ("repeated", EncoderPolicy(), 4096),
            ):
                encode, decode, check = ours(fields, is_new, policy, capacity)
                peer = theirs(fields, is_new, capacity)
                ratio = (
                    f"{encode / peer[0]:8.2f} {decode / peer[1]:8.2f}"
                    if peer
                    else "pylsqpack is not installed"
                )
                label = f"{title} ({len(fields)} fields), {'new' if is_new else 'same'}, {name}"
                print(f"{label:34} {encode:8.2f} {decode:8.2f} {check:8.2f}   {ratio}")


if __name__ == "__main__":
    main()
