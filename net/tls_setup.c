/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_setup.h"

#include <pthread.h>

#include "core/base/mem.h"
#include "net/tls_impl.h"

#include <wolfssl/wolfcrypt/asn.h>

#if defined(__x86_64__) && defined(WOLFSSL_AESNI)
#define BUILT_FOR_AES 1
#else
#define BUILT_FOR_AES 0
#endif

/* What the callback is told when the issuer is not known: with trust in nobody, always. */
#ifdef OPENSSL_COMPATIBLE_DEFAULTS
#define NO_ISSUER X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
#define SELF_SIGNED X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
#else
#define NO_ISSUER ASN_NO_SIGNER_E
#define SELF_SIGNED ASN_SELF_SIGNED_E
#endif

#define GCM                                                                                        \
	"TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"                                         \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define CHACHA                                                                                     \
	"TLS13-CHACHA20-POLY1305-SHA256:"                                                          \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* -- the library -- */

static _Thread_local void *spare;
static _Thread_local size_t spare_n;

bool tls_spare_take(size_t n)
{
	BUG_ON(spare);
	spare = mem_try_alloc(n);
	spare_n = n;
	return spare != NULL;
}

void tls_spare_drop(void)
{
	mem_free(spare);
	spare = NULL;
}

static void *lib_alloc(size_t n)
{
	void *p = mem_try_alloc(n);

	if (!p && spare && n <= spare_n) {
		p = spare;
		spare = NULL;
	}
	return p;
}

static void *lib_realloc(void *p, size_t n)
{
	return mem_try_realloc(p, n);
}

static void lib_init(void)
{
	BUG_ON(wolfSSL_SetAllocators(lib_alloc, mem_free, lib_realloc) != 0);
	BUG_ON(wolfSSL_Init() != WOLFSSL_SUCCESS);
}

void tls_library_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	BUG_ON(pthread_once(&once, lib_init) != 0);
}

const char *tls_library(void)
{
	return "wolfSSL " LIBWOLFSSL_VERSION_STRING;
}

bool tls_hardware_aes(void)
{
#if BUILT_FOR_AES
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#else
	return false;
#endif
}

/* -- what the library calls back during a handshake -- */

/* Whether the library can check that the peer has the key: for a kind that it does not know, its
 * TLS 1.2 code passes over the check without a word. */
static bool key_is_known(struct span der)
{
	DecodedCert dc;
	bool known;

	wc_InitDecodedCert(&dc, (const byte *)der.p, (word32)der.n, NULL);
	known = wc_ParseCert(&dc, CERT_TYPE, NO_VERIFY, NULL) == 0 &&
		(dc.keyOID == RSAk || dc.keyOID == ECDSAk || dc.keyOID == ED25519k ||
			dc.keyOID == ED448k || dc.keyOID == RSAPSSk);
	wc_FreeDecodedCert(&dc);
	return known;
}

static bool peer_keep(struct tls *t, const WOLFSSL_X509_STORE_CTX *store)
{
	struct span chain[LIMIT_TLS_CERTS];
	unsigned n = store->totalCerts < 0 ? 0 : (unsigned)store->totalCerts;

	if (n == 0 || n > LIMIT_TLS_CERTS)
		return false;
	for (unsigned i = 0; i < n; i++)
		chain[i] = span_of((const char *)store->certs[i].buffer, store->certs[i].length);
	if (!key_is_known(chain[0]))
		return false;
	tls_peer_unref(t->peer);
	t->peer = tls_peer_new(chain, n);
	t->shown = true;
	return t->peer != NULL;
}

/* Without trust anchors, nothing that the library has to say of the issuer matters here: the chain
 * is judged later. Its other errors end the handshake; so does our return of 0. */
static int on_verify(int ok, WOLFSSL_X509_STORE_CTX *store)
{
	struct tls *t = store->userCtx;

	switch (ok ? 0 : store->error) {
	case 0:
	case NO_ISSUER:
	case SELF_SIGNED:
	case ASN_VERSION_E:
	case KEYUSE_SIGNATURE_E:
	case KEYUSE_ENCIPHER_E:
	case EXTKEYUSE_AUTH_E:
		break;
	default:
		return 0;
	}
	/* Called for an empty list of certificates as well. */
	if (store->error_depth > 0 || (ok && store->totalCerts == 0))
		return 1;
	if (!peer_keep(t, store))
		return 0;
	/* A ticket has no room for a certificate, and an identity must not be lost or taken on
	 * trust: whoever showed one shakes hands in full each time (docs/decisions/012). */
	if (wolfSSL_GetSide(t->ssl) == WOLFSSL_SERVER_END)
		(void)wolfSSL_no_ticket_TLSv13(t->ssl);
	return 1;
}

