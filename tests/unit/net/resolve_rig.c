/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolve_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/limits.h"

struct look look;

static void note(void *ctx, uint64_t cookie, const struct resolve_answer *a)
{
	cr_assert(!look.starting, "called from inside resolve_start");
	cr_assert_eq(ctx, &look);
	cr_assert_not_null(a->detail);
	cr_assert_eq(a->n > 0, a->status == RESOLVE_FOUND);
	look.calls[cookie]++;
	look.got = *a;
	look.n_got++;
}

static bool turn(void *resolver, uint64_t now)
{
	resolver_turn(resolver, now);
	return resolver_busy(resolver);
}

void look_start_impatient(const struct fake_row *rows, unsigned n, uint32_t timeout_ms)
{
	static const struct resolve_service service = { "_xmpp-server._tcp", "_xmpps-server._tcp",
		5269 };

	fake_start(&look.server, rows, n);
	fake_loop_open(&look.loop, &look.server.addr, timeout_ms);
	look.resolver = resolver_new(look.loop.dns, &service, &look.rules, note, &look);
}

void look_start(const struct fake_row *rows, unsigned n)
{
	look_start_impatient(rows, n, 0);
}

void look_stop(void)
{
	resolver_free(look.resolver);
	fake_loop_close(&look.loop);
	fake_stop(&look.server);
}

void look_begin(const char *domain, uint64_t cookie)
{
	look.starting = true;
	resolve_start(look.resolver, span_str(domain), cookie, fake_now(&look.loop));
	look.starting = false;
}

bool look_until(unsigned n)
{
	return fake_loop_run(&look.loop, &look.n_got, n, 10000, turn, look.resolver);
}

/* The answer to the question that was begun last, whose cookie is the number of those before. */
static enum resolve_status look_end(uint64_t cookie, const char *name)
{
	cr_assert(look_until((unsigned)cookie + 1), "%s", name);
	cr_assert_eq(look.n_got, cookie + 1);
	cr_assert_eq(look.calls[cookie], 1);
	return look.got.status;
}

enum resolve_status look_up(const char *domain)
{
	uint64_t cookie = look.n_got;

	look_begin(domain, cookie);
	return look_end(cookie, domain);
}

enum resolve_status look_up_host(const char *host, uint16_t port)
{
	uint64_t cookie = look.n_got;

	look.starting = true;
	resolve_host(look.resolver, span_str(host), port, cookie, fake_now(&look.loop));
	look.starting = false;
	return look_end(cookie, host);
}

void places_are(const char *want)
{
	char text[LIMIT_CANDIDATES * (ADDR_TEXT + 2)] = "", one[ADDR_TEXT];

	for (unsigned i = 0; i < look.got.n; i++) {
		addr_format(&look.got.places[i].addr, one);
		sprintf(text + strlen(text), "%s%s%s", i ? " " : "", one,
			look.got.places[i].direct ? "!" : "");
	}
	cr_assert_str_eq(text, want);
}

void groups_are(const char *want)
{
	char text[LIMIT_CANDIDATES + 1] = "";

	for (unsigned i = 0; i < look.got.n; i++)
		text[i] = (char)('0' + look.got.places[i].group);
	cr_assert_str_eq(text, want);
}
