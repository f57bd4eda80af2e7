"""Dissect a datagram given in hex, or a Version Negotiation packet when none is given.

python dissect_datagram.py ff0000000100...
"""

import sys

from qwire.dissect import dissect

SAMPLE = "c00000000008f067a5502a4262b500 00000001 6b3343cf"


def main(argv: list[str]) -> None:
    """Print one line a packet."""
    datagram = bytes.fromhex(argv[0] if argv else SAMPLE)
    for packet in dissect(datagram):
        kind = packet.packet_type.name if packet.packet_type is not None else "no packet"
        print(f"{packet.start}-{packet.end} {kind} to {packet.destination_cid.hex() or '-'} {packet.error}")
        if packet.supported_versions:
            print("  versions", [f"0x{version:08x}" for version in packet.supported_versions])
        for frame in packet.frames:
            print("  ", frame)


if __name__ == "__main__":
    main(sys.argv[1:])
