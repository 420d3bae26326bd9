/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one thread can see; tests/stress/stress_doorbell.c and tests/model/doorbell.pml have the rest. */
#include <criterion/criterion.h>

#include "core/base/doorbell.h"

static struct doorbell bell;

static void init(void)
{
	doorbell_init(&bell);
}

TestSuite(doorbell, .init = init);

Test(doorbell, nobody_is_woken_who_does_not_sleep)
{
	cr_assert_not(doorbell_ring(&bell));
}

Test(doorbell, one_ring_wakes)
{
	doorbell_announce(&bell);
	cr_assert(doorbell_ring(&bell));
	cr_assert_not(doorbell_ring(&bell));
	cr_assert_not(doorbell_ring(&bell));
}

Test(doorbell, who_was_rung_is_told)
{
	doorbell_announce(&bell);
	cr_assert(doorbell_ring(&bell));
	cr_assert_not(doorbell_awake(&bell));
}

Test(doorbell, who_stays_awake_is_not_rung)
{
	doorbell_announce(&bell);
	cr_assert(doorbell_awake(&bell));
	cr_assert_not(doorbell_ring(&bell));
}

Test(doorbell, each_sleep_has_a_ring_of_its_own)
{
	for (unsigned i = 0; i < 3; i++) {
		doorbell_announce(&bell);
		cr_assert(doorbell_ring(&bell));
		cr_assert_not(doorbell_awake(&bell));
	}
}

Test(doorbell, has_a_cache_line_of_its_own)
{
	struct doorbell two[2];

	cr_assert_eq((char *)&two[1] - (char *)&two[0], DOORBELL_ALIGN);
	cr_assert_eq((uintptr_t)&bell % DOORBELL_ALIGN, 0);
}
