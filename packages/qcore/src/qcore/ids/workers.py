"""Connection IDs that carry the number of a worker, where several processes share one port.

A datagram that reaches the wrong one can so be handed on. The number is the last byte of a server ID as load balancers
know it, so a farm of hosts with workers needs no second scheme. draft-ietf-quic-load-balancers-21 §8.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from .routable import RoutableIds, RoutingCodec, RoutingConfig

# The number is one byte.
MAX_WORKERS: Final = 256
# For one host: the first byte, the worker, and six bytes that nobody can guess.
ALONE: Final = RoutingConfig(server_id_size=1, nonce_size=6)


@final
class WorkerIds:
    """What the workers of one host have in common.

    Args:
        config: how the host's load balancer reads connection IDs; a `server_id_size` of one more than `host_id` has.
        host_id: this host's part of the server IDs; none if there is no load balancer.
    """

    __slots__ = ("_codec", "_first", "_host_id", "config")

    def __init__(self, config: RoutingConfig = ALONE, host_id: bytes = b"") -> None:
        if len(host_id) + 1 != config.server_id_size:
            raise ValueError(
                f"server IDs of {config.server_id_size} bytes are not {len(host_id)} of host and 1 of worker"
            )
        self.config = config
        self._codec = RoutingCodec(config)
        self._host_id = host_id
        self._first = config.first_byte if config.encodes_length else None

    @property
    def number_offset(self) -> int | None:
        """Where in an ID the number can be read without a key; None if it is hidden."""
        return 1 + len(self._host_id) if self.config.key is None else None

    def generator(self, worker: int, random: Callable[[int], bytes]) -> RoutableIds:
        """Makes the IDs of a worker."""
        return RoutableIds(self.config, self._host_id + bytes((worker,)), random)

    def worker_of(self, cid: bytes) -> int | None:
        """The number in an ID; None if it is none of this host's. IDs that clients choose may look like one."""
        if len(cid) != self.config.size or (self._first is not None and cid[0] != self._first):
            return None
        server_id = self._codec.decode(cid)
        if server_id is None or server_id[:-1] != self._host_id:
            return None
        return server_id[-1]
