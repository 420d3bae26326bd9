/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every bound on what a peer, a backend or a resolver can drive. What an
 * operator may set has a flag of its own, for which the value here is the
 * default (core/config.c); the rest is fixed. Rule numbers are
 * those of docs/protocol.md.
 */
#ifndef SLUICE_LIMITS_H
#define SLUICE_LIMITS_H

/* -- addresses (RFC 7622 section 3) -- */
#define LIMIT_DOMAIN 1023 /* octets of a domainpart in canonical form */
#define LIMIT_JID_PART 1023 /* octets of localpart and of resourcepart */
#define LIMIT_JID 3071 /* octets of a whole address */
#define LIMIT_DNS_NAME 253 /* octets of a name in A-label form */
#define LIMIT_DNS_LABEL 63

/* -- XML -- */
#define LIMIT_STANZA 262144 /* --max-stanza, bytes of one depth-1 element */
#define LIMIT_STANZA_FLOOR 10000 /* RFC 6120 section 13.12: never less */
#define LIMIT_STANZA_UNAUTH 16384 /* bytes of one before the stream is authenticated */
#define LIMIT_HEADER 8192 /* bytes of a stream header */
#define LIMIT_DEPTH 64 /* elements below the stream's root, a stanza being 1 */
#define LIMIT_ATTRS 64 /* attributes of one element */
#define LIMIT_PREFIXES 64 /* namespace declarations in scope */
#define LIMIT_ROOT_PREFIXES 32 /* of them, declared on the stream header */
#define LIMIT_XML_NAME 1024 /* bytes of a qualified name */
#define LIMIT_ATTR_VALUE 32768 /* bytes of an attribute's value */
#define LIMIT_CHAR_REF_DIGITS 7
#define LIMIT_XML_CHECK 8388608 /* of a stanza for --xml-check; libxml2 has bounds from 10 MB on */
#define LIMIT_STREAM_ID 1023 /* octets of a peer's stream id after unescaping */
#define LIMIT_LANG 63 /* octets of an xml:lang that we carry over */

/* -- dialback -- */
#define LIMIT_KEY 1024 /* bytes of a dialback key */
#define LIMIT_PAIRS_PER_STREAM 20000 /* --max-pairs-per-stream */
#define LIMIT_PAIRS_FLAG_MAX 1000000 /* highest value of that flag */
#define LIMIT_SPELLINGS 4 /* further spellings remembered per pair */
#define LIMIT_UNPROVEN_CLAIMS 256 /* waiting claims on a stream without a VALID pair */
#define LIMIT_UNPROVEN_MEMORY 262144 /* bytes of the pair table of such a stream */
#define LIMIT_IGNORED_HOURLY 20 /* unsolicited dialback elements, then 2.11 */
#define LIMIT_UNKNOWN_ELEMENTS 100 /* foreign depth-1 elements on one stream */
#define LIMIT_VERIFY_NO_ID 10 /* db:verify without id, then bad-format */
#define LIMIT_INVALID_PER_S 200 /* typed answers other than valid, per source as AS */

/* -- verification windows (2.5): what is sent, not what is accepted -- */
#define LIMIT_LOOKUPS_MIN 64 /* look-ups in flight per source /32 or /64, unless it is slow */
#define LIMIT_LOOKUPS_SILENT 4 /* of a source whose look-ups are not answered */
#define LIMIT_LOOKUPS_MAX 1024
#define LIMIT_DIALS_PER_S 20 /* new endpoints per source /24 or /48 */
#define LIMIT_DIALS_OPEN 64
#define LIMIT_KEYS_MIN 64 /* keys in flight per inbound stream */
#define LIMIT_KEYS_MAX 4096
#define LIMIT_SOURCES 65536 /* sources remembered at once */
#define LIMIT_CANDIDATES 16 /* addresses tried for one authority */
#define LIMIT_VERIFY_PER_TURN 16 /* new verifications begun in one loop turn */

/* -- claims of proven streams: what is taken up at once (core/backlog.h) -- */
#define LIMIT_CLAIMS_PER_TURN 16 /* in one loop turn of a worker */
#define LIMIT_BACKLOG 8388608 /* bytes kept, per worker; and a stanza for each such stream */

