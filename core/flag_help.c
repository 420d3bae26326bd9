/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/flag.h"

#define WIDTH 96
#define INDENT 8

/* What holds when nothing is said. */
static const char *flag_default(const struct flag *f)
{
	return f->initial ? f->initial : f->absent;
}

static bool group_begins(const struct flags *all, size_t i)
{
	return i == 0 || strcmp(all->flag[i].group, all->flag[i - 1].group) != 0;
}

/* -- the terminal -- */

/* Words in lines of WIDTH columns. */
static void text_print(FILE *out, const char *text)
{
	struct span rest = span_str(text);
	size_t column = 0;

	while (rest.n) {
		size_t n = span_find(rest, ' ');

		if (column == 0 || column + 1 + n > WIDTH) {
			fprintf(out, "%s%*s", column ? "\n" : "", INDENT, "");
			column = INDENT;
		} else {
			fputc(' ', out);
			column++;
		}
		fwrite(rest.p, 1, n, out);
		column += n;
		rest = span_skip(rest, n < rest.n ? n + 1 : n);
	}
	fputc('\n', out);
}

static void flag_help(const struct flag *f, FILE *out)
{
	char allowed[FLAG_ALLOWED], facts[2 * FLAG_ALLOWED];

	flag_allowed(f, allowed);
	fprintf(out, "  --%s%s%s%s\n", f->name, f->metavar ? " " : "", f->metavar ? f->metavar : "",
		flag_is_list(f) ? "  (repeatable)" : "");
	text_print(out, f->when);
	snprintf(facts, sizeof(facts), "%s%s%sDefault: %s. Allowed: %s.", f->unit ? "Unit: " : "",
		f->unit ? f->unit : "", f->unit ? ". " : "", flag_default(f), allowed);
	text_print(out, facts);
}

void flags_help(const struct flags *all, FILE *out)
{
	fputs("Usage: sluice --routes FILE --cert-dir DIR [--component-listen ADDR:PORT] [flag ...]\n"
	      "\n"
	      "An XMPP server-to-server router: outside it is every hosted domain's server, inside it\n"
	      "hands stanzas to the backends that have them. A value stands behind its flag or behind\n"
	      "'='. Bytes and counts take a suffix K, M or G (times 1024). Where a port is left out,\n"
	      "it is the protocol's own. docs/configuration.md has the formats of the files.\n"
	      "\n"
	      "kill -HUP reads registry, policy and certificates again, kill -USR1 writes the counters\n"
	      "to the log, kill drains and ends. The exit code is 0 when it ended as told, 64 for a\n"
	      "wrong flag, 69 for an address that cannot be listened on, 71 when the system refused\n"
	      "something, 78 for a wrong file or for no io_uring; docs/operations.md has the remedies.\n",
		out);
	for (size_t i = 0; i < all->n; i++) {
		if (group_begins(all, i))
			fprintf(out, "\n%s:\n\n", all->flag[i].group);
		flag_help(&all->flag[i], out);
	}
}

/* -- Markdown -- */

/* A cell of a table must not hold the sign that ends it. */
static void cell_print(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|' || *text == '*')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void flag_markdown(const struct flag *f, FILE *out)
{
	char allowed[FLAG_ALLOWED];

	flag_allowed(f, allowed);
	fprintf(out, "| `--%s%s", f->name, f->metavar ? " " : "");
	/* In code a bar is escaped all the same, an asterisk is not. */
	for (const char *p = f->metavar ? f->metavar : ""; *p; p++)
		fprintf(out, "%s%c", *p == '|' ? "\\" : "", *p);
	fprintf(out, "`%s | %s | %s%s", flag_is_list(f) ? ", repeatable" : "", flag_default(f),
		f->unit ? f->unit : "", f->unit ? ": " : "");
	cell_print(out, allowed);
	fputs(" | ", out);
	cell_print(out, f->when);
	fputs(" |\n", out);
}

void flags_markdown(const struct flags *all, FILE *out)
{
	for (size_t i = 0; i < all->n; i++) {
		if (group_begins(all, i))
			fprintf(out,
				"%s### %s\n\n| flag | default | allowed | when to change it |\n"
				"|---|---|---|---|\n",
				i ? "\n" : "", all->flag[i].group);
		flag_markdown(&all->flag[i], out);
	}
}
