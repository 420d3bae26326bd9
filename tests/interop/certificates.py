# SPDX-License-Identifier: GPL-2.0-or-later
"""An authority that signs certificates for the servers of a test, right ones and wrong ones."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
CURRENT = (-1, 90)  # days from now: the first and the last
EXPIRED = (-90, -1)
ENDING = (-80, 6.5)


def _named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _builder(subject, issuer, key, days, ca):
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder()
            .subject_name(_named(subject)).issuer_name(_named(issuer))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca, None), critical=True))


class Authority:
    """Its files lie in one folder: ca.pem, and certificates with the key behind them."""

    NAME = "Interop Root"

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = _builder(self.NAME, self.NAME, self._key, CURRENT, True)
        self._write(self.file, own.sign(self._key, hashes.SHA256()))

    @staticmethod
    def _write(path, certificate, key=None):
        text = certificate.public_bytes(serialization.Encoding.PEM)
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_bytes(text + (_pem(key) if key else b""))

    def certificate(self, path, names, days=CURRENT, self_signed=False):
        """For servers only, as public authorities do it nowadays: Debian's ejabberd does without
        SASL EXTERNAL then when it is the one to check."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = "a server" if self_signed else self.NAME
        builder = (_builder("a server", issuer, key, days, False)
                   .add_extension(x509.SubjectAlternativeName(
                       [x509.DNSName(name) for name in names]), critical=False)
                   .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
                                  critical=False))
        signer = key if self_signed else self._key
        self._write(path, builder.sign(signer, hashes.SHA256()), key)
        return path