/* -- streams that we open to deliver stanzas (2.3, 2.9.4) -- */
#define LIMIT_OUT_STANZAS 128 /* kept for a pair that is not verified yet */
#define LIMIT_OUT_BYTES 262144 /* and bytes of them */
#define LIMIT_OUT_PAIRS 1048576 /* pairs that a worker knows */
#define LIMIT_OUT_PENDING 16384 /* of one hosted domain, those that are not verified */
#define LIMIT_OUT_LOOKUPS 256 /* look-ups in flight */
#define LIMIT_OUT_OPENING 256 /* streams that are being opened */
#define LIMIT_REDIRECTS 3 /* see-other-host that are followed, one after the other (1.10) */
#define LIMIT_OUT_APART 16 /* streams of one target that carry one pair only */
#define LIMIT_OUT_WINDOW_MIN 8 /* claims without an answer on one stream, at first */
#define LIMIT_OUT_WINDOW_MAX 256
#define LIMIT_OUT_CLAIMS_PER_TURN 64
#define LIMIT_OUT_PEERS 65536 /* endpoints that something is remembered of */
#define LIMIT_OUT_RESTING 65536 /* targets that only something is remembered of */
#define LIMIT_OUT_SHARED 16 /* streams at one place that may be offered to further targets */
#define LIMIT_EXPLAINED 4096 /* pairs, and targets, whose last attempts are remembered (core/explain.h) */
#define LIMIT_EXPLAINED_AT_ONCE 200 /* of those attempts, told at one SIGUSR1 by a worker */
#define LIMIT_STREAMS_PER_ENDPOINT 4 /* --max-streams-per-endpoint */

/* -- certificates -- */
#define LIMIT_CERT 65536 /* bytes of one */
#define LIMIT_CERT_EXTENSIONS 64
#define LIMIT_CERT_NAMES 1024 /* identifiers that are looked at */
#define LIMIT_CERT_MAPPED 64 /* of them, XmppAddr that libidn2 has to bring into canonical form */
#define LIMIT_CERT_FILE 262144 /* bytes of a file of --cert-dir */
#define LIMIT_CERT_CACHE 1024 /* certificates of ours that a worker keeps loaded */
#define LIMIT_VERDICTS 1310720 /* default: 2^18 sets of 128 bytes (dialback/vcache.h) */
#define LIMIT_PINS 163840 /* domains whose TLS key is remembered (core/pins.h) */

/* -- SASL -- */
#define LIMIT_SASL_FAILURES 3 /* of a stream, which ends with the last (RFC 6120 section 6.4.5) */
#define LIMIT_AUTHZID (LIMIT_DOMAIN + 1) /* octets of an identity: a domain, a dot at its end */

/* -- DNS -- */
#define LIMIT_DNS_WINDOW 100 /* questions in flight per worker */
#define LIMIT_DNS_WAITING 65536 /* look-ups queued behind that window */
#define LIMIT_DNS_ASKERS (4 * LIMIT_DNS_WAITING) /* who wait for the answers */
#define LIMIT_DNS_SLOW 1000 /* questions out for longer than usual, beside that window */
#define LIMIT_DNS_CACHE 65536 /* names in the cache of one worker */
#define LIMIT_DNS_CACHE_BYTES (LIMIT_DNS_CACHE * 512) /* and what it may take */
#define LIMIT_DNS_RECORDS 32 /* records of one answer that are looked at */
#define LIMIT_DNS_TTL_MIN_S 30
#define LIMIT_DNS_TTL_MAX_S 3600
#define LIMIT_DNS_NEGATIVE_MAX_S 300
#define LIMIT_DNS_FAILURE_S 30

/* -- workers -- */
#define LIMIT_WORKERS 32 /* --workers */

/* -- connections and queues, per worker -- */
#define LIMIT_CONNS 65536 /* --max-conns */
#define LIMIT_CONNS_RESERVE 1024 /* of them, at most, kept for backends and for verification */
#define LIMIT_UNAUTH_PER_IP 1024 /* --max-unauth-per-ip */
#define LIMIT_BACKEND_PAIRS 65536 /* that are found at once when a backend sends; others are looked up */
#define LIMIT_QUEUE_BYTES (1u << 20) /* --queue-bytes, per destination */
#define LIMIT_ANSWERS 65536 /* bytes of answers a peer may leave unread: then it is not read */
#define LIMIT_ANSWERS_UNPROVEN 24576 /* of one that has proven nothing */
#define LIMIT_MEM_BUDGET (1u << 30) /* --mem-budget, all queues of a worker */
#define LIMIT_TURN_BYTES 262144 /* input handled in one loop turn */
#define LIMIT_TURN_COMPLETIONS 512
#define LIMIT_DIAL_RACE 4 /* attempts to connect that one dial has open at once */
#define LIMIT_STALL_MS 250 /* --stall-ms: no byte taken by a backend */
#define LIMIT_SPACE_PAIRS 100 /* of a stream of ours: with more it is kept alive by spaces */
#define LIMIT_PARK_MS 30000 /* stanzas kept for a destination that is down */