/* A ticket is good only for the server name that it was made under (RFC 6066 section 3). */
static int on_ticket(WOLFSSL *ssl, byte *id, byte *nonce, byte *tag, int seal, byte *data, int n,
	int *out_n, void *ctx)
{
	struct tls *t = wolfSSL_GetIOReadCtx(ssl);
	struct tls_tickets *keys = ctx;
	struct span bound = span_of(t->name ? t->name : "", t->name_n);
	struct tls_ticket_seal s;
	bool ok;

	*out_n = n;
	if (seal) {
		ok = tls_ticket_seal(keys, bound, &s, data, (size_t)n);
		/* The library refuses fields that are all zero only; ours never are. */
		memcpy(id, s.id, sizeof(s.id));
		memcpy(nonce, s.nonce, sizeof(s.nonce));
		memcpy(tag, s.tag, sizeof(s.tag));
	} else {
		memcpy(s.id, id, sizeof(s.id));
		memcpy(s.nonce, nonce, sizeof(s.nonce));
		memcpy(s.tag, tag, sizeof(s.tag));
		ok = tls_ticket_open(keys, bound, &s, data, (size_t)n);
	}
	return ok ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_REJECT;
}

/* -- the profile -- */

static bool profile_set(WOLFSSL_CTX *ctx)
{
	int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1 };

	return wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) == WOLFSSL_SUCCESS &&
		wolfSSL_CTX_set_cipher_list(ctx,
			tls_hardware_aes() ? GCM ":" CHACHA : CHACHA ":" GCM) == WOLFSSL_SUCCESS &&
		wolfSSL_CTX_set_groups(ctx, groups, (int)ARRAY_LEN(groups)) == WOLFSSL_SUCCESS &&
		/* Resumption is for TLS 1.3, where it keeps forward secrecy. */
		wolfSSL_CTX_NoTicketTLSv12(ctx) == WOLFSSL_SUCCESS;
}

static bool accepting_set(struct tls_setup *s)
{
	WOLFSSL_CTX *ctx = s->ctx;
	struct tls_tickets *keys = s->opts.tickets;

	if (!keys)
		return wolfSSL_CTX_no_ticket_TLSv13(ctx) == 0;
	return wolfSSL_CTX_set_TicketEncCb(ctx, on_ticket) == WOLFSSL_SUCCESS &&
		wolfSSL_CTX_set_TicketEncCtx(ctx, keys) == WOLFSSL_SUCCESS &&
		wolfSSL_CTX_set_TicketHint(ctx, TLS_TICKET_S) == WOLFSSL_SUCCESS;
}

static const char *setup_make(struct tls_setup *s)
{
	bool accepting = s->opts.role == TLS_ACCEPTING;
	int verify = WOLFSSL_VERIFY_PEER;

	s->ctx = wolfSSL_CTX_new(accepting ? wolfTLS_server_method() : wolfTLS_client_method());
	if (!s->ctx)
		return "the TLS library cannot be used";
	if (!profile_set(s->ctx) || (accepting && !accepting_set(s)))
		return "the TLS library was built without what RFC 9325 asks for";
	if (s->opts.cert && !tls_cert_use_ctx(s->opts.cert, s->ctx))
		return "the TLS library does not take the certificate";
	if (accepting && !s->opts.trust)
		verify = WOLFSSL_VERIFY_NONE;
	/* No sessions by id. The library's global table of them is used by nothing here, but with it
	 * off it would not take a session from us either. */
	if (!s->resume)
		(void)wolfSSL_CTX_set_session_cache_mode(s->ctx, WOLFSSL_SESS_CACHE_OFF);
	wolfSSL_CTX_set_verify(s->ctx, verify, on_verify);
	wolfSSL_CTX_SetIORecv(s->ctx, tls_on_recv);
	wolfSSL_CTX_SetIOSend(s->ctx, tls_on_send);
	return NULL;
}

struct tls_setup *tls_setup_new(const struct tls_setup_opts *opts, const char **why)
{
	struct tls_setup *s = mem_zalloc(sizeof(*s));

	tls_library_init();
	s->refs = 1;
	s->opts = *opts;
	s->opts.trust = tls_trust_ref(opts->trust);
	if (opts->cert)
		tls_cert_ref(opts->cert);
	if (opts->role == TLS_OPENING && opts->sessions)
		s->resume = tls_resume_new(opts->sessions);
	*why = setup_make(s);
	if (!*why)
		return s;
	tls_setup_unref(s);
	return NULL;
}

struct tls_setup *tls_setup_ref(struct tls_setup *s)
{
	s->refs++;
	return s;
}

void tls_setup_unref(struct tls_setup *s)
{
	if (!s || --s->refs > 0)
		return;
	tls_resume_free(s->resume);
	wolfSSL_CTX_free(s->ctx);
	tls_cert_unref(s->opts.cert);
	tls_trust_unref(s->opts.trust);
	mem_free(s);
}
