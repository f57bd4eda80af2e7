"""Connection IDs that carry the number of a worker."""

import pytest

from qcore.ids.routable import RoutingCodec, RoutingConfig
from qcore.ids.workers import WorkerIds
from qcore.testing import Seeded

KEY = bytes(range(16))
SCHEMES = [
    pytest.param(WorkerIds(), id="alone"),
    pytest.param(WorkerIds(RoutingConfig(rotation=2, server_id_size=3, nonce_size=5), b"ho"), id="plain"),
    pytest.param(
        WorkerIds(RoutingConfig(server_id_size=3, nonce_size=8, key=KEY, encodes_length=False), b"ho"),
        id="encrypted",
    ),
    pytest.param(WorkerIds(RoutingConfig(server_id_size=4, nonce_size=12, key=KEY), b"hos"), id="one pass"),
]


@pytest.mark.parametrize("ids", SCHEMES)
@pytest.mark.parametrize("worker", [0, 1, 255])
def test_number_is_found_again(ids: WorkerIds, worker: int) -> None:
    generator = ids.generator(worker, Seeded(worker))
    cid = generator.generate()

    assert ids.config.size == generator.size == len(cid)
    assert worker == ids.worker_of(cid)
    if ids.number_offset is not None:
        assert worker == cid[ids.number_offset]


@pytest.mark.parametrize("ids", SCHEMES)
def test_ids_of_strangers_rarely_look_like_one(ids: WorkerIds) -> None:
    random = Seeded("strangers")
    found = [ids.worker_of(random(ids.config.size)) for _ in range(2_000)]

    assert len([worker for worker in found if worker is not None]) < 20
    assert None is ids.worker_of(random(ids.config.size - 1))
    assert None is ids.worker_of(random(20))


def test_ids_of_another_host_are_no_ones() -> None:
    config = RoutingConfig(server_id_size=3, nonce_size=5, key=KEY)
    here, there = WorkerIds(config, b"h1"), WorkerIds(config, b"h2")
    cid = there.generator(7, Seeded(1)).generate()

    assert None is here.worker_of(cid)
    assert b"h2\x07" == RoutingCodec(config).decode(cid), "what a load balancer sees"


def test_host_id_has_to_fit() -> None:
    with pytest.raises(ValueError, match="server IDs of 1 bytes are not 2 of host and 1 of worker"):
        WorkerIds(host_id=b"ho")
