"""1-RTT keys through their phases, with ciphers whose limits are small. RFC 9001 §6."""

import math
from typing import Final

import pytest

from qcore.errors import TransportError
from qcore.key_phases import RESERVE, UPDATE_MARGIN, KeyPhases
from qtls.constants import AES_128_GCM_SHA256
from qtls.packet_keys import PacketKeys, SuiteParameters, labels_of
from qtls.protection import Opener, Sealer
from qwire.constants import AEAD_LIMIT_REACHED, KEY_UPDATE_ERROR, VERSION_1

PTO: Final = 0.1
HEADER: Final = b"header"


def keys(secret: bytes, confidentiality_limit: int = 1 << 23, integrity_limit: int = 1 << 52) -> PacketKeys:
    parameters = SuiteParameters(
        AES_128_GCM_SHA256, "sha256", 32, 16, True, confidentiality_limit, integrity_limit
    )
    return PacketKeys(parameters, secret, labels_of(VERSION_1))


class End:
    """One end of a connection as far as keys go, and the sealer of its peer by phase."""

    def __init__(self, confidentiality_limit: int = 1 << 23, integrity_limit: int = 1 << 52) -> None:
        self.phases = KeyPhases(
            Sealer(keys(b"local" * 6, confidentiality_limit)),
            Opener(keys(b"peer" * 8, integrity_limit=integrity_limit)),
        )
        self.phases.pto = PTO
        self.peer: list[Sealer] = [Sealer(keys(b"peer" * 8))]
        for _ in range(5):
            self.peer.append(self.peer[-1].next())
        self.now = 0.0

    def hear(self, packet_number: int, phase: int) -> bytes | None:
        """Open a packet that the peer has sealed in a phase."""
        ciphertext = self.peer[phase].seal(packet_number, HEADER, b"text %d" % packet_number)
        return self.phases.open(packet_number, bool(phase & 1), HEADER, ciphertext, self.now)

    def send(self, packet_number: int) -> None:
        """Seal a packet, which the peer acknowledges."""
        self.phases.on_sealed(1)
        self.phases.on_acked(packet_number)

    def rest(self) -> None:
        """Let the time pass after which old keys go."""
        self.now += 1.0
        self.phases.handle_timeout(self.now)


def test_first_phase() -> None:
    end = End()

    assert not end.phases.send_phase
    assert math.inf == end.phases.deadline
    assert b"text 0" == end.hear(0, 0)
    assert b"text 9" == end.hear(9, 0)
    assert b"text 4" == end.hear(4, 0)


def test_update_of_ours_is_answered() -> None:  # RFC 9001 §6.1, §6.2
    end = End()
    end.send(0)
    assert end.phases.can_update
    first = end.phases.sealer
    end.phases.update(1)

    assert end.phases.send_phase
    assert first is not end.phases.sealer
    assert (1, 0) == (end.phases.generation, end.phases.peer_generation)
    assert b"text 5" == end.hear(5, 0), "the peer has not followed yet"
    assert b"text 6" == end.hear(6, 1)
    assert (1, 1) == (end.phases.generation, end.phases.peer_generation)


def test_update_of_the_peer_is_followed() -> None:  # RFC 9001 §6.2
    end = End()
    end.phases.next_packet_number = 17
    assert b"text 3" == end.hear(3, 1)

    assert end.phases.send_phase
    assert (1, 1) == (end.phases.generation, end.phases.peer_generation)
    end.phases.on_sealed(1)
    end.phases.on_acked(16)
    end.rest()
    assert not end.phases.can_update, "16 was sent before the change"
    end.phases.on_acked(17)
    assert end.phases.can_update


def test_both_sides_update_at_once() -> None:
    end = End()
    end.send(0)
    end.phases.update(1)
    assert b"text 4" == end.hear(4, 1)

    assert (1, 1) == (end.phases.generation, end.phases.peer_generation)


def test_sealed_packets_open_at_the_other_end() -> None:
    one = KeyPhases(Sealer(keys(b"a" * 32)), Opener(keys(b"b" * 32)))
    other = KeyPhases(Sealer(keys(b"b" * 32)), Opener(keys(b"a" * 32)))
    number = 0
    for _ in range(5):
        for sender, taker in ((one, other), (other, one)):
            ciphertext = sender.sealer.seal(number, HEADER, b"text")
            sender.on_sealed(1)
            assert b"text" == taker.open(number, sender.send_phase, HEADER, ciphertext, 0.0)
            sender.on_acked(number)
            number += 1
        one.handle_timeout(math.inf)
        other.handle_timeout(math.inf)
        assert one.can_update
        one.update(number)

    assert 5 == one.generation
    assert 4 == other.generation


