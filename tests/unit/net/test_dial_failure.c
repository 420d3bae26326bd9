/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dial whose places fail, or that lacks room: connections, descriptors, memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "dial_rig.h"

TestSuite(dial_failure, .init = race_open, .fini = race_close);

Test(dial_failure, all_have_failed)
{
	race_begin("r0 r0 r1 d2");
	rig_settle(&race.r);
	cr_assert_eq(race.n_place_fails, 3);
	cr_assert_eq(race.fails, 0);
	race_pass(TIMEOUT_CONNECT_MS);
	race_failed(-ETIMEDOUT);
	cr_assert_eq(race.n_place_fails, 4);
	race_rest_is("");
	cr_assert_eq(race_open_now(), 0);
}

Test(dial_failure, the_only_one_has_failed)
{
	race_begin("r0");
	rig_settle(&race.r);
	race_failed(-ECONNREFUSED);
	cr_assert_str_eq(race.why, "the connection was refused");
}

Test(dial_failure, the_rest_is_for_the_next_dial)
{
	race.reject = 2;
	race_begin("r0 p0 p1 f1 p2");
	race_won_by(0);
	race_winner_works();
	cr_assert_eq(race_dialled(), 4);
	race_rest_is("p2");
}

/* -- want of room -- */

struct held {
	struct end end;
	int peer;
};

/* A connection that is somebody else's. */
static void slot_take(struct held *h)
{
	*h = (struct held){ 0 };
	end_plain(&race.r, &h->end, &h->peer, 0, 0);
}

static void slot_give_back(struct held *h)
{
	end_by_abort(&h->end, h->peer);
}

static void nothing_was_told(void)
{
	cr_assert_eq(race.connects + race.fails + race.n_place_fails, 0);
}

Test(dial_failure, at_the_limit_it_does_not_begin)
{
	struct held h;
	int err;

	race_renew(1);
	slot_take(&h);
	cr_assert_not(race_try("p0 p0", &err));
	cr_assert_eq(err, -EUSERS);
	race_pass(DIAL_DELAY_MS);
	nothing_was_told(); /* there is no dial */
	slot_give_back(&h);
	race_begin("p0");
	race_won_by(0);
}

/* Its own attempt's slot is free again by the time that the next one begins. */
Test(dial_failure, at_the_limit_those_under_way_go_on)
{
	struct held h;

	race_renew(2);
	slot_take(&h);
	race_begin("d0 p0");
	for (unsigned i = 0; i < 3; i++)
		race_pass(DIAL_DELAY_MS);
	cr_assert_eq(race_dialled(), 1 + 1);
	nothing_was_told();
	race_pass(TIMEOUT_CONNECT_MS - 3 * DIAL_DELAY_MS);
	race_won_by(1);
	race_place_failed(0, -ETIMEDOUT);
	slot_give_back(&h);
}

Test(dial_failure, at_the_limit_it_is_tried_again)
{
	struct held h;

	race_renew(2);
	slot_take(&h);
	race_begin("d0 p0");
	race_pass(DIAL_DELAY_MS);
	slot_give_back(&h);
	cr_assert_eq(race.connects, 0);
	race_pass(DIAL_DELAY_MS);
	race_won_by(1);
	cr_assert_eq(race.n_place_fails, 0);
}

static bool place_has_failed(void *unused)
{
	(void)unused;
	return race.n_place_fails > 0;
}

Test(dial_failure, at_the_limit_with_nothing_under_way_it_fails)
{
	struct held h;

	race_renew(1);
	race_begin("r0 p0 p1");
	cr_assert(rig_until(&race.r, place_has_failed, NULL));
	slot_take(&h); /* somebody is faster than the next attempt */
	rig_settle(&race.r);
	race_failed(-EUSERS);
	cr_assert_str_eq(race.why, "the limit of connections is reached");
	cr_assert_eq(race.n_place_fails, 1, "that says nothing about the others");
	race_rest_is("p0 p1");
	slot_give_back(&h);
}

Test(dial_failure, without_descriptors_it_does_not_begin)
{
	struct rlimit was, none;
	int err;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert_not(race_try("p0", &err));
	cr_assert_eq(err, -EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	race_begin("p0");
	race_won_by(0);
}

/* From now on this process has no IPv6, as with a kernel that was built so. */
static void ipv6_forbid(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

Test(dial_failure, without_ipv6_its_places_fail)
{
	cr_assert(addr_parse(SPAN_LIT("[::1]:5269"), 0, &race.deaf6.at));
	ipv6_forbid();
	race_begin("v0 v0 f0 v1");
	race_won_by(2);
	race_place_failed(0, -EAFNOSUPPORT);
	race_place_failed(1, -EAFNOSUPPORT);
	race_winner_works();
	race_begin("v0 v1");
	cr_assert(rig_until(&race.r, race_is_over, NULL));
	race_failed(-EAFNOSUPPORT);
	cr_assert_eq(race.n_place_fails, 2);
}

#ifdef SLUICE_FAULT_INJECTION
/* Each allocation in turn fails: the dial does not begin, or goes on with the next place. */
Test(dial_failure, without_memory)
{
	bool failed = true;
	unsigned refused = 0, lost = 0;

	for (uint64_t k = 1; failed; k++) {
		int err;

		race_renew(100);
		(void)mem_fail_nth(k);
		if (race_try("p0 r1 p1", &err)) {
			cr_assert(rig_until(&race.r, race_is_over, NULL));
			cr_assert_eq(race.connects, 1);
			lost += race.which > 0;
		} else {
			cr_assert_eq(err, -ENOMEM);
			refused++;
		}
		failed = mem_fail_nth(0) == 0;
		cr_assert_eq(race.place_err[0], 0, "it is not to blame");
	}
	cr_assert_gt(refused, 0);
	cr_assert_gt(lost, 0);
}
#endif
