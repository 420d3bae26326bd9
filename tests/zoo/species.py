# SPDX-License-Identifier: GPL-2.0-or-later
"""What lives in the zoo: one Species for each certificate, with what is to be made of it. The
expectations are written by hand, after the protocol's rules 4.3 and 4.4, and computed from nothing."""
import dataclasses
import datetime

from der import (alt_names, basic, boolean, directory, dns, email, explicit, extension,
                 ip, key_usage, oid, other_name, purposes, seq, srv, time, tlv, uri, xmpp, SCHEMES, UTC)

R1 = "rx.peer.test"
NOW = datetime.datetime.now(UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def from_to(begin, end):
    return seq(time(NOW + begin * DAY), time(NOW + end * DAY))


CURRENT = from_to(-30, 60)


@dataclasses.dataclass
class Species:
    name: str
    about: str
    rows: str = "-"
    # What is to be made of it: see README.md.
    chain: str = "ok"
    reads: str = "yes"
    proves: tuple = ()
    never: tuple = (R1,)
    # What is in it.
    names: tuple = ()
    usage: bytes = purposes("server")
    more: tuple = ()  # further extensions
    plain: bool = False  # no extensions at all
    subject: str = "a server"
    validity: bytes = CURRENT
    key: str = "p256"
    scheme: str = None
    issuer: str = "inter"
    sent: tuple = ("inter",)  # what follows it in the handshake
    version: int = 3
    inner: bytes = None
    tail: bytes = b""
    mend: object = None  # done to the finished DER


def good(name, about, proves=(R1,), never=("evil.test",), **rest):
    return Species(name, about, proves=proves, never=never, **rest)


def named(name, about, rows, names, proves=(), never=(R1,)):
    return Species(name, about, rows=rows, names=tuple(names), proves=proves, never=never)


def malformed(name, about, **rest):
    return Species(name, about, chain="-", reads="no", **{"names": (dns(R1),), **rest})


NAMES = [
    named("dns", "one dNSName", "T-C1", [dns(R1)], (R1,), ("peer.test", "muc.rx.peer.test")),
    named("dns-upper", "dNSName in upper case", "T-C1", [dns("RX.PEER.TEST")], (R1,), ()),
    named("dns-many", "both domains of a server", "T-C1", [dns(R1), dns("muc.rx.peer.test")],
          (R1, "muc.rx.peer.test"), ("peer.test",)),
    named("hosted", "for a router: all that it hosts", "-",
          [dns("shop.hosted.test"), dns("bank.hosted.test"), dns("xn--bcher-kva.hosted.test")],
          ("shop.hosted.test", "bank.hosted.test", "bücher.hosted.test")),
    named("hosted-shop", "for a router: one domain", "-", [dns("shop.hosted.test")],
          ("shop.hosted.test",), ("bank.hosted.test",)),
    named("hosted-bank", "for a router: another", "-", [dns("bank.hosted.test")],
          ("bank.hosted.test",), ("shop.hosted.test",)),
    named("wrong-name", "another domain's", "-", [dns("other.peer.test")], ("other.peer.test",)),
    named("wildcard", "the left-most label", "T-C2", [dns("*.peer.test")], (R1, "other.peer.test"),
          ("peer.test", "muc.rx.peer.test")),
    named("wildcard-head", "part of a label, its end", "T-C3", [dns("r*.peer.test")]),
    named("wildcard-tail", "part of a label, its start", "T-C3", [dns("*x.peer.test")]),
    named("wildcard-middle", "inside a label", "T-C3", [dns("m*c.rx.peer.test")], (),
          ("muc.rx.peer.test",)),
    named("wildcard-two", "two of them", "T-C3", [dns("*.*.test")]),
    named("wildcard-inner", "not the left-most label", "T-C3", [dns("rx.*.test")]),
    named("wildcard-ace", "inside an A-label", "T-C3", [dns("xn--*.peer.test")], (),
          (R1, "bücher.peer.test")),
    named("wildcard-alone", "nothing else", "T-C3", [dns("*")], (), (R1, "test")),
    named("wildcard-top", "below a top-level domain", "T-C3", [dns("*.test")], (),
          (R1, "peer.test")),
    named("srv", "SRVName", "T-C4", [srv("_xmpp-server.rx.peer.test")], (R1,), ("peer.test",)),
    named("srv-wildcard", "SRVName with a wildcard", "T-C4", [srv("_xmpp-server.*.peer.test")], (R1,),
          ("peer.test",)),
    named("srv-client", "SRVName of clients' service", "T-C5", [srv("_xmpp-client.rx.peer.test")]),
    named("srv-tcp", "SRVName with _tcp", "T-C5", [srv("_xmpp-server._tcp.rx.peer.test")]),
    named("srv-utf8", "SRVName in an UTF8String", "T-C5",
          [other_name("1.3.6.1.5.5.7.8.7", tlv(0x0c, b"_xmpp-server.rx.peer.test"))]),
    named("xmpp", "XmppAddr", "T-C6", [xmpp(R1)], (R1,), ("peer.test",)),
    named("xmpp-account", "XmppAddr of an account", "T-C6", [xmpp("ann@rx.peer.test")]),
    named("xmpp-resource", "XmppAddr with a resource", "T-C6", [xmpp("rx.peer.test/a")]),
    named("xmpp-wildcard", "XmppAddr with a wildcard", "T-C6", [xmpp("*.peer.test")]),
    named("all-kinds", "the three kinds, and others", "-",
          [email("a@rx.peer.test"), xmpp("a.peer.test"), srv("_xmpp-server.b.peer.test"),
           dns("c.peer.test"), ip(192, 0, 2, 1)],
          ("a.peer.test", "b.peer.test", "c.peer.test")),
    named("nul", "NUL in a dNSName", "T-C8", [dns(b"rx.peer.test\0.evil.test")], (),
          (R1, "evil.test")),
    named("nul-xmpp", "NUL in an XmppAddr", "T-C8", [xmpp(b"rx.peer.test\0.evil.test")]),
    named("nul-srv", "NUL in a SRVName", "T-C8", [srv(b"_xmpp-server.rx.peer.test\0.evil.test")]),
    named("nul-and-good", "the others count", "T-C8", [dns(b"rx.peer.test\0.x"), dns("c.peer.test")],
          ("c.peer.test",)),
    named("dot-last", "a dot at the end", "-", [dns("rx.peer.test.")]),
    named("dot-first", "an empty label", "-", [dns(".rx.peer.test")]),
    named("underscore", "no name for a certificate", "-", [dns("a_b.peer.test")], (),
          ("a_b.peer.test",)),
    named("address", "addresses and directory names", "T-C9",
          [ip(127, 0, 0, 1), email("a@rx.peer.test"), directory(R1)]),
    named("uri", "URIs", "T-C9", [uri("https://rx.peer.test/"), uri("xmpp://rx.peer.test")]),
    named("uri-xmpp", "a URI without an authority part", "T-C9", [uri("xmpp:rx.peer.test")]),
    named("idn", "an A-label", "T-C10", [dns("xn--bcher-kva.peer.test")], ("bücher.peer.test",),
          ("bucher.peer.test",)),
    named("idn-xmpp", "XmppAddr in U-labels", "T-C10", [xmpp("Bücher.peer.test")],
          ("bücher.peer.test",), ("bucher.peer.test",)),
    named("idn-raw", "UTF-8 in an IA5String", "T-C10", [dns("bücher.peer.test")], (),
          ("bücher.peer.test",)),
    Species("names-1000", "a thousand names", names=tuple(dns(f"n{i}.peer.test") for i in range(1000)),
            proves=("n0.peer.test", "n999.peer.test"), never=("n1000.peer.test",)),
    Species("names-1500", "more names than are looked at",
            names=tuple(dns(f"n{i}.peer.test") for i in range(1500)),
            proves=("n0.peer.test", "n1023.peer.test"), never=("n1024.peer.test", "n1499.peer.test")),
]

SUBJECTS = [
    Species("cn-only", "common name, no subjectAltName", rows="T-C7", subject=R1),
    Species("cn-tricks", "common name that looks like two", rows="T-C7", subject="x, CN=rx.peer.test"),
    Species("cn-and-other", "common name beside another dNSName", rows="T-C7", subject=R1,
            names=(dns("other.peer.test"),), proves=("other.peer.test",)),
    Species("version-1", "no extensions", rows="T-C7", subject=R1, plain=True, version=1),
]

R1_NAMES = (dns(R1),)
USAGES = [
    good("usage-server", "serverAuth", rows="T-C11 T-C22", names=R1_NAMES),
    good("usage-both", "serverAuth and clientAuth", rows="T-C11", names=R1_NAMES,
         usage=purposes("client", "server")),
    good("usage-none", "no extKeyUsage", rows="T-C12", names=R1_NAMES, usage=b""),
    good("usage-any", "anyExtendedKeyUsage", rows="T-C12", names=R1_NAMES, usage=purposes("any")),
    Species("usage-client", "clientAuth only", rows="T-C13", names=R1_NAMES,
            usage=purposes("client")),
    Species("usage-email", "emailProtection only", rows="T-C13", names=R1_NAMES,
            usage=purposes("email")),
    good("key-signs", "keyUsage digitalSignature", names=R1_NAMES, more=(key_usage("signature"),)),
    Species("key-agrees", "keyUsage keyAgreement only", names=R1_NAMES,
            more=(key_usage("agreement"),)),
    Species("ca-leaf", "cA=TRUE", rows="T-C14", names=R1_NAMES,
            more=(basic(True), key_usage("signature", "certificates"))),
    good("ca-false", "cA=FALSE", names=R1_NAMES, more=(basic(False),)),
    good("false-written", "cA=FALSE and critical FALSE written out", names=R1_NAMES,
         more=(seq(oid("2.5.29.19"), boolean(False), tlv(0x04, seq(boolean(False)))),)),
]

KEYS = [
    good("rsa-2048", "RSA", names=R1_NAMES, key="rsa2048", issuer="rsa", sent=("rsa",)),
    good("rsa-pss", "signed with RSASSA-PSS", names=R1_NAMES, issuer="rsa", sent=("rsa",),
         scheme="rsa-pss-sha256"),
    good("p384", "ECDSA, P-384", names=R1_NAMES, key="p384", issuer="p384", sent=("p384",)),
    good("ed25519", "Ed25519", names=R1_NAMES, key="ed25519", issuer="ed25519", sent=("ed25519",)),
    good("ed448", "Ed448", names=R1_NAMES, key="ed448", issuer="ed448", sent=("ed448",)),
    good("by-root", "no intermediate", names=R1_NAMES, issuer="root", sent=()),
    Species("sha1-rsa", "SHA-1 with RSA", rows="T-C14", chain="weak", names=R1_NAMES, issuer="rsa",
            sent=("rsa",), scheme="rsa-sha1"),
    Species("sha1-ecdsa", "SHA-1 with ECDSA", rows="T-C14", chain="weak", names=R1_NAMES,
            scheme="ecdsa-sha1"),
    good("rsa-1024", "a key that is too short", chain="weak", names=R1_NAMES, key="rsa1024"),
]

# For these what the certificate says is right. That it is not true is the chain's to show.
CHAINS = [
    good("expired", "over since yesterday", rows="T-C14", chain="expired", names=R1_NAMES,
         validity=from_to(-90, -1)),
    good("early", "begins tomorrow", rows="T-C14", chain="early", names=R1_NAMES,
         validity=from_to(1, 90)),
    good("ends-soon", "over tomorrow", rows="T-C17", names=R1_NAMES, validity=from_to(-1, 1)),
    good("ends-within-the-hour", "over in 50 minutes", rows="T-C17", names=R1_NAMES,
         validity=from_to(-1, 50 / 24 / 60)),
    good("until-2060", "GeneralizedTime", names=R1_NAMES,
         validity=seq(time(NOW - DAY), time(datetime.datetime(2060, 2, 29, tzinfo=UTC)))),
    good("early-generalized", "GeneralizedTime before 2050", names=R1_NAMES,
         validity=seq(time(NOW - DAY), tlv(0x18, b"20490101000000Z"))),
    good("self-signed", "its own issuer", rows="T-C14 T-C22", chain="unknown", names=R1_NAMES,
         issuer="self", sent=(), subject=R1),
    good("no-intermediate", "sent without what links it to the root", chain="unknown",
         names=R1_NAMES, sent=()),
    good("reversed", "chain sent in the wrong order, with the root", names=R1_NAMES,
         sent=("root", "inter")),
    good("rogue-chain", "unknown authority, sent along", rows="T-C14 T-C21 T-C22", chain="unknown",
         names=R1_NAMES, issuer="rogue", sent=("rogue",)),
    good("rogue-alone", "another leaf of it, alone", rows="T-C21", chain="unknown",
         names=(dns("victim.test"),), proves=("victim.test",), issuer="rogue", sent=()),
    good("rogue-namesake", "unknown authority with the name of ours", chain="unknown",
         names=R1_NAMES, issuer="namesake", sent=("namesake",)),
    good("by-leaf", "issued by a server's certificate", chain="unknown", names=R1_NAMES,
         issuer="leaf", sent=("leaf", "inter")),
    good("by-expired", "its issuer is over", chain="expired", names=R1_NAMES, issuer="expired",
         sent=("expired",)),
    good("constrained", "its issuer is for peer.test only", names=R1_NAMES, issuer="constrained",
         sent=("constrained",)),
    good("constrained-out", "and it is for another domain", chain="unknown",
         names=(dns("other.test"),), proves=("other.test",), issuer="constrained",
         sent=("constrained",)),
    good("forged", "one bit of the signature wrong", chain="unknown", names=R1_NAMES,
         mend=lambda der: der[:-1] + bytes([der[-1] ^ 1])),
    good("critical-unknown", "a critical extension that nobody knows", chain="unknown",
         names=R1_NAMES, more=(extension("1.3.6.1.4.1.55555.1", b"?", critical=True),)),
]


def length_longer(der):
    """The outermost length in one octet more than it needs."""
    octets = der[1] & 0x7f
    return der[:1] + bytes([0x81 + octets, 0]) + der[2:2 + octets] + der[2 + octets:]


def length_indefinite(der):
    octets = der[1] & 0x7f
    return der[:1] + b"\x80" + der[2 + octets:] + b"\0\0"


MALFORMED = [
    malformed("names-twice", "two subjectAltName", more=(alt_names(dns("evil.test")),)),
    malformed("unknown-twice", "an unknown extension twice",
              more=2 * (extension("1.3.6.1.4.1.55555.1", b"?"),)),
    malformed("names-empty", "subjectAltName without a name", names=(),
              more=(extension("2.5.29.17", seq()),)),
    malformed("names-cut", "a name longer than the extension", names=(dns(R1), b"\x82\x20evil")),
    malformed("names-choice", "a name of no type", names=(dns(R1), tlv(0x89, b"evil.test"))),
    malformed("other-name-open", "an otherName without a value",
              names=(dns(R1), explicit(0, oid("1.3.6.1.5.5.7.8.5")))),
    malformed("usage-empty", "extKeyUsage without a purpose", usage=extension("2.5.29.37", seq())),
    malformed("true-of-ber", "TRUE written as 01", more=(extension("2.5.29.19", seq(b"\x01\x01\x01")),)),
    malformed("bits-of-ber", "keyUsage with zeros at its end",
              more=(extension("2.5.29.15", b"\x03\x02\x00\x80"),)),
    malformed("length-longer", "a length that is not the shortest", mend=length_longer),
    malformed("length-indefinite", "the indefinite length of BER", mend=length_indefinite),
    malformed("garbage-behind", "octets behind it", mend=lambda der: der + b"\0"),
    malformed("two-algorithms", "the signed part names another", inner=SCHEMES["ecdsa-sha384"][0]),
    malformed("time-without-seconds", "UTCTime to the minute",
              validity=seq(time(NOW - DAY), tlv(0x17, b"4901010000Z"))),
    malformed("time-with-zone", "UTCTime with an offset",
              validity=seq(time(NOW - DAY), tlv(0x17, b"490101000000+0100"))),
    malformed("backwards", "ends before it begins", validity=from_to(1, -1)),
    malformed("version-4", "a version that there is not", version=4),
    malformed("version-2", "extensions in version 2", version=2),
    malformed("tail", "more in the signed part", tail=tlv(0x04, b"?")),
]

ALL = NAMES + SUBJECTS + USAGES + KEYS + CHAINS + MALFORMED
