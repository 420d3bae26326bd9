/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS messages: writes one question, reads the answer into packed records.
 * Bounded, allocates nothing, and trusts no byte. Knows no sockets. Pure except
 * for the id of a question, which is random.
 *
 * Packed records are what the cache keeps: 16 bytes for an address, for a service
 * three 16-bit numbers, the length of the target and the target.
 */
#ifndef SLUICE_NET_DNS_MESSAGE_H
#define SLUICE_NET_DNS_MESSAGE_H

#include "net/dns.h"

#define DNS_UDP_SIZE 1232 /* DNS flag day 2020: passes without fragments */
#define DNS_HEADER 12
#define DNS_QUESTION_MAX (DNS_HEADER + 255 + 4 + 11)
#define DNS_PACKED_SRV 7
#define DNS_PACKED_MAX (LIMIT_DNS_RECORDS * (DNS_PACKED_SRV + LIMIT_DNS_NAME))

struct dns_parsed {
	enum dns_status status;
	unsigned n;
	uint32_t used; /* bytes of packed records */
	uint32_t ttl; /* seconds, clamped */
};

union dns_records {
	struct srv_record srv[LIMIT_DNS_RECORDS];
	struct addr addrs[LIMIT_DNS_RECORDS];
};

/* Length of the question, 0 when this is no name that a message can hold. edns: with an OPT
 * record that announces DNS_UDP_SIZE. */
unsigned dns_question_write(enum dns_type type, struct span name, bool edns,
	uint8_t out[DNS_QUESTION_MAX]);

/* A server from before EDNS refuses a question for its OPT record. */
bool dns_message_refuses_edns(const uint8_t *p, size_t n);

struct dns_parsed dns_message_parse(enum dns_type type, const uint8_t *p, size_t n,
	uint8_t packed[DNS_PACKED_MAX]);

/* n packed records into the form of an answer. */
void dns_records_unpack(enum dns_type type, const uint8_t *packed, unsigned n,
	union dns_records *out);

#endif