@pytest.mark.parametrize("late", [0, 5, 9])
def test_late_packet_of_the_phase_before_is_opened(late: int) -> None:  # RFC 9001 §6.5
    end = End()
    end.hear(10, 1)

    assert f"text {late}".encode() == end.hear(late, 0)
    assert b"text 11" == end.hear(11, 1)


def test_packet_before_the_one_that_told_of_the_phase_is_opened() -> None:  # RFC 9001 §6.5
    end = End()
    end.hear(10, 1)
    assert b"text 8" == end.hear(8, 1)

    assert b"text 7" == end.hear(7, 0)


def test_old_keys_are_dropped_after_three_probe_timeouts() -> None:  # RFC 9001 §6.5
    end = End()
    end.now = 5.0
    end.hear(10, 1)
    assert pytest.approx(5.0 + 3 * PTO) == end.phases.deadline

    end.phases.handle_timeout(5.2)
    assert b"text 9" == end.hear(9, 0)
    end.phases.handle_timeout(5.4)
    assert math.inf == end.phases.deadline
    assert end.hear(8, 0) is None


def test_no_update_before_an_acknowledgement() -> None:  # RFC 9001 §6.1
    end = End()
    assert not end.phases.can_update
    end.phases.on_sealed(1)
    assert not end.phases.can_update
    end.phases.on_acked(0)
    assert end.phases.can_update
    end.phases.update(1)
    assert not end.phases.can_update, "the peer has not followed"
    end.phases.on_sealed(1)
    end.phases.on_acked(1)
    assert not end.phases.can_update
    end.hear(7, 1)
    assert not end.phases.can_update, "old keys are still there"
    end.rest()
    assert end.phases.can_update


def test_second_update_before_we_could_acknowledge_the_first_is_an_error() -> None:  # RFC 9001 §6.2
    end = End()
    end.hear(3, 1)
    with pytest.raises(TransportError) as caught:
        end.hear(4, 2)
    assert KEY_UPDATE_ERROR == caught.value.code


def test_second_update_after_an_acknowledgement_is_followed() -> None:
    end = End()
    end.hear(3, 1)
    end.send(0)
    assert b"text 4" == end.hear(4, 2)

    assert (2, 2) == (end.phases.generation, end.phases.peer_generation)


def test_new_keys_under_an_old_packet_number_are_an_error() -> None:  # RFC 9001 §6.4
    end = End()
    end.hear(3, 1)
    end.send(0)
    end.rest()
    with pytest.raises(TransportError) as caught:
        end.hear(2, 2)
    assert KEY_UPDATE_ERROR == caught.value.code


def test_forged_phase_changes_nothing() -> None:  # RFC 9001 §9.5
    end = End()
    junk = end.peer[0].seal(3, HEADER, b"x")  # the keys of the phase before under the bit of the next
    assert end.phases.open(3, True, HEADER, junk, 0.0) is None

    assert (0, 0) == (end.phases.generation, end.phases.peer_generation)
    assert b"text 4" == end.hear(4, 0)


def test_limit_of_forgeries() -> None:  # RFC 9001 §6.6
    end = End(integrity_limit=5)
    for phase in (False, True, False, True):
        assert end.phases.open(9, phase, HEADER, bytes(40), 0.0) is None
    with pytest.raises(TransportError, match="integrity") as caught:
        end.phases.open(9, False, HEADER, bytes(40), 0.0)
    assert AEAD_LIMIT_REACHED == caught.value.code


def test_forgeries_count_over_all_phases() -> None:  # RFC 9001 §6.6: the lifetime of the connection
    end = End(integrity_limit=4)
    end.phases.open(9, False, HEADER, bytes(40), 0.0)
    end.hear(3, 1)
    end.phases.open(2, False, HEADER, bytes(40), 0.0)
    end.send(0)
    end.hear(4, 2)
    end.phases.open(9, True, HEADER, bytes(40), 0.0)
    with pytest.raises(TransportError):
        end.phases.open(9, False, HEADER, bytes(40), 0.0)


def test_update_is_asked_for_in_time() -> None:  # RFC 9001 §6.6
    end = End(confidentiality_limit=UPDATE_MARGIN + 50)
    asked = [end.phases.on_sealed(1) for _ in range(60)]

    assert 49 == asked.index(True)
    assert all(asked[49:])
    end.phases.on_acked(0)
    end.phases.update(60)
    assert not end.phases.on_sealed(1)


def test_limit_of_sealed_packets() -> None:  # RFC 9001 §6.6
    limit = RESERVE + 10
    end = End(confidentiality_limit=limit)
    for _ in range(9):
        end.phases.on_sealed(1)
        end.phases.check_seal_limit()
    end.phases.on_sealed(1)
    with pytest.raises(TransportError, match="confidentiality") as caught:
        end.phases.check_seal_limit()
    assert AEAD_LIMIT_REACHED == caught.value.code
