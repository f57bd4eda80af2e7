"""Opens the client's Initial packet of RFC 9001 A.2 with nothing but the packet itself, as an analyzer would."""

from qtls.initial import initial_keys
from qtls.messages.client_hello import ClientHello

CLIENT_HELLO_FRAME = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0000000"
    "10000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e0005000501000000000033"
    "00260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e040305"
    "0306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
    "75300901100f088394c8f03e51570806048000ffff"
)
HEADER = bytes.fromhex("c300000001088394c8f03e5157080000449e00000002")


def make_packet() -> bytes:
    """Seal the packet, header protection included. RFC 9001 §5."""
    keys = initial_keys(HEADER[6:14], 1)
    sealed = keys.client_sealer.seal(2, HEADER, CLIENT_HELLO_FRAME.ljust(1162, b"\0"))
    mask = keys.client_sealer.masks(sealed[:16])
    first = HEADER[0] ^ mask[0] & 0x0F
    number = bytes(a ^ b for a, b in zip(HEADER[-4:], mask[1:5], strict=True))
    return bytes((first,)) + HEADER[1:-4] + number + sealed


def open_packet(packet: bytes) -> ClientHello:
    """Remove header and packet protection and parse the ClientHello."""
    destination_cid = packet[6 : 6 + packet[5]]
    keys = initial_keys(destination_cid, int.from_bytes(packet[1:5], "big"))
    number_at = 18  # no token, an eight-byte connection ID, a two-byte length
    mask = keys.client_opener.masks(packet[number_at + 4 : number_at + 20])
    first = packet[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(
        a ^ b for a, b in zip(packet[number_at : number_at + size], mask[1 : 1 + size], strict=True)
    )
    header = bytes((first,)) + packet[1:number_at] + number
    payload = keys.client_opener.open(int.from_bytes(number, "big"), header, packet[number_at + size :])
    if payload is None:
        raise SystemExit("the packet does not authenticate")
    return ClientHello(payload[4 : 4 + 241])


if __name__ == "__main__":
    hello = open_packet(make_packet())
    print(f"server name {hello.server_name()}, protocols {', '.join(hello.alpn())}")
