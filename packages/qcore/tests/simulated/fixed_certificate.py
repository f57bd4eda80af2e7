"""A certificate whose signatures always have the same size, so that a seed repeats a handshake to the byte.

ECDSA signatures take 70 to 72 bytes, as it happens. RSA ones take as many as the key, which is made here from a seed.
"""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from qcore.testing import Seeded
from qcore.testing.pair import SERVER_NAME, WALL
from qtls.adapters.self_signed import Authority, MadeCertificate, draw_key

BITS = 2_048
EXPONENT = 65_537
SMALL_PRIMES = [
    number for number in range(3, 4_000, 2) if all(number % each for each in range(3, 64, 2) if each < number)
]


@cache
def fixed_certificate() -> MadeCertificate:
    """A certificate for `SERVER_NAME`, the same in each process."""
    random = Seeded("fixed certificate")
    authority = Authority(wall_clock=WALL, key=draw_key(random), random=random)
    return MadeCertificate(authority.issue([SERVER_NAME], key=_rsa_key(random)), authority.pem)


def _rsa_key(random: Seeded) -> rsa.RSAPrivateKey:
    p, q = sorted((_prime(random), _prime(random)), reverse=True)
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def _prime(random: Seeded) -> int:
    size = BITS // 16
    while True:
        # The two highest bits make the product of two of them as long as it should be.
        number = int.from_bytes(random(size), "big") | 3 << 8 * size - 2 | 1
        if all(number % each for each in SMALL_PRIMES) and pow(2, number - 1, number) == 1:
            return number
