/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an actor does and sees that speaks TLS, and what the router shows it. */
#include "tests/sim/play_impl.h"
#include "tests/sim/zoo.h"

#define ALERT 7 /* bytes of one in the clear */

static bool options_read(struct span args, struct secure_opts *o)
{
	while (args.n > 0) {
		struct span word = word_take(&args);

		if (span_is(word, "serves"))
			o->serves = true;
		else if (span_is(word, "alpn"))
			o->alpn = true;
		else if (span_is(word, "resumes"))
			o->resumes = true;
		else if (span_is(word, "as"))
			o->cert = word_take(&args);
		else if (span_is(word, "sni"))
			o->sni = word_take(&args);
		else
			return false;
	}
	return true;
}

/* tls [serves] [as SPECIES] [sni NAME] [alpn] [resumes] */
enum outcome act_tls(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	struct secure_opts o = { 0 };
	struct span in = actor_in(a);

	if (!options_read(args, &o) || a->secure)
		return failed(why, "tls [serves] [as SPECIES] [sni NAME] [alpn] [resumes], once");
	if (!o.serves && in.n > 0)
		return failed(why, "before TLS the router said: %.*s", (int)in.n, in.p);
	a->secure = secure_begin(p->secures, a->wire, &o, why);
	p->stirred = true;
	return a->secure ? STEP_DONE : STEP_FAILED;
}

/* Bytes that are no records of TLS. */
enum outcome act_raw(struct play *p, struct actor *a, struct span text, char why[TEXT_WHY])
{
	struct buf out = { 0 };
	bool ok;

	if (wire_mute(a->wire))
		return failed(why, "%s can send nothing any more", a->name);
	ok = text_expand(scope(p), text, &out, why);
	if (ok)
		wire_send(a->wire, span_of(out.p, out.n));
	buf_free(&out);
	p->stirred = true;
	return ok ? STEP_DONE : STEP_FAILED;
}

/* The connection ends, and TLS does not. */
enum outcome act_cut(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)args;
	(void)why;
	wire_fin(a->wire);
	p->stirred = true;
	return STEP_DONE;
}

/* TLS ends, and the connection does not. */
enum outcome act_notify(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)args;
	if (!a->secure || wire_mute(a->wire))
		return failed(why, "%s speaks no TLS any more", a->name);
	secure_notify(a->secure);
	p->stirred = true;
	return STEP_DONE;
}

/* alert CODE: a fatal one, in the clear as before a handshake */
enum outcome act_alert(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	struct span in = wire_in(a->wire);
	uint64_t code;

	(void)p;
	if (!number(args, &code))
		return failed(why, "alert CODE");
	if (a->secure || in.n < ALERT || memcmp(in.p, "\x15\x03", 2) != 0 || in.p[5] != 2)
		return failed(why, "%s got no alert in the clear", a->name);
	if ((unsigned char)in.p[6] != code)
		return failed(why, "%s got the alert %u", a->name, (unsigned char)in.p[6]);
	wire_take(a->wire, ALERT);
	return STEP_DONE;
}

/* -- what it sees -- */

static bool is_species(struct span der, struct span species, char why[TEXT_WHY])
{
	struct buf want = { 0 };
	bool same = zoo_read(species, "der", &want, why) && span_eq(der, span_of(want.p, want.n));

	buf_free(&want);
	return same;
}

/* What the router has shown, if anything. */
static bool has_shown(const struct actor *a, struct span species, char why[TEXT_WHY])
{
	struct span shown = secure_peer(a->secure);

	if (span_is(species, "nothing"))
		return shown.n == 0 ||
			failed(why, "the router has shown a certificate") == STEP_DONE;
	return is_species(shown, species, why) ||
		failed(why, "the router has shown another certificate") == STEP_DONE;
}

/* secured [by SPECIES|nothing] [sni NAME] [anew|resumed] [alpn]: the handshake is done */
enum outcome act_secured(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)p;
	if (!a->secure || !secure_opened(a->secure))
		return failed(why, "%s has not shaken hands", a->name);
	while (args.n > 0) {
		struct span word = word_take(&args);

		if (span_is(word, "anew") || span_is(word, "resumed")) {
			if (secure_resumed(a->secure) != span_is(word, "resumed"))
				return failed(why, "the session was not %.*s", (int)word.n, word.p);
		} else if (span_is(word, "alpn")) {
			if (!secure_alpn(a->secure))
				return failed(why, "no protocol was agreed upon");
		} else if (span_is(word, "sni")) {
			struct span named = secure_sni(a->secure);

			if (!span_eq(named, word_take(&args)))
				return failed(why, "the router has named %.*s", (int)named.n,
					named.p);
		} else if (!span_is(word, "by")) {
			return failed(why,
				"secured [by SPECIES|nothing] [sni NAME] [anew|resumed] [alpn]");
		} else if (!has_shown(a, word_take(&args), why)) {
			return STEP_FAILED;
		}
	}
	return STEP_DONE;
}

/* The handshake failed, and the router has closed; so do we. */
enum outcome act_insecure(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	if (!a->secure || secure_opened(a->secure) || !secure_broken(a->secure))
		return failed(why, "the handshake of %s has not failed", a->name);
	if (wire_ended(a->wire) == WIRE_OPEN)
		return failed(why, "the router has not closed %s", a->name);
	return act_cut(p, a, args, why);
}

/* The router has closed, and TLS was not ended in order; so do we. */
enum outcome act_severed(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	struct span in = actor_in(a);

	if (in.n > 0)
		return failed(why, "%s was told: %.*s", a->name, (int)in.n, in.p);
	if (wire_ended(a->wire) == WIRE_OPEN || !a->secure || !secure_broken(a->secure))
		return failed(why, "TLS on %s has not failed", a->name);
	return act_cut(p, a, args, why);
}

/* -- the router's files -- */

/* certs SPECIES...: what --cert-dir holds, and nothing else */
enum outcome verb_certs(struct play *p, struct span args, char why[TEXT_WHY])
{
	bool ok = true;

	router_folder(&p->router, span_str("certs"));
	while (ok && args.n > 0) {
		struct span name = word_take(&args);
		struct buf path = { 0 }, text = { 0 };

		buf_add(&path, span_str("certs/"));
		buf_add(&path, name);
		buf_add(&path, span_str(".pem"));
		ok = zoo_read(name, "pem", &text, why) && zoo_read(name, "key", &text, why);
		if (ok)
			router_file(&p->router, span_of(path.p, path.n), span_of(text.p, text.n));
		buf_free(&path);
		buf_free(&text);
	}
	return ok ? STEP_DONE : STEP_FAILED;
}

/* anchors AUTHORITY: the --ca-file */
enum outcome verb_anchors(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct buf name = { 0 }, text = { 0 };
	bool ok;

	buf_add(&name, span_str("authority-"));
	buf_add(&name, args);
	ok = zoo_read(span_of(name.p, name.n), "pem", &text, why);
	if (ok)
		router_file(&p->router, span_str("anchors"), span_of(text.p, text.n));
	buf_free(&name);
	buf_free(&text);
	return ok ? STEP_DONE : STEP_FAILED;
}
