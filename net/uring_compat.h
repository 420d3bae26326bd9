/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What net/uring.c needs of the kernel's interface and an old <linux/io_uring.h>
 * may lack; values are the kernel's and never change. liburing 2.3 (Debian 12)
 * has all of them, but a distribution may pair a newer liburing with older headers.
 * Nothing newer than the liburing linked in may go into the set-up flags: the
 * library maps the ring itself.
 */
#ifndef SLUICE_NET_URING_COMPAT_H
#define SLUICE_NET_URING_COMPAT_H

#include <liburing.h>

#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_TASKRUN_FLAG
#define IORING_SETUP_TASKRUN_FLAG (1U << 9)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif
#ifndef IORING_RECVSEND_POLL_FIRST
#define IORING_RECVSEND_POLL_FIRST (1U << 0)
#endif
#ifndef IORING_CQE_F_SOCK_NONEMPTY
#define IORING_CQE_F_SOCK_NONEMPTY (1U << 2)
#endif

#endif
