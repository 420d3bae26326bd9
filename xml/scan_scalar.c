/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/skip_scalar.h"

#define SCAN_MACHINE scan_scalar
#include "xml/scan_machine.h"
