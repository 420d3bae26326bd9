/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificates that a scenario can name: species of tests/zoo, from the folder in $SLUICE_ZOO,
 * which ctest has made, or else made by its program when the first is asked for, in a folder that
 * goes when the process ends. One thread at a time.
 */
#ifndef TESTS_SIM_ZOO_H
#define TESTS_SIM_ZOO_H

#include "core/base/span.h"
#include "tests/sim/text.h"

/*
 * Appends a file of the zoo: NAME.pem (what a server with it sends), NAME.key, NAME.der, or
 * authority-NAME.pem. False: there is no such species, or the zoo could not be made; why.
 */
bool zoo_read(struct span name, const char *suffix, struct buf *out, char why[TEXT_WHY]);

/* When it was made: for one that is not there yet, the time of the first call. Seconds since 1970. */
int64_t zoo_time(void);

#endif
