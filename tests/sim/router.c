/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "dialback/key.h"
#include "tests/sim/kernel.h"

struct file {
	struct list link;
	char *path;
};

/* In memory if there is such a place: a disk's file system takes longer than many a scenario. */
void router_init(struct router *r)
{
	memset(r, 0, sizeof(*r));
	list_init(&r->files);
	strcpy(r->dir, "/dev/shm/sluice-sim-XXXXXX");
	if (mkdtemp(r->dir))
		return;
	strcpy(r->dir, "/tmp/sluice-sim-XXXXXX");
	BUG_ON(!mkdtemp(r->dir));
}

void router_flag(struct router *r, struct span flag)
{
	BUG_ON(r->n_flags == ROUTER_FLAGS);
	r->flags[r->n_flags++] = mem_dup_span(flag);
}

static char *path_in(const struct router *r, struct span name)
{
	size_t n = strlen(r->dir) + 1 + name.n + 1;
	char *path = mem_alloc(n);

	(void)snprintf(path, n, "%s/%.*s", r->dir, (int)name.n, name.p);
	return path;
}

static struct file *file_find(struct router *r, const char *path)
{
	list_each(l, &r->files)
	{
		struct file *f = container_of(l, struct file, link);

		if (strcmp(f->path, path) == 0)
			return f;
	}
	return NULL;
}

void router_file(struct router *r, struct span name, struct span text)
{
	char *path = path_in(r, name);
	struct file *f = file_find(r, path);
	FILE *out = fopen(path, "we");

	BUG_ON(!out);
	BUG_ON(fwrite(text.p, 1, text.n, out) != text.n || fputc('\n', out) == EOF);
	BUG_ON(fclose(out) != 0 || chmod(path, 0600) != 0);
	if (f) {
		mem_free(path);
		return;
	}
	f = mem_zalloc(sizeof(*f));
	f->path = path;
	list_add_tail(&r->files, &f->link);
}

static void file_remove(struct file *f)
{
	list_del(&f->link);
	(void)unlink(f->path);
	mem_free(f->path);
	mem_free(f);
}

void router_folder(struct router *r, struct span name)
{
	char *path = path_in(r, name);
	size_t n = strlen(path);

	list_each_safe(l, next, &r->files)
	{
		struct file *f = container_of(l, struct file, link);

		if (strncmp(f->path, path, n) == 0 && f->path[n] == '/')
			file_remove(f);
	}
	(void)mkdir(path, 0700);
	mem_free(path);
}

/* -- start -- */

static bool config_make(struct router *r)
{
	static const char *const files[] = { "--routes", "routes", "--policy", "policy",
		"--secret-file", "secrets", "--cert-dir", "certs", "--ca-file", "anchors" };
	char *argv[ROUTER_FLAGS + 20], *check = getenv("SIM_XML_CHECK");
	char *workers = getenv("SIM_WORKERS");
	int argc = 0;
	bool ok;

	argv[argc++] = "sluice";
	argv[argc++] = "--workers"; /* before the scenario's own flags, which win */
	argv[argc++] = workers ? workers : "1";
	argv[argc++] =
		"--cache-entries"; /* of the default's memory each byte is touched at each start */
	argv[argc++] = "2K";
	if (check) {
		argv[argc++] = "--xml-check";
		argv[argc++] = check;
	}
	for (unsigned i = 0; i < r->n_flags; i++)
		argv[argc++] = r->flags[i];
	for (unsigned i = 0; i < ARRAY_LEN(files); i += 2) {
		char *path = path_in(r, span_str(files[i + 1]));

		argv[argc++] = (char *)(uintptr_t)files[i];
		argv[argc++] = path;
		if (access(path, F_OK) != 0)
			argc -= 2;
		r->flags[r->n_flags + i / 2] = path; /* kept for router_free */
	}
	ok = config_parse(&r->config, argc, argv, stdout, stderr) == CONFIG_RUN;
	r->n_flags += (unsigned)ARRAY_LEN(files) / 2;
	return ok;
}

