#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes certificate files into a folder, one for each line of standard input:

    FILE NAME... [OPTION=VALUE...]

NAME is a dNSName, or srv:NAME, xmpp:NAME (of UTF-8), cn:NAME. Options:

    serial=N         of the certificate, by which tests know it again
    from=D to=D      days from now; -30 and 60
    key=KIND         p256, p384, p521, k256, ed25519, ed448, rsa1024, rsa2048
    form=FORM        of the key: pkcs8, traditional, encrypted, locked (encrypted, traditional)
    at=PLACE         of the key: file, beside (FILE with .key), none; other: another key's
    usage=PURPOSE    extKeyUsage; ca: an authority's
    chain=N          further certificates behind it
    mode=MODE        of the file with the key, octal; 600
    many=N           writes N of them; @ in FILE and NAME becomes the number, one key for all

Certificates are self-signed. Needs Debian's python3-cryptography.
"""
import base64
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "zoo"))

import der  # noqa: E402
import species  # noqa: E402

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

DEFAULTS = {"serial": "1", "from": "-30", "to": "60", "key": "p256", "form": "pkcs8", "at": "file",
            "usage": "", "chain": "0", "mode": "600", "many": "0"}


def pem(label, octets):
    text = base64.encodebytes(octets).decode().replace("\n", "")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, "\n".join(lines), label)


def key_make(kind):
    odd = {"k256": ec.SECP256K1, "p521": ec.SECP521R1}
    return ec.generate_private_key(odd[kind]()) if kind in odd else der.key_make(kind)


def key_text(key, form):
    encryption = serialization.NoEncryption()
    if form in ("encrypted", "locked"):
        encryption = serialization.BestAvailableEncryption(b"secret")
    traditional = form in ("traditional", "locked")
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL if traditional
        else serialization.PrivateFormat.PKCS8, encryption).decode()


def alt_name(name):
    kind, _, text = name.rpartition(":")
    return {"": der.dns, "srv": der.srv, "xmpp": der.xmpp}[kind](text)


def extensions(names, options):
    alt = [alt_name(name) for name in names if not name.startswith("cn:")]
    usage = options["usage"]
    return [*([der.alt_names(*alt)] if alt else []), der.basic(usage == "ca"),
            *([der.purposes(usage)] if usage not in ("", "ca") else [])]


def certificate(names, options, key, serial):
    subject = der.common_name(names[0].removeprefix("cn:"))
    return der.certificate(
        key=key, issuer_key=key, issuer=subject, subject=subject, serial=serial,
        extensions=extensions(names, options),
        validity=species.from_to(int(options["from"]), int(options["to"])))


def write(path, text, mode):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)


def make(folder, file, names, options, key):
    made = certificate(names, options, key, int(options["serial"]))
    text = pem("CERTIFICATE", made) * (1 + int(options["chain"]))
    private = key_text(key_make(options["key"]) if options["at"] == "other" else key,
                       options["form"])
    mode = int(options["mode"], 8)
    if options["at"] == "beside":
        write(folder / (file.removesuffix(".pem") + ".key"), private, mode)
    beside = options["at"] in ("beside", "none")
    write(folder / file, text if beside else text + private, 0o644 if beside else mode)


def main():
    folder = pathlib.Path(sys.argv[1])
    for line in sys.stdin:
        file, *words = line.split()
        options = DEFAULTS | dict(word.split("=") for word in words if "=" in word)
        names = [word for word in words if "=" not in word]
        key = key_make(options["key"])
        if options["many"] == "0":
            make(folder, file, names, options, key)
        for i in range(int(options["many"])):
            numbered = [name.replace("@", str(i)) for name in names]
            make(folder, file.replace("@", str(i)), numbered, options, key)


if __name__ == "__main__":
    main()
