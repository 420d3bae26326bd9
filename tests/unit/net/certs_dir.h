/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A --cert-dir for one test, made by certs_make.py, and what was reported about it. */
#ifndef SLUICE_TEST_CERTS_DIR_H
#define SLUICE_TEST_CERTS_DIR_H

#include "net/certs.h"
#include "net/tls_cert.h"

#define DAY 86400
#define REPORTS 64

struct reported {
	enum certs_grade grade;
	char file[64], what[128], other[64], name[64];
	unsigned names;
};

extern struct reported reported[REPORTS]; /* by the last certs_dir_load */
extern unsigned n_reported;

void certs_dir_open(void);
void certs_dir_close(void); /* removes it */
const char *certs_dir_path(void);

/* Lines as certs_make.py has them. */
void certs_dir_make(const char *lines);
void certs_dir_write(const char *file, const char *text, unsigned mode);
/* A command of the shell's, run in the folder. */
void certs_dir_run(const char *command);

struct certs *certs_dir_load(void); /* now */
struct certs *certs_dir_load_at(int64_t now);

/* The first report about that file; fails the test if there is none. */
const struct reported *report_of(const char *file);

const char *found_file(const struct certs *s, const char *name); /* "-": none */
int serial_of(const struct tls_cert *c); /* 0: NULL */

#endif
