/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/report.h"

#include "bench/spread.h"

#include <math.h>
#include <stdarg.h>

struct figure {
	const char *name, *unit, *words;
	int digits;
	size_t offset; /* in struct result */
};

static const struct figure figures[] = {
#define FIGURE_ROW(field, unit, digits, words)                                                     \
	{ #field, unit, words, digits, offsetof(struct result, field) },
	RESULT_FIGURES(FIGURE_ROW)
#undef FIGURE_ROW
};

#define N_FIGURES (sizeof(figures) / sizeof(figures[0]))

void result_init(struct result *r)
{
	memset(r, 0, sizeof(*r));
	for (size_t i = 0; i < N_FIGURES; i++)
		*(double *)((char *)r + figures[i].offset) = (double)NAN;
}

void result_fail(struct result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->n_failures == RESULT_FAILURES)
		return;
	va_start(ap, fmt);
	vsnprintf(r->failures[r->n_failures++], RESULT_TEXT, fmt, ap);
	va_end(ap);
}

static double figure_of(const struct figure *g, const struct result *r)
{
	return *(const double *)((const char *)r + g->offset);
}

/* Over all runs that have measured it. */
static struct spread figure_spread(const struct figure *g, const struct result *results,
	unsigned runs)
{
	double *v = bench_alloc(runs, sizeof(*v));
	struct spread s;

	for (unsigned i = 0; i < runs; i++)
		v[i] = figure_of(g, &results[i]);
	s = spread_of(v, runs);
	free(v);
	return s;
}

static void table_print(FILE *f, const struct result *results, unsigned runs)
{
	if (runs > 1)
		fprintf(f, "%-46s %14s %14s %14s\n", "", "minimum", "median", "maximum");
	for (size_t i = 0; i < N_FIGURES; i++) {
		const struct figure *g = &figures[i];
		struct spread s = figure_spread(g, results, runs);

		if (!s.n)
			continue;
		if (runs == 1)
			fprintf(f, "%-46s %14.*f %s\n", g->words, g->digits, s.median, g->unit);
		else
			fprintf(f, "%-46s %14.*f %14.*f %14.*f %s\n", g->words, g->digits, s.min,
				g->digits, s.median, g->digits, s.max, g->unit);
	}
}

static const char *plural(double n)
{
	return n == 1 ? "" : "s";
}

/* ", N workers" where we have chosen how many. */
static const char *words_workers(const struct options *o, char text[32])
{
	text[0] = '\0';
	if (o->router)
		snprintf(text, 32, ", %llu worker%s", (unsigned long long)o->workers,
			plural((double)o->workers));
	return text;
}

static void words_pairs(FILE *f, const struct options *o, const struct result *r)
{
	char workers[32];

	if (isnan(r->pairs_valid))
		return;
	fprintf(f, "%.0f pair%s %s on %llu stream%s%s%s", r->pairs_valid, plural(r->pairs_valid),
		o->client_cert ? "proven by one certificate" : "verified",
		(unsigned long long)o->streams, plural((double)o->streams),
		o->tls ? " with TLS 1.3" : "", words_workers(o, workers));
	fprintf(f, "; %.0f SRV question%s answered (_xmpp-server)", r->dns_srv, plural(r->dns_srv));
	if (!isnan(r->authority_connections))
		fprintf(f, ", %.0f connection%s to the authoritative server",
			r->authority_connections, plural(r->authority_connections));
	fputc('\n', f);
}

static void words_outward(FILE *f, const struct options *o, const struct result *r)
{
	char workers[32];

	if (isnan(r->out_pairs) || isnan(r->remote_carried))
		return;
	fprintf(f, "%.0f pair%s outward to %llu remote server%s%s%s: %.0f connection%s accepted,",
		r->out_pairs, plural(r->out_pairs), (unsigned long long)o->endpoints,
		plural((double)o->endpoints), o->tls ? " with TLS 1.3" : "",
		words_workers(o, workers), r->remote_connections, plural(r->remote_connections));
	fprintf(f, " %.0f stream%s had pairs, one of them %.0f; keys %s\n", r->remote_carried,
		plural(r->remote_carried), r->remote_most,
		o->believe ? "believed" : "verified by the server");
	if (!isnan(r->refused_sent))
		fprintf(f, "%.0f stanza%s of pairs that are called invalid: %.0f came back\n",
			r->refused_sent, plural(r->refused_sent), r->refused_returned);
	if (!isnan(r->outage_heard))
		fprintf(f, "Away for %.3f s; %.1f ms after the return a stanza arrived\n",
			r->outage_time, r->outage_heard);
}

