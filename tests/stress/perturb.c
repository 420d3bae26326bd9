/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/perturb.h"

#include <sched.h>

#include "tests/stress/crew.h"

/* In one of 32 passes a thread lingers: it gives the processor away, or, while other
 * processors run the others, spins for about as long as an operation of theirs takes. */
void perturb(void)
{
	static _Thread_local struct dice dice;
	volatile uint32_t spin;

	if (dice.state == 0) /* its address differs from thread to thread */
		dice.state = (uintptr_t)&dice;
	switch (dice_below(&dice, 64)) {
	case 0:
		sched_yield();
		break;
	case 1:
		for (spin = dice_below(&dice, 500); spin > 0; spin--)
			;
		break;
	default:
		break;
	}
}
