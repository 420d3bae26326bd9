#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the certificate zoo: certificates right and wrong in one way each, with keys, chains and a
manifest of what is to be made of them. README.md beside this file describes what is written.

    zoo.py DIRECTORY           makes it; the directory is made, files in it are overwritten
    zoo.py --check DIRECTORY   compares the chain column of a zoo with what openssl verify says

Needs Debian's python3-cryptography; --check needs the openssl program.
"""
import argparse
import base64
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import der  # noqa: E402
import species  # noqa: E402

CHAIN_WORDS = {"ok", "unknown", "expired", "early", "weak", "-"}
COLUMNS = "name rows chain reads proves never about"


class Authority:
    """A certificate that others are issued by; `issuer` None: its own."""

    def __init__(self, name, issuer, kind="p256", more=(), validity=species.CURRENT, ca=True):
        self.key = der.key_make(kind)
        self.subject = der.common_name(name)
        issuer = issuer or self
        self.der = der.certificate(
            key=self.key, issuer_key=issuer.key, issuer=issuer.subject, subject=self.subject,
            serial=serial_make(), validity=validity,
            extensions=[der.basic(ca), der.key_usage("certificates", "crls"), *more] if ca else
            [der.alt_names(der.dns("leaf.peer.test")), der.purposes("server")])


def serial_make():
    return int.from_bytes(os.urandom(16), "big") >> 1


def authorities_make():
    root = Authority("Zoo Root", None)
    inter = Authority("Zoo Intermediate", root)
    rogue = Authority("Rogue Root", None)
    return {
        "root": root,
        "inter": inter,
        "rsa": Authority("Zoo RSA", root, kind="rsa2048"),
        "p384": Authority("Zoo P-384", root, kind="p384"),
        "ed25519": Authority("Zoo Ed25519", root, kind="ed25519"),
        "ed448": Authority("Zoo Ed448", root, kind="ed448"),
        "expired": Authority("Zoo Expired", root, validity=species.from_to(-90, -1)),
        "constrained": Authority("Zoo Constrained", root, more=(der.permitted("peer.test"),)),
        "leaf": Authority("leaf.peer.test", inter, ca=False),
        "rogue": rogue,
        "namesake": Authority("Zoo Intermediate", rogue),
    }


def leaf_make(kind, authorities):
    """The key and the DER of one species."""
    key = der.key_make(kind.key)
    subject = der.common_name(kind.subject)
    extensions = [
        *([der.alt_names(*kind.names)] if kind.names else []),
        *([kind.usage] if kind.usage else []),
        *kind.more,
    ]
    issuer = authorities.get(kind.issuer)
    made = der.certificate(
        key=key, subject=subject, serial=serial_make(), validity=kind.validity,
        issuer_key=issuer.key if issuer else key, issuer=issuer.subject if issuer else subject,
        extensions=[] if kind.plain else extensions,
        scheme=kind.scheme, version=kind.version, inner=kind.inner, tail=kind.tail)
    return key, kind.mend(made) if kind.mend else made


def pem(certificate):
    text = base64.encodebytes(certificate).decode().replace("\n", "")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def zoo_make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    authorities = authorities_make()
    for name, authority in authorities.items():
        (folder / f"authority-{name}.pem").write_text(pem(authority.der))
    lines = [f"# {COLUMNS}".replace(" ", "\t").replace("#\t", "# ")]
    for kind in species.ALL:
        assert kind.chain in CHAIN_WORDS, kind
        key, made = leaf_make(kind, authorities)
        chain = [made] + [authorities[name].der for name in kind.sent]
        (folder / f"{kind.name}.der").write_bytes(made)
        (folder / f"{kind.name}.pem").write_text("".join(map(pem, chain)))
        (folder / f"{kind.name}.key").write_bytes(der.key_pem(key))
        lines.append("\t".join([kind.name, kind.rows, kind.chain, kind.reads,
                                " ".join(kind.proves) or "-", " ".join(kind.never) or "-",
                                kind.about]))
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return len(species.ALL)


def manifest_read(folder):
    for line in (folder / "manifest.tsv").read_text().splitlines():
        if not line.startswith("#"):
            yield dict(zip(COLUMNS.split(), line.split("\t")))


def openssl_says(folder, name):
    """"ok", "expired", "early" or "unknown"."""
    leaf, *sent = (folder / f"{name}.pem").read_text().split("-----END CERTIFICATE-----\n")[:-1]
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as chain:
        chain.write("".join(one + "-----END CERTIFICATE-----\n" for one in sent))
        chain.flush()
        command = ["openssl", "verify", "-CAfile", folder / "authority-root.pem", "-no-CApath"]
        command += ["-untrusted", chain.name] if sent else []
        done = subprocess.run([*command, folder / f"{name}.pem"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return "ok"
    if "certificate has expired" in done.stdout:
        return "expired"
    return "early" if "not yet valid" in done.stdout else "unknown"


def zoo_check(folder):
    """How many species openssl judges otherwise, each of which is printed. What is malformed or weak
    is left out: how forgiving libraries are, there, is what the zoo is to find out."""
    bad = 0
    for row in manifest_read(folder):
        if row["chain"] in ("-", "weak"):
            continue
        says = openssl_says(folder, row["name"])
        if says != row["chain"]:
            print(f"{row['name']}: {row['chain']} says the manifest, {says} says openssl")
            bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser(description="makes the certificate zoo")
    parser.add_argument("--check", action="store_true", help="compare a zoo with openssl verify")
    parser.add_argument("directory", type=pathlib.Path)
    args = parser.parse_args()
    if args.check:
        bad = zoo_check(args.directory)
        print(f"{bad} chains are not as the manifest says")
        return 1 if bad else 0
    print(f"{zoo_make(args.directory)} certificates in {args.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
