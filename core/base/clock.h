/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time. A worker reads the clock once per loop turn and hands the value on as
 * `now`; nothing below core/ reads a clock by itself, so that tests can script
 * time. Milliseconds since an arbitrary start, monotonic. Any thread.
 */
#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include "core/base/base.h"

uint64_t clock_ms(void);

/* Wall clock: seconds since 1970. */
int64_t clock_unix(void);

/* Wall clock in UTC as "2026-11-22T16:30:00.123Z", for logs; out holds 25 bytes. */
void clock_stamp(char out[25]);

#endif
