"""The ClientHellos of one client handshake: plain, with a GREASE extension, or encrypted.

Asks the ``ClientHelloBuilder`` for drafts and makes messages of them: one, or an inner and an outer one. RFC 8446
§4.1.2, RFC 9849 §6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from . import cert_compression
from .client_hello import EchOffer, EchRole, HelloContext, HelloRetry
from .client_offer import bind
from .config import ClientTLS
from .constants import EXT_PRE_SHARED_KEY
from .key_exchange import KeyShares
from .key_schedule import KeySchedule, Transcript
from .messages.client_hello import ClientHello
from .resumption import Session

if TYPE_CHECKING:
    from .ech_client import ClientEch

__all__ = ["ClientHellos"]


@final
class ClientHellos:
    """Makes the first ClientHello, and the second if there has to be one.

    ``ech`` is the offer of encryption, if one is made; ``sent`` is what left, the outer hello in that case.
    """

    __slots__ = (
        "_config",
        "_grease",
        "_hello",
        "_parameters",
        "_random",
        "_server_name",
        "ech",
        "sent",
        "shares",
    )

    def __init__(
        self, config: ClientTLS, server_name: str | None, parameters: bytes, random: Callable[[int], bytes]
    ) -> None:
        self._config = config
        self._server_name = server_name
        self._parameters = parameters
        self._random = random
        self._grease = b""
        self._hello: ClientHello | None = None
        self.shares = KeyShares(random)
        self.ech: ClientEch | None = None
        self.sent: ClientHello | None = None

    def release(self) -> None:
        """Let go of hellos and private keys: the handshake is complete."""
        self.shares.release()
        self._hello = self.sent = None
        self._parameters = self._grease = b""

    def prepare(self, session: Session | None) -> None:
        """Choose what to do about encryption, before the first hello.

        Raises:
            ValueError: ``ClientTLS.ech`` is not an ECHConfigList.
        """
        ech = self._config.ech
        if ech is None:
            return
        from .ech import grease  # with what belongs to it a tenth of TLS, which few connections use
        from .ech_client import ClientEch, choose_config

        chosen = None if ech == "grease" else choose_config(ech)
        if chosen is None:
            # RFC 9849 §6.2: also for want of a configuration that can be used.
            self._grease = grease(self._random)
        else:
            self.ech = ClientEch(chosen, session, self._random)

    def make(
        self,
        session: Session | None,
        early_data: bool,
        transcript: Transcript,
        wall_clock: float,
        retry: tuple[int | None, bytes | None] | None,
    ) -> tuple[ClientHello, KeySchedule | None]:
        """The hello to negotiate from, and the key schedule that begins with the PSK if it offers one.

        ``transcript`` has what came before it; ``retry`` is the group and the cookie a server asked for.

        Raises:
            ValueError: a builder drew a hello that cannot work.
        """
        ech, config = self.ech, self._config
        context = HelloContext(
            server_name=self._server_name,
            alpn=config.alpn,
            transport_parameters=self._parameters,
            groups=config.groups,
            random=self._random,
            key_shares=self.shares,
            wall_clock=wall_clock,
            ciphers=config.ciphers,
            retry=_after(retry, self._hello),
            session=session,
            early_data=early_data,
            certificate_compression=cert_compression.available(),
            ech=EchOffer(EchRole.GREASE, self._grease) if self._grease else None,
        )
        if ech is None:
            hello, schedule = self._make_plain(context, transcript)
            self.sent = hello
        elif ech.is_accepted is False:
            outer = context.changed(
                server_name=ech.public_name, retry=_after(retry, self.sent), ech=ech.outer_offer()
            )
            hello, schedule = self._make_plain(outer, transcript)
            self.sent = hello
        else:
            inside = context.changed(ech=ech.inner_offer())
            outside = context.changed(
                server_name=ech.public_name,
                retry=_after(retry, self.sent),
                session=None if session is None else ech.decoy,
                ech=ech.outer_offer(),
            )
            builder = config.hello
            hello, self.sent, schedule = ech.seal(
                builder.build(inside), builder.build(outside), session, transcript
            )
        self._hello = hello
        return hello, schedule

    def _make_plain(
        self, context: HelloContext, transcript: Transcript
    ) -> tuple[ClientHello, KeySchedule | None]:
        hello = ClientHello(self._config.hello.build(context).encode())
        if not hello.offers(EXT_PRE_SHARED_KEY):
            return hello, None
        if context.session is None:
            raise ValueError("the ClientHello has pre_shared_key, but there is no session")
        return bind(hello, context.session, transcript)


def _after(retry: tuple[int | None, bytes | None] | None, first: ClientHello | None) -> HelloRetry | None:
    if retry is None or first is None:
        return None
    return HelloRetry(*retry, first.raw)
