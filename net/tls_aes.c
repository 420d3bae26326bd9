/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>

#include "net/tls.h"

bool tls_aes_work(size_t bytes)
{
	static byte record[TLS_RECORD];
	byte key[16] = { 1 }, nonce[12] = { 0 }, tag[16];
	Aes aes;
	bool ok;

	if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
		return false;
	ok = wc_AesGcmSetKey(&aes, key, sizeof(key)) == 0;
	for (size_t done = 0; ok && done < bytes; done += sizeof(record)) {
		nonce[0]++;
		ok = wc_AesGcmEncrypt(&aes, record, record, sizeof(record), nonce, sizeof(nonce),
			     tag, sizeof(tag), NULL, 0) == 0;
	}
	wc_AesFree(&aes);
	return ok;
}
