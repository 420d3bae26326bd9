/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_impl.h"

/* RFC 8446 section 6.2 and the older ones that are still met. */
const char *tls_alert_words(int code)
{
	static const char *const words[] = {
		[10] = "the peer refused: unexpected message",
		[20] = "the peer refused: bad record MAC",
		[22] = "the peer refused: record overflow",
		[40] = "the peer refused: handshake failure, most likely no common cipher suite",
		[42] = "the peer refused: bad certificate",
		[43] = "the peer refused: unsupported certificate",
		[44] = "the peer refused: certificate revoked",
		[45] = "the peer refused: certificate expired",
		[46] = "the peer refused: certificate not acceptable",
		[47] = "the peer refused: illegal parameter",
		[48] = "the peer refused: unknown CA",
		[49] = "the peer refused: access denied",
		[50] = "the peer refused: decode error",
		[51] = "the peer refused: decrypt error",
		[70] = "the peer refused: protocol version",
		[71] = "the peer refused: insufficient security",
		[80] = "the peer refused: internal error",
		[86] = "the peer refused: inappropriate fallback",
		[90] = "the peer gave up",
		[109] = "the peer refused: an extension is missing",
		[110] = "the peer refused: unsupported extension",
		[112] = "the peer refused: unrecognized name",
		[116] = "the peer refused: certificate required",
		[120] = "the peer refused: no common application protocol",
	};

	if (code >= 0 && (size_t)code < ARRAY_LEN(words) && words[code])
		return words[code];
	return "the peer refused with an alert";
}

/* Not handshake_failure: that is said where no cipher suite is common, too. */
bool tls_alert_is_of_certificate(int code)
{
	return (code >= 42 && code <= 46) || code == 48 || code == 49;
}

int tls_alerted(WOLFSSL *ssl)
{
	WOLFSSL_ALERT_HISTORY alerts;

	return wolfSSL_get_alert_history(ssl, &alerts) == WOLFSSL_SUCCESS &&
			alerts.last_rx.level == alert_fatal
		? alerts.last_rx.code
		: -1;
}

const char *tls_error_words(int error)
{
	return error == FATAL_ERROR ? "the handshake failed"
				    : wolfSSL_ERR_reason_error_string((unsigned long)error);
}
