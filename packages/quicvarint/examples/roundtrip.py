"""Write integers in every size there is, and read them back."""

import quicvarint


def main() -> None:
    """Print each value with its encodings."""
    for value in (37, 15293, 494878333, 151288809941952652):
        for size in (1, 2, 4, 8):
            if size >= quicvarint.size(value):
                buffer = bytearray()
                quicvarint.append_sized(buffer, value, size)
                read, position = quicvarint.parse(bytes(buffer))
                print(f"{read:>20} in {position} bytes: {buffer.hex()}")


if __name__ == "__main__":
    main()
