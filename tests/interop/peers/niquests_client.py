"""One HTTP/3 GET on niquests and qh3: niquests_client.py URL AUTHORITY FILE; prints the status and writes the body."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import niquests
from niquests.structures import QuicSharedCache

HTTP_3 = 30


def main(url: str, authority: str, file: str) -> None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    with niquests.Session() as session:
        # Alt-Svc known beforehand: no TCP connection is tried first.
        cache = session.quic_cache_layer
        assert isinstance(cache, QuicSharedCache)
        cache.add_domain(parts.hostname, port=parts.port, alt_port=parts.port)
        response = session.get(url, verify=authority, timeout=20)
        assert response.raw is not None and response.content is not None
        assert HTTP_3 == response.raw.version, f"not HTTP/3: {response.raw.version}"
        Path(file).write_bytes(response.content)
        print(response.status_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
