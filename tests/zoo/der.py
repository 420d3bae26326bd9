# SPDX-License-Identifier: GPL-2.0-or-later
"""DER put together by hand, well-formed or not, and certificates of it: libraries refuse to
make most of what tests/zoo/zoo.py is about. Keys and signatures are the library's."""
import datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

UTC = datetime.timezone.utc


# -- items --

def length(n):
    if n < 0x80:
        return bytes([n])
    octets = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def tlv(tag, *parts):
    body = b"".join(parts)
    return bytes([tag]) + length(len(body)) + body


def seq(*parts):
    return tlv(0x30, *parts)


def explicit(number, *parts):
    return tlv(0xa0 | number, *parts)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def bits(octets, unused=0):
    return tlv(0x03, bytes([unused]), octets)


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    body = b""
    for number in [40 * first + second] + rest:
        septets = [number & 0x7f]
        while number := number >> 7:
            septets.append(0x80 | number & 0x7f)
        body += bytes(reversed(septets))
    return tlv(0x06, body)


def time(t):
    """UTCTime up to 2049, GeneralizedTime from 2050 on."""
    text = t.strftime("%Y%m%d%H%M%SZ")
    return tlv(0x18, text.encode()) if t.year >= 2050 else tlv(0x17, text[2:].encode())


def common_name(text):
    return seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0c, text.encode()))))


# -- names --

def octets(text):
    return text if isinstance(text, bytes) else text.encode()


def dns(name):
    return tlv(0x82, octets(name))


def other_name(type_id, value):
    return explicit(0, oid(type_id), explicit(0, value))


def srv(name):
    return other_name("1.3.6.1.5.5.7.8.7", tlv(0x16, octets(name)))


def xmpp(name):
    return other_name("1.3.6.1.5.5.7.8.5", tlv(0x0c, octets(name)))


def email(address):
    return tlv(0x81, octets(address))


def uri(text):
    return tlv(0x86, octets(text))


def ip(*numbers):
    return tlv(0x87, bytes(numbers))


def directory(name):
    return explicit(4, common_name(name))


# -- extensions --

def extension(type_id, value, critical=False):
    return seq(oid(type_id), boolean(True) if critical else b"", tlv(0x04, value))


def alt_names(*names, critical=False):
    return extension("2.5.29.17", seq(*names), critical)


PURPOSES = {
    "server": "1.3.6.1.5.5.7.3.1",
    "client": "1.3.6.1.5.5.7.3.2",
    "email": "1.3.6.1.5.5.7.3.4",
    "any": "2.5.29.37.0",
}


def purposes(*names):
    return extension("2.5.29.37", seq(*(oid(PURPOSES[name]) for name in names)))


USAGES = ("signature", "commitment", "encipherment", "data", "agreement", "certificates", "crls")


def key_usage(*names):
    value = sum(0x80 >> USAGES.index(name) for name in names)
    unused = (value & -value).bit_length() - 1
    return extension("2.5.29.15", bits(bytes([value]), unused), critical=True)


def basic(ca, path=None):
    flag = boolean(True) if ca else b""
    return extension("2.5.29.19", seq(flag, b"" if path is None else integer(path)), critical=True)


def permitted(domain):
    """nameConstraints: dNSNames in this domain only."""
    return extension("2.5.29.30", seq(explicit(0, seq(tlv(0x82, octets(domain))))), critical=True)


# -- keys and signatures --

SHA256 = "2.16.840.1.101.3.4.2.1"
PSS_PARAMETERS = seq(explicit(0, seq(oid(SHA256))),
                     explicit(1, seq(oid("1.2.840.113549.1.1.8"), seq(oid(SHA256)))),
                     explicit(2, integer(32)))
NULL = tlv(0x05)


def key_make(kind):
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    return {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
    }[kind]()


def key_info(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def scheme_of(key):
    """How a key signs unless it is told otherwise."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "rsa-sha256"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "ecdsa-sha384" if key.key_size == 384 else "ecdsa-sha256"
    return "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "ed448"


def pss(hash_):
    return padding.PSS(mgf=padding.MGF1(hash_), salt_length=hash_.digest_size)


# scheme -> AlgorithmIdentifier, and how a key signs
SCHEMES = {
    "rsa-sha256": (seq(oid("1.2.840.113549.1.1.11"), NULL),
                   lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())),
    "rsa-sha1": (seq(oid("1.2.840.113549.1.1.5"), NULL),
                 lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA1())),
    "rsa-pss-sha256": (seq(oid("1.2.840.113549.1.1.10"), PSS_PARAMETERS),
                       lambda key, data: key.sign(data, pss(hashes.SHA256()), hashes.SHA256())),
    "ecdsa-sha256": (seq(oid("1.2.840.10045.4.3.2")),
                     lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA256()))),
    "ecdsa-sha384": (seq(oid("1.2.840.10045.4.3.3")),
                     lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA384()))),
    "ecdsa-sha1": (seq(oid("1.2.840.10045.4.1")),
                   lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA1()))),
    "ed25519": (seq(oid("1.3.101.112")), lambda key, data: key.sign(data)),
    "ed448": (seq(oid("1.3.101.113")), lambda key, data: key.sign(data)),
}


def certificate(*, key, issuer_key, issuer, subject, extensions, validity, serial,
                scheme=None, version=3, inner=None, tail=b""):
    """extensions: a list, empty for none. inner: an AlgorithmIdentifier that lies in the signed part.
    tail: appended to the signed part."""
    algorithm, sign = SCHEMES[scheme or scheme_of(issuer_key)]
    signed = seq(
        explicit(0, integer(version - 1)) if version > 1 else b"",
        integer(serial), inner or algorithm, issuer, validity, subject, key_info(key),
        explicit(3, seq(*extensions)) if extensions else b"", tail)
    return seq(signed, algorithm, bits(sign(issuer_key, signed)))
