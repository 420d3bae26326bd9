#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes tests/fuzz/corpus/<target>/, the inputs that the fuzz targets start from: stanzas of the
shapes that servers exchange, and one file for each attack of docs/protocol.md (9.2, 9.4, 10.18).

    tests/fuzz/make_corpus.py [--check]     --check: the files are there and are these
"""
import pathlib
import sys

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"

CLIENT = "xmlns='jabber:client'"
STANZAS = {
    "chat_states_receipts": "<message xmlns='jabber:server' from='romeo@montague.test/orchard' "
    "to='juliet@capulet.test' type='chat' id='c-1' xml:lang='en'><body>Wherefore art thou &amp; "
    "&quot;why&quot;?</body><active xmlns='http://jabber.org/protocol/chatstates'/><request "
    "xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id "
    "xmlns='urn:xmpp:sid:0' id='c-1'/><thread parent='a'>b</thread></message>",
    "chat_xhtml": "<message from='a@b.test/c' to='d@e.test'><body>hi</body><html "
    "xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>"
    "<p style=\"color: 'red'\">hi <em>there</em> &#169;</p></body></html></message>",
    "chat_correction_emoji": "<message from='a@b.test/c' to='d@e.test' id='x'><body>\U0001f600 "
    "\u20ac \u00e9 \u4f60\u597d</body><replace id='w' xmlns='urn:xmpp:message-correct:0'/>"
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start=\"0\" end=\"7\"/>"
    "</fallback></message>",
    "muc_presence": "<presence from='room@muc.b.test/Nick &lt;3' to='a@c.test/r'><x "
    "xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' jid='a@c.test/r' "
    "role='participant'/><status code='110'/></x><show>away</show><priority>-1</priority>"
    "</presence>",
    "muc_subject": "<message from='room@muc.b.test/n' to='a@c.test/r' type='groupchat'><subject>"
    "</subject><delay xmlns='urn:xmpp:delay' stamp='2026-01-02T03:04:05Z' from='muc.b.test'/>"
    "<stanza-id xmlns='urn:xmpp:sid:0' by='room@muc.b.test' id='5f3d'/></message>",
    "pep_omemo": "<message from='a@b.test' to='c@d.test' type='headline'><event "
    "xmlns='http://jabber.org/protocol/pubsub#event'><items "
    "node='eu.siacs.conversations.axolotl.devicelist'><item id='current'><list "
    "xmlns='eu.siacs.conversations.axolotl'><device id='12345'/><device id='678'/></list></item>"
    "</items></event><addresses xmlns='http://jabber.org/protocol/address'><address "
    "type='replyto' jid='a@b.test/x'/></addresses></message>",
    "omemo_message": "<message from='a@b.test/c' to='c@d.test' type='chat'><encrypted "
    "xmlns='eu.siacs.conversations.axolotl'><header sid='27183'><key rid='31415' prekey='true'>"
    "BASE64+/==</key><iv>aXY=</iv></header><payload>cGF5bG9hZA==</payload></encrypted><store "
    "xmlns='urn:xmpp:hints'/></message>",
    "jingle_initiate": "<iq from='a@b.test/c' to='c@d.test/e' type='set' id='j1'><jingle "
    "xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s1'><content creator='initiator' "
    "name='voice'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type "
    "id='96' name='opus' clockrate='48000'/></description><transport "
    "xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='as+/d' ufrag='8hhy'><candidate "
    "component='1' foundation='1' ip='192.0.2.1' port='5000'/></transport></content></jingle></iq>",
    "disco_info_result": "<iq type='result' from='b.test' to='c@d.test/e' id='d1'><query "
    "xmlns='http://jabber.org/protocol/disco#info' node='urn:n#q07IKJEyjvHSyhy//CH0CxmKi8w='>"
    "<identity category='server' type='im' name='S &amp; Co'/><feature var='urn:xmpp:ping'/><x "
    "xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>a</value>"
    "</field></x></query></iq>",
    "presence_caps": "<presence from='a@b.test/c' to='d@e.test'><c "
    "xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://c.test' "
    "ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/><x xmlns='vcard-temp:x:update'><photo/></x></presence>",
    "roster_push": "<iq from='a@b.test' to='a@b.test/c' type='set' id='r'><query "
    "xmlns='jabber:iq:roster' ver='7'><item jid='x@y.test' name='X \"Y\" Z' subscription='both'>"
    "<group>Friends</group></item></query></iq>",
    "vcard": "<iq from='a@b.test/c' to='d@e.test' type='result' id='v'><vCard xmlns='vcard-temp'>"
    "<FN>P. M\u00fcller</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>\niVBORw0KGgo\n AAAA\r\n"
    "</BINVAL></PHOTO><DESC><![CDATA[<b>1 & 2</b> ]] >]]></DESC></vCard></iq>",
    "mam_forwarded": "<message from='a@b.test' to='c@d.test/e'><result xmlns='urn:xmpp:mam:2' "
    "queryid='f27' id='28482'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' "
    f"stamp='2026-07-10T23:08:25Z'/><message {CLIENT} from='v@w.test/x' to='a@b.test'><body>Hail"
    "</body></message></forwarded></result></message>",
    "carbon": f"<message {CLIENT} from='a@b.test' to='a@b.test/c'><received "
    f"xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message {CLIENT} "
    "from='x@y.test'/></forwarded></received></message>",
    "file_sharing": "<message from='a@b.test/c' to='d@e.test'><file-sharing xmlns='urn:xmpp:sfs:0' "
    "disposition='inline'><file xmlns='urn:xmpp:file:metadata:0'><name>a&#x20;b.jpg</name><size>"
    "3032449</size><hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>2XarmwTl</hash></file><sources>"
    "<url-data xmlns='http://jabber.org/protocol/url-data' target='https://e.test/?a=1&amp;b=2'/>"
    "</sources></file-sharing></message>",
    "subscribe": "<presence id='s' to='d@e.test' from='a@b.test' type='subscribe'/>",
    "ping": "<iq from='b.test' to='e.test' id='p' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
    "error_bounce": "<message from='d@e.test' to='a@b.test/c' type='error' id='&apos;/&gt;'><error "
    "type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text "
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='de'>Nicht da</text></error></message>",
    "dialback_result": "<db:result from='a.test' to='b.test'>37c69b1cf07a3f67c04a5ef5902fa5114f2c"
    "76fe4a2686482ba5b89323075643</db:result>",
    "dialback_verify": "<db:verify from='b.test' to='a.test' id='D60000229F' type='invalid'/>",
    "dialback_error": "<db:result from='a.test' to='b.test' type='error'><error type='cancel'>"
    "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>",
    "stream_features": "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>"
    "<required/></starttls><dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism>"
    "</mechanisms></stream:features>",
    "stream_error": "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>No &lt;such&gt; host</text>"
    "</stream:error></stream:stream>",
    "starttls_sasl": "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/> <auth "
    "xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>\n<proceed "
    "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "stream_management": "<enable xmlns='urn:xmpp:sm:3'/><r xmlns='urn:xmpp:sm:3'/><a "
    "xmlns='urn:xmpp:sm:3' h='1'/>",
    "prefixed_payload": "<message from='a@b.test' to='c.test'><p:x xmlns:p='urn:p' p:a='1' a='2' "
    "xmlns:q='urn:q' q:a='3'><q:y xmlns:q='urn:p' q:a=''/><x xmlns='' b='c'/></p:x></message>",
    "root_prefixes": "<db:x p:a='1' from='q'><stream:y><c:z q:a='2'/><o:w/></stream:y></db:x>",
    "content_explicit": "<message xmlns='jabber:server' to='a'><body xmlns=\"jabber:server\">x"
    "</body><c:subject xmlns:c='jabber:server'/><x xmlns='urn:x'><y xmlns='jabber:server'/></x>"
    "</message>",
    "spaces_in_tags": "<message\n\tto = \"a'b\"\r\nfrom\t=\n'c&#9;d\te'  ><b\n/ ></b\n></message >",
    "keepalives": " \n\t<presence/>\r\n <presence />  </stream:stream >",
    "fifth_edition_name": "<message><\u0370/><a \u0370='1'/><\U00010000/></message>",
    "wide_names": "<\u00e9l\u00e9ment \u4f60='\u597d'><a\u00b7-.1/></\u00e9l\u00e9ment>",
}

# In a name, a prefix, an attribute, a namespace name, text and CDATA.
PLACES = {
    "text": (b"<message><body>a", b"b</body></message>"),
    "cdata": (b"<message><body><![CDATA[a", b"]]></body></message>"),
    "attr": (b"<message to='a", b"b'/>"),
    "name": (b"<a><b", b"c/></a>"),
    "prefix": (b"<a xmlns:p", b"q='u'/>"),
    "uri": (b"<a xmlns='urn:a", b"b'/>"),
}
BYTES = {
    "overlong_lt": b"\xc0\xbc", "overlong_lt_3": b"\xe0\x80\xbc", "overlong_lt_4":
    b"\xf0\x80\x80\xbc",
    "lone_continuation": b"\x80", "surrogate": b"\xed\xa0\x80", "surrogate_pair":
    b"\xed\xa0\xbd\xed\xb8\x80", "five_bytes": b"\xf8\x88\x80\x80\x80", "above_10ffff":
    b"\xf4\x90\x80\x80", "truncated_2": b"\xc3", "truncated_3": b"\xe2\x82", "truncated_4":
    b"\xf0\x9f\x98", "nul": b"\0", "control": b"\x01", "form_feed": b"\x0c", "fffe":
    b"\xef\xbf\xbe", "ffff": b"\xef\xbf\xbf", "fdd0": b"\xef\xb7\x90", "c1": b"\xc2\x85",
    "del": b"\x7f",
    "line_separator": b"\xe2\x80\xa8", "bar": b"|", "brace": b"}", "space": b" ", "bom":
    b"\xef\xbb\xbf", "lf_reference": b"&#10;", "null_reference": b"&#0;", "surrogate_reference":
    b"&#xD800;", "high_reference": b"&#x110000;", "long_reference": b"&#x000000041;",
    "unknown_entity": b"&nbsp;", "lt": b"<", "gt": b">", "cdata_end": b"]]>", "ampersand": b"&",
    "quotes": b"'\"", "crlf_tab": b"\r\n\t",
}
MARKUP = {
    "billion_laughs": "<!DOCTYPE a [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><a>&b;</a>",
    "doctype_inside": "<a><!DOCTYPE a></a>", "entity_declaration": "<!ENTITY a 'b'>",
    "comment": "<a><!-- c --></a>", "instruction": "<a><?x y?></a>",
    "declaration_inside": "<a/><?xml version='1.0'?><b/>", "missing_space": "<a xmlns='x'y='z'/>",
    "lt_in_value": "<a x='1' y='<'/>", "twice": "<a x='1' x='2'/>",
    "twice_by_two_prefixes": "<a p:x='1' q:x='2' xmlns:p='u' xmlns:q='u'/>",
    "twice_by_reference": "<a p:x='1' q:x='2' xmlns:p='u' xmlns:q='&#117;'/>",
    "twice_by_wide_reference": "<a p:x='1' q:x='2' xmlns:p='u&#xe9;v' xmlns:q='u\u00e9v'/>",
    "twice_by_line_end": "<a p:x='1' q:x='2' xmlns:p='u\r\nv' xmlns:q='u v'/>",
    "once_by_line_end": "<a p:x='1' q:x='2' xmlns:p='u&#10;v' xmlns:q='u\nv'/>",
    "lang_by_another": "<a xml:lang='a' p:lang='b' xmlns:p='urn:p'/>",
    "lang_twice": "<a xml:lang='a' x:lang='b' xmlns:x='http://www.w3.org/XML/1998/namespace'/>",
    "unbound_element": "<foo:a/>", "unbound_attribute": "<a foo:b='c'/>",
    "unbound_after_scope": "<a><b xmlns:z='u'/><z:c/></a>", "undeclared_prefix": "<a xmlns:p=''/>",
    "prefix_xmlns": "<a xmlns:xmlns='u'/>", "prefix_xml": "<a xmlns:xml='urn:evil'/>",
    "uri_xmlns": "<a xmlns='http://www.w3.org/2000/xmlns/'/>", "two_colons": "<a:b:c xmlns:a='u'/>",
    "leading_colon": "<:a/>", "trailing_colon": "<db:/>", "mismatch": "<a></b>",
    "mismatch_prefix": "<message></messages>", "unbalanced": "<a><b></a></b>",
    "end_with_attribute": "<a></a b='c'>", "end_alone": "</a>",
    "root_ended": "</stream:stream><a/>",
    "injected_stream": "<a></stream:stream><stream:stream></a>", "second_header":
    "<stream:stream xmlns='jabber:server'><a/></stream:stream>",
    "tag_in_text": "<message><body>&lt;/message>&lt;/stream:stream></body><x><![CDATA[</message>"
    "</stream:stream>]]></x></message>", "gt_in_value": "<message to='a>b'><c d='/>'/></message>",
    "id_injection": "<message id=\"a'/><message\"/>", "text_between": "<a/>text<b/>",
    "cdata_between": "<![CDATA[a]]><b/>", "unquoted": "<a b=c/>",
    "digit_first": "<a><1b/></a>", "digit_first_attribute": "<a 1b='c'/>",
    "reference_letters": "<a>&#65a;</a>", "reference_letters_hex": "<a>&#x41G;</a>",
    "cdata_exclamation": "<a><!xCDATA[x]]></a>",
    "letter_for_lt": "<a/>tb/>", "root_ended_twice": "</stream:stream></stream:stream><a/>",
    "quoted_by_letters": "<a b=cxc d='e'/>", "no_equals_sign": "<a b~'c'/>", "no_value": "<a b/>",
    "cdata_lower": "<a><![cdata[x]]></a>", "bang": "<a><!x></a>", "slash_space": "<a / >",
    "slash_referenced": "<message from='victim.test&#47;x@evil.test' to='a&#x40;b'/>",
    "reference_unended": "<a>&amp</a>", "reference_empty": "<a>&;&#;&#x;</a>",
    "reference_upper_x": "<a>&#X41;</a>", "entity_case": "<a>&AMP;</a>",
    "deep": "<a>" * 66 + "</a>" * 66, "many_attributes":
    "<a " + " ".join(f"a{i}=''" for i in range(66)) + "/>",
    "many_declarations": "<a " + " ".join(f"xmlns:p{i}='u'" for i in range(66)) + "/>",
    "many_nested_declarations": "<a " + " ".join(f"xmlns:p{i}='u'" for i in range(40)) + "><b " +
    " ".join(f"xmlns:q{i}='u'" for i in range(40)) + "/></a>",
    "many_redeclared": "<a>" + "<b xmlns='jabber:server'/>" * 10 + "</a>",
    "long_brackets": "<a>" + "x" * 500 + "]]" + ">b</a>", "client_on_server":
    "<message xmlns='jabber:client' to='a'/>", "foreign_dialback":
    "<result xmlns='jabber:server:dialback' from='a' to='b'/>", "dialback_by_reference":
    "<x:result xmlns:x='jabber:server&#58;dialback'/>", "streams_by_default":
    "<error xmlns='http://etherx.jabber.org/streams'/>",
}
STREAM = "http://etherx.jabber.org/streams"
ROOT = f"<stream:stream xmlns='jabber:server' xmlns:stream='{STREAM}' xmlns:db='jabber:server:" \
    "dialback' from='a.test' to='b.test' version='1.0' xml:lang='en'>"
DECL = "<?xml version='1.0'?>"
HEADERS = {
    "plain": ROOT, "declared": DECL + ROOT, "declared_utf8":
    '\ufeff<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\r\n' + ROOT,
    "prefix_free": f"<stream xmlns='{STREAM}' to='b.test'>", "client":
    f"<stream:stream xmlns='jabber:client' xmlns:stream='{STREAM}' to='b.test'>",
    "component": f"<s:stream xmlns:s='{STREAM}' xmlns='jabber:component:accept' to='c.test'>",
    "utf16": "<?xml version='1.0' encoding='UTF-16'?>" + ROOT, "latin1":
    "<?xml version='1.0' encoding='iso-8859-1'?>" + ROOT, "version_1_1":
    "<?xml version='1.1'?>" + ROOT, "two_declarations": DECL + DECL + ROOT, "declared_late":
    " " + DECL + ROOT, "instruction": "<?xml-stylesheet a?>" + ROOT, "doctype":
    "<!DOCTYPE a [<!ENTITY b 'c'>]>" + ROOT, "comment": "<!-- a -->" + ROOT,
    "empty_root": ROOT[:-1] + "/>", "end_first": "</stream:stream>" + ROOT,
    "text_first": "a" + ROOT,
    "reference_in_uri": ROOT.replace("jabber:server'", "jabber&#58;server'", 1),
    "references": ROOT.replace("a.test", "a&#46;test&amp;\t"), "unbound": "<stream:stream>",
    "many_prefixes": "<s " + " ".join(f"xmlns:p{i}='u{i}'" for i in range(34)) + ">",
    "xml_prefix": "<s xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='a' xmlns='u'>",
    "declaration_empty": "<?xml?>" + ROOT, "declaration_name": "<?xm l?>" + ROOT,
    "declaration_no_equals": "<?xml version '1.0'?>" + ROOT,
    "declaration_no_quote": "<?xml version=1.0?>" + ROOT,
    "declaration_no_end_quote": "<?xml version='1.0?>" + ROOT,
    "declaration_lt": "<?xml version='1.0' <?>" + ROOT,
    "declaration_gt": "<?xml version='1.0'>" + ROOT,
    "encoding_utf_7": "<?xml version='1.0' encoding='UTF-7'?>" + ROOT,
    "namespace_none": "<s a='b'>",
    "letter_for_lt": "a" + ROOT[1:],
    "double_bom": "\ufeff\ufeff" + ROOT, "version_missing": "<?xml encoding='UTF-8'?>" + ROOT,
    "standalone_maybe": "<?xml version='1.0' standalone='maybe'?>" + ROOT,
    "order": "<?xml version='1.0' standalone='no' encoding='utf-8'?>" + ROOT,
    "gt_in_value": ROOT.replace("en'", "e>n'"), "wide_name": "<\u00e9:s xmlns:\u00e9='urn:x'>",
    "fifth_edition": "<\u0370 xmlns='urn:x'>",
}
# '`': a raw value, 'a': an address, 'b': a domain (tests/fuzz/fuzz_address.c).
ADDRESSES = [
    "`plain", "`a&amp;b&#47;c&#x40;d\te\r\nf", "`&bad;", "`&#x10FFFF;&#128512;", "`&",
    "`\u20ac&lt;",
    "aa@b.test/c", "ab.test", "ab.test/c@d/e", "a@b", "ab/", "aa@", "aa@b@c",
    "a\u00fc@\u00df.test/\u20ac", "avictim.test/x@evil.test", "a" + "x" * 1023 + "@b",
    "a" + "x" * 1022 + "\u00e9@b",
    "ab/" + "y" * 1024, "bshop.hosted.test", "bSHOP.Hosted.Test.", "bb\u00fccher.hosted.test",
    "bB\u00dcCHER.test", "bxn--bcher-kva.test", "bXN--BCHER-KVA.test", "bfa\u00df.de", "b127.0.0.1",
    "b[::1]", "b0x7f.1", "ba..b", "b.", "b-a.test", "b_xmpp._tcp.test", "b\uff21\uff0etest",
    "b\u3002test", "b\u0644\u0627.test", "b\u200dx.test", "b" + "l" * 64 + ".test",
    "b" + ".".join(["l" * 63] * 4), "b\u2488com", "bxn--a", "bxn--", "ba\u0301.test",
    "b\U0001f600.test",
    "bI\u0307.test", "b\u0130.test", "bexa\u00admple.test", "b" + "\u00fc" * 60 + ".test",
]


def utf8(text):
    return text if isinstance(text, bytes) else text.encode()


def bad_bytes():
    for place, (before, behind) in PLACES.items():
        for name, bytes_ in BYTES.items():
            yield f"{name}_in_{place}", before + bytes_ + behind


def corpus():
    """Yields (target, name, bytes). Behind the selecting bytes come two that seed the cuts."""
    attacks = [*bad_bytes(), *MARKUP.items()]
    for number, (name, text) in enumerate(STANZAS.items()):
        yield "diff", name, b"@" + bytes([number, 7]) + utf8(text)
        # The same on another kind of stream, and with the small limit.
        yield "diff", name + "_elsewhere", bytes([b"ABCDEPSV"[number % 8], number, 3]) + utf8(text)
        yield "element", name, bytes([b"@AB"[number % 3]]) + utf8(text)
    for number, (name, text) in enumerate(attacks):
        yield "diff", name, b"@" + bytes([number % 251, 1]) + utf8(text)
    for name, text in MARKUP.items():
        yield "element", name, b"@" + utf8(text)
    for name, text in HEADERS.items():
        yield "header", name, b"ab" + utf8(text)
        yield "element", "header_" + name, b"P" + utf8(text)
    for name, bytes_ in (("utf16le", ROOT.encode("utf-16")), ("utf16be", ROOT.encode("utf-16-be")),
                         ("utf32", ROOT.encode("utf-32-le"))):
        yield "header", "really_" + name, b"ab" + bytes_
    for number, text in enumerate(ADDRESSES):
        yield "address", f"{number:02}", utf8(text)


def main():
    files = {CORPUS / target / name: bytes_ for target, name, bytes_ in corpus()}
    if sys.argv[1:] == ["--check"]:
        folders = {path.parent for path in files} # others are not text and come from elsewhere
        there = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
        wrong = sorted(path for path in files.keys() | there.keys()
                       if files.get(path) != there.get(path))
        for path in wrong:
            print(f"{path}: not what make_corpus.py writes")
        return 1 if wrong else 0
    for path, bytes_ in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes_)
    print(f"{len(files)} files, {sum(map(len, files.values()))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