static void own_add(struct router *r, const struct addr *list, unsigned n)
{
	BUG_ON(r->n_own + n > ARRAY_LEN(r->own));
	for (unsigned i = 0; i < n; i++)
		r->own[r->n_own++] = list[i];
}

static void rules_make(struct router *r)
{
	const struct config *c = &r->config;

	r->n_own = 0;
	own_add(r, c->listen, c->n_listen);
	own_add(r, c->component_listen, c->n_component_listen);
	own_add(r, c->own_addr, c->n_own_addr);
	r->rules = config_rules(c, r->own, r->n_own);
}

static bool secrets_load(struct router *r, char why[ROUTER_WHY])
{
	char *path = path_in(r, span_str("secrets"));
	char text[4096];
	const char *fault = NULL;
	FILE *in = fopen(path, "re");
	size_t n;

	mem_free(path);
	if (!in) {
		r->secrets = secrets_random();
		return true;
	}
	n = fread(text, 1, sizeof(text), in);
	fclose(in);
	r->secrets = secrets_parse(span_of(text, n), &fault);
	if (!r->secrets)
		(void)snprintf(why, ROUTER_WHY, "%s", fault);
	return r->secrets != NULL;
}

bool router_start(struct router *r, char why[ROUTER_WHY])
{
	struct hosting *h;
	int code = 0;

	if (!config_make(r)) {
		(void)snprintf(why, ROUTER_WHY, "the flags are wrong");
		return false;
	}
	log_setup(r->config.log_level, r->config.log_format);
	rules_make(r);
	if (!secrets_load(r, why))
		return false;
	h = hosting_load(&r->config, (unsigned)r->config.workers, why);
	if (!h)
		return false;
	kernel_workers((unsigned)r->config.workers);
	r->running = crew_start(&r->crew, &r->config, &r->rules, r->secrets, h, &code);
	if (!r->running)
		(void)snprintf(why, ROUTER_WHY, "the workers do not start (exit code %d)", code);
	return r->running;
}

/* -- while it runs -- */

bool router_tell(struct router *r, int what)
{
	struct control c = { 0 };

	c.what = what;
	if (!r->ended)
		crew_tell(&r->crew, &c);
	return !r->ended;
}

bool router_reload(struct router *r, char why[ROUTER_WHY])
{
	struct control c = { .what = CONTROL_HOSTING };

	if (r->ended) {
		(void)snprintf(why, ROUTER_WHY, "the router has ended");
		return false;
	}
	c.hosting = hosting_load(&r->config, (unsigned)r->config.workers, why);
	if (!c.hosting) {
		r->crew.reloads_failed++;
		return false;
	}
	crew_tell(&r->crew, &c);
	return true;
}

void router_stats(const struct router *r, struct stats *sum)
{
	if (r->ended)
		memcpy(sum, &r->last, sizeof(*sum));
	else
		crew_stats(&r->crew, sum);
}

uint16_t router_port(const struct router *r, enum router_door door)
{
	const struct config *c = &r->config;

	switch (door) {
	case DOOR_COMPONENTS:
		return c->component_listen[0].port;
	case DOOR_TLS:
		return c->n_listen_tls ? c->listen_tls[0].port : 0;
	case DOOR_PEERS:
		break;
	}
	return c->listen[0].port;
}

void router_join(struct router *r)
{
	if (r->running)
		crew_join(&r->crew, &r->last);
	r->running = false;
	r->ended = true;
}

void router_free(struct router *r)
{
	char *certs;

	if (r->secrets)
		secrets_free(r->secrets);
	config_free(&r->config);
	for (unsigned i = 0; i < r->n_flags; i++)
		mem_free(r->flags[i]);
	while (!list_empty(&r->files))
		file_remove(list_first(&r->files, struct file, link));
	certs = path_in(r, span_str("certs"));
	(void)rmdir(certs);
	mem_free(certs);
	(void)rmdir(r->dir);
}