/* sent = arrived + came back + what is in doubt. */
static void words_returned(FILE *f, const struct result *r)
{
	fprintf(f, "%.0f stanzas: %.0f arrived, %.0f came back to the components", r->stanzas_sent,
		r->stanzas_arrived, r->stanzas_bounced);
	if (!isnan(r->in_doubt))
		fprintf(f, "; the router says: %.0f in doubt", r->in_doubt);
	if (r->undeliverable > 0)
		fprintf(f, ", %.0f errors could not be sent to the components", r->undeliverable);
	if (r->stanzas_unknown > 0)
		fprintf(f, "; %.0f more were in the buffers of connections that ended",
			r->stanzas_unknown);
	fputs("; none twice or out of order\n", f);
}

static void words_stanzas(FILE *f, const struct options *o, const struct result *r)
{
	bool lossy = o->remotes && options_lossy(o) && r->stanzas_bounced > 0;
	double odd = r->stanzas_lost + r->stanzas_duplicated + r->stanzas_reordered +
		r->stanzas_damaged + r->stanzas_misaddressed + r->stanzas_alien;

	if (isnan(r->stanzas_sent) || !(r->stanzas_sent > 0))
		return;
	if (lossy && odd == r->stanzas_lost)
		words_returned(f, r);
	else if (odd == 0)
		fprintf(f, "%.0f stanza%s: each arrived once and in order\n", r->stanzas_sent,
			plural(r->stanzas_sent));
	else
		fprintf(f,
			"%.0f stanza%s: %.0f lost, %.0f duplicated, %.0f reordered, %.0f with a"
			" changed body, %.0f with wrong addresses, %.0f never sent\n",
			r->stanzas_sent, plural(r->stanzas_sent), r->stanzas_lost,
			r->stanzas_duplicated, r->stanzas_reordered, r->stanzas_damaged,
			r->stanzas_misaddressed, r->stanzas_alien);
}

/* Where they went that did not arrive, if the router has said so. */
static void words_accounts(FILE *f, const struct options *o, const struct result *r)
{
	if (isnan(r->accepted) || !(r->stanzas_lost > 0) || o->remotes)
		return;
	fprintf(f, "The router says: %.0f accepted, %.0f answered with errors, %.0f in doubt",
		r->accepted, r->returned, r->in_doubt);
	if (r->stanzas_unknown > 0)
		fprintf(f, "; %.0f were in the buffers of the connection that ended",
			r->stanzas_unknown);
	fputc('\n', f);
}

static void words_probes(FILE *f, const struct result *r)
{
	char answers[256];

	if (isnan(r->probes_asked) || !(r->probes_asked > 0))
		return;
	tally_print(&r->probes, answers, sizeof(answers));
	fprintf(f, "%.0f invalid key%s in the middle: ", r->probes_asked, plural(r->probes_asked));
	if (r->probes.n == 1 && r->probes_silent == 0)
		fprintf(f, "answered %s", r->probes.kind[0].word);
	else
		fprintf(f, "answers: %s; %.0f without an answer", answers[0] ? answers : "none",
			r->probes_silent);
	if (r->streams_closed > 0)
		fprintf(f, "; %.0f stream%s closed", r->streams_closed, plural(r->streams_closed));
	if (isnan(r->stanzas_lost))
		fprintf(f, "\n");
	else if (r->stanzas_lost > 0 || r->streams_closed > 0)
		fprintf(f, "; others lost %.0f stanza%s\n", r->stanzas_lost,
			plural(r->stanzas_lost));
	else
		fprintf(f, "; nobody else lost anything\n");
}

void report_people(FILE *f, const struct options *o, const struct result *results, unsigned runs)
{
	table_print(f, results, runs);
	for (unsigned i = 0; i < runs; i++) {
		const struct result *r = &results[i];

		fputs(runs > 1 ? "" : "\n", f);
		if (runs > 1)
			fprintf(f, "\nRun %u of %u:\n", i + 1, runs);
		words_pairs(f, o, r);
		words_outward(f, o, r);
		words_stanzas(f, o, r);
		words_accounts(f, o, r);
		words_probes(f, r);
		for (unsigned k = 0; k < r->n_failures; k++)
			fprintf(f, "FAILED: %s\n", r->failures[k]);
	}
}

static void json_string(FILE *f, const char *s)
{
	putc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", (unsigned)*s);
		else
			putc(*s, f);
	}
	putc('"', f);
}