/* -- TLS, per connection (net/tls.h) -- */
#define LIMIT_TLS_TURN 8 /* steps of handshakes in one loop turn */
#define LIMIT_TLS_STEP 32768 /* bytes of input that one step of a handshake takes */
#define LIMIT_TLS_HANDSHAKE 131072 /* bytes of input of a whole handshake */
#define LIMIT_TLS_HELLO 16384 /* bytes of a ClientHello whose server name is looked for */
#define LIMIT_TLS_CERTS 9 /* certificates of a peer's chain that are kept */
#define LIMIT_TLS_CHAIN 65536 /* bytes of them */
#define LIMIT_TLS_KEEP 131072 /* bytes of ciphertext kept for a connection that is not read */
#define LIMIT_TLS_SESSIONS 4096 /* sessions that a worker remembers to resume */
#define LIMIT_TLS_IDENTITY 2048 /* bytes of the identity that a session is bound to */

/* -- timers, milliseconds (7.5) -- */
#define TIMEOUT_DNS_MS 5000 /* one try; two are made */
#define TIMEOUT_CONNECT_MS 10000
#define DIAL_DELAY_MS 250 /* from one attempt to the next beside it (RFC 8305 section 5) */
#define TIMEOUT_TLS_MS 10000 /* a handshake with a server that we dialled */
#define TIMEOUT_HEADER_MS 30000
#define TIMEOUT_VERIFY_MS 30000
#define TIMEOUT_UNAUTH_MS 60000
#define TIMEOUT_UNAUTH_MAX_MS 900000 /* hard cap for a stream that only asks db:verify */
#define TIMEOUT_CLOSE_MS 5000
#define TIMEOUT_DIALBACK_MS 60000 /* a claim of ours without an answer */
#define TIMEOUT_DELIVER_MS 90000 /* a stanza that waits for its pair to be verified */
#define TIMEOUT_IDLE_OUT_MS 900000 /* a stream of ours without a stanza */
#define TIMEOUT_EMPTY_OUT_MS 60000 /* and one on which no pair is verified or being so */
#define TIMEOUT_SLOW_MS 2000 /* output waits for so long: other pairs get another stream */
#define TIMEOUT_SPACE_MS 300000 /* then a space, where a stream is to be kept alive (1.7) */
#define TIMEOUT_SPACE_MIN_MS 10000 /* however short a peer's idle-seconds are */
#define TIMEOUT_IDLE_IN_MS 1200000
#define TIMEOUT_IDLE_VERIFY_MS 60000 /* a verify stream without a question */
#define TIMEOUT_SEND_MS 60000 /* no byte accepted by a socket: the connection is dead */
#define HOLD_INVALID_MS 600000 /* REFUSED after invalid */
#define HOLD_POLICY_MS 600000
#define HOLD_NOT_FOUND_MS 300000
#define HOLD_TRANSIENT_MS 30000
#define HOLD_ADDRESS_MS 60000 /* one that could not be reached is the last choice (7.4) */
#define HOLD_REDIAL_MS 5000 /* and when there is no other, is left alone for so long */
#define HOLD_OUT_MAX_MS 600000 /* a target or pair that fails again and again */
#define HOLD_FIRST_MS 15000 /* a target that failed once, at most */
#define HOLD_TRUST_MS 600000 /* one that was up so short a time ago is retried while stanzas wait */
#define HOLD_NO_MUX_MS 86400000 /* a peer that does not bear several targets on a stream */
#define HOLD_PEER_MS 86400000 /* what a peer announces, and how many claims it bears at once */
#define HOLD_EXTERNAL_MS 3600000 /* a peer that refused SASL EXTERNAL */
#define HOLD_SENDER_MS 600000 /* whether a hosted domain's names lead to us */
#define QUARANTINE_MIN_MS 250 /* --invalid-received=quarantine */
#define QUARANTINE_MAX_MS 10000 /* however slow the peer's answers are */
#define HOLD_ABSENT_MS 30000 /* a domain without a service, for all streams (core/verdicts.h) */
#define HOLD_PIN_MS 2592000000 /* a domain's TLS key, after it was last seen: 30 days */
#define PIN_SETTLES_MS 3600000 /* seen again after so long, a key is more than a stranger's word */
#define PIN_RENEWS_MS 86400000 /* written anew at most so often */
#define GRACE_FORBID_MS 30000 /* --invalid-policy=forbid without a VALID pair */

/* -- files that an operator writes -- */
#define LIMIT_CONFIG_LINE 4096
#define LIMIT_SECRETS 8 /* lines of a secret file */
#define LIMIT_SECRET 512 /* octets of one */

#endif
