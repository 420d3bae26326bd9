/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many descriptors this process has: none may be lost. */
#ifndef SLUICE_TEST_NET_FDS_H
#define SLUICE_TEST_NET_FDS_H

unsigned fds_open(void);

#endif
