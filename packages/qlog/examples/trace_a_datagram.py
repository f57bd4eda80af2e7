"""Write a trace of one packet into a folder, and print its summary.

python trace_a_datagram.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

from qlog import load_traces
from qlog.events import PACKET_RECEIVED, packet
from qlog.files import open_trace
from qlog.packets import header_of
from qlog.summary import describe, summarize
from qwire.constants import VERSION_1, PacketType
from qwire.frames import parse_frames

CID = bytes.fromhex("8394c8f03e515708")
PAYLOAD = bytes.fromhex("0600400f") + b"a CRYPTO stream" + bytes(1100)


def main(folder: str) -> None:
    """Trace the packet as a server would."""
    writer = open_trace(folder, CID, "server", reference=0.0)
    header = header_of(PacketType.INITIAL, 0, VERSION_1, CID, b"")
    writer.event(0.001, PACKET_RECEIVED, packet(header, parse_frames(PAYLOAD), 1200, 3))
    writer.flush()
    for path in Path(folder).iterdir():
        print(path.name)
        print(describe(summarize(load_traces(path.read_bytes())[0])))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as directory:
            main(directory)
