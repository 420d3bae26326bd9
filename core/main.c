/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <sysexits.h>

#include "core/control.h"
#include "core/diag.h"

int main(int argc, char **argv)
{
	struct config c;
	int code = EX_USAGE;

	switch (config_parse(&c, argc, argv, stdout, stderr)) {
	case CONFIG_RUN:
		log_setup(c.log_level, c.log_format);
		code = c.check ? diag_check(&c, stdout) : control_run(&c);
		break;
	case CONFIG_EXIT:
		code = EX_OK;
		break;
	case CONFIG_ERROR:
		break;
	}
	config_free(&c);
	return code;
}
