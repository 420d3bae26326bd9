/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/doorbell.h"

#include "core/base/perturb.h"

void doorbell_init(struct doorbell *d)
{
	atomic_init(&d->asleep, false);
}

bool doorbell_ring(struct doorbell *d)
{
	PERTURB();
	/* First a load: the exchange would take the line from the others each time. */
	if (!atomic_load_explicit(&d->asleep, memory_order_seq_cst))
		return false;
	PERTURB();
	return atomic_exchange_explicit(&d->asleep, false, memory_order_seq_cst);
}

void doorbell_announce(struct doorbell *d)
{
	PERTURB();
	atomic_store_explicit(&d->asleep, true, memory_order_seq_cst);
	PERTURB();
}

bool doorbell_awake(struct doorbell *d)
{
	PERTURB();
	return atomic_exchange_explicit(&d->asleep, false, memory_order_seq_cst);
}
