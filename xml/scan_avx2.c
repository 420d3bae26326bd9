/* SPDX-License-Identifier: GPL-2.0-or-later */
#if defined(__x86_64__)
#include "xml/skip_avx2.h"

#define SCAN_MACHINE scan_avx2
#include "xml/scan_machine.h"
#endif