static void json_number(FILE *f, const char *name, double v)
{
	if (isnan(v) || isinf(v))
		fprintf(f, "%s:null", name);
	else
		fprintf(f, "%s:%.15g", name, v);
}

static void json_figure(FILE *f, const struct figure *g, const struct result *results,
	unsigned runs)
{
	struct spread s = figure_spread(g, results, runs);

	json_string(f, g->name);
	if (!s.n) {
		fputs(":null", f);
		return;
	}
	fputs(":{\"unit\":", f);
	json_string(f, g->unit);
	json_number(f, ",\"min\"", s.min);
	json_number(f, ",\"median\"", s.median);
	json_number(f, ",\"max\"", s.max);
	fputs(",\"runs\":[", f);
	for (unsigned i = 0; i < runs; i++) {
		double v = figure_of(g, &results[i]);

		fputs(i ? "," : "", f);
		if (isnan(v))
			fputs("null", f);
		else
			fprintf(f, "%.15g", v);
	}
	fputs("]}", f);
}

static void json_options(FILE *f, const struct options *o)
{
	fputs("\"options\":{\"server\":", f);
	json_string(f, o->router ? o->router : o->s2s ? o->s2s : "direct");
	if (o->router)
		fprintf(f, ",\"workers\":%llu", (unsigned long long)o->workers);
	fprintf(f, ",\"by_stream\":%s", o->by_stream ? "true" : "false");
	fprintf(f, ",\"backends\":%llu,\"backend_rate\":%llu", (unsigned long long)o->backends,
		(unsigned long long)o->backend_rate);
	fprintf(f, ",\"stall\":%s,\"vanish\":%s,\"noise\":%s", o->stall ? "true" : "false",
		o->vanish ? "true" : "false", o->noise ? "true" : "false");
	fprintf(f, ",\"late_pairs\":%llu,\"overload\":%llu,\"churn\":%llu",
		(unsigned long long)o->late_pairs, (unsigned long long)o->overload,
		(unsigned long long)o->churn);
	fprintf(f, ",\"pairs\":%llu,\"targets\":%llu,\"streams\":%llu,\"window\":%llu",
		(unsigned long long)o->pairs, (unsigned long long)o->targets,
		(unsigned long long)o->streams, (unsigned long long)o->window);
	fprintf(f, ",\"stanzas\":%llu,\"size\":%llu,\"rate\":%llu,\"invalid\":%llu",
		(unsigned long long)o->stanzas, (unsigned long long)o->size,
		(unsigned long long)o->rate, (unsigned long long)o->invalid);
	fputs(",\"tls\":", f);
	json_string(f, o->tls_text);
	fprintf(f, ",\"client_cert\":%s,\"resume\":%s,\"storm\":%llu,\"storm_rate\":%llu",
		o->client_cert ? "true" : "false", o->resume ? "true" : "false",
		(unsigned long long)o->storm, (unsigned long long)o->storm_rate);
	fprintf(f, ",\"remotes\":%llu,\"endpoints\":%llu,\"believe\":%s,\"relay\":%s",
		(unsigned long long)o->remotes, (unsigned long long)o->endpoints,
		o->believe ? "true" : "false", o->relay ? "true" : "false");
	fprintf(f, ",\"in_flight\":%llu,\"throttle\":%llu,\"outage\":%s",
		(unsigned long long)o->in_flight, (unsigned long long)o->throttle,
		o->outage ? "true" : "false");
	fprintf(f, ",\"repeat\":%llu,\"seed\":%llu}", (unsigned long long)o->repeat,
		(unsigned long long)o->seed);
}

void report_json(FILE *f, const struct options *o, const struct result *results, unsigned runs)
{
	bool ok = true;

	for (unsigned i = 0; i < runs; i++)
		ok &= results[i].n_failures == 0;
	fprintf(f, "{\"ok\":%s,\"runs\":%u,\"failures\":[", ok ? "true" : "false", runs);
	for (unsigned i = 0; i < runs; i++) {
		fputs(i ? ",[" : "[", f);
		for (unsigned k = 0; k < results[i].n_failures; k++) {
			fputs(k ? "," : "", f);
			json_string(f, results[i].failures[k]);
		}
		putc(']', f);
	}
	fputs("],", f);
	json_options(f, o);
	fputs(",\"figures\":{", f);
	for (size_t i = 0; i < N_FIGURES; i++) {
		fputs(i ? "," : "", f);
		json_figure(f, &figures[i], results, runs);
	}
	fputs("}}", f);
}
