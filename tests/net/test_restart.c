// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A daemon restarted in order keeps its tables, in a file or in a service manager's store (the
 * test's own): what is the same on both sides is neither sent nor installed again. Whatever is
 * wrong with them, the start is a cold one and both are equal in the end.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum {
	FLOWS = 2000,
	MADE = 50, /* while it is away */
	ENDED = 30,
	OWN = 20, /* of the standby's box itself */
	LEFT = FLOWS + MADE - ENDED,
	PATIENCE_MS = 60000,
	REPAIRED_MOST = (MADE + ENDED) * 24, /* a leaf of repair is sent whole */
};

enum where { IN_FILE, IN_MANAGER, WHERES };

static struct pair p;
static struct notify *manager;
static char file[PAIR_PATH + 16], before[32];

static void up(void)
{
	char path[PAIR_PATH];

	pair_open(&p, 2);
	(void)snprintf(path, sizeof(path), "%s/notify", p.dir);
	manager = notify_open(path);
}

static void down(void)
{
	notify_close(manager);
	pair_close(&p);
}

static void session_of(size_t i, char *out, size_t len)
{
	json_t *r = NULL;

	ck_assert_int_eq(pair_ask(&p, i, "status", NULL, NULL, &r), 0);
	(void)snprintf(out, len, "%s", json_string_value(json_object_get(r, "session")));
	json_decref(r);
}

/* Two nodes with flows, of which node i is about to be restarted. */
static void start(size_t i, enum where where)
{
	if (where == IN_MANAGER)
		p.node[i].manager = manager;
	(void)snprintf(file, sizeof(file), "%s/run/tables", p.node[i].dir);
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, FLOWS, false);
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
	session_of(i, before, sizeof(before));
	ck_assert_int_eq(pair_group(&p, i, "kept"), 0);
}

static void stop(size_t i, enum where where)
{
	ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	ck_assert_int_eq(access(file, F_OK), where == IN_FILE ? 0 : -1);
	ck_assert((notify_stored(manager) >= 0) == (where == IN_MANAGER));
}

static bool is_taken_out(void *ctx)
{
	(void)ctx;
	return notify_stored(manager) < 0;
}

/* It is there again under another session, and what it had kept is kept no more. */
static void started(size_t i)
{
	char now[32];

	pair_start(&p, i, true);
	session_of(i, now, sizeof(now));
	ck_assert_str_ne(before, now);
	ck_assert_int_ne(access(file, F_OK), 0);
	ck_assert(netns_wait_for(is_taken_out, NULL, PATIENCE_MS));
}

static bool has_logged(size_t i, const char *what)
{
	char *log = pair_log(&p, i);
	bool has = strstr(log, what);

	free(log);
	return has;
}

START_TEST(test_standby_unchanged)
{
	start(1, (enum where)_i);
	stop(1, (enum where)_i);
	started(1);
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, 1, "kept"), FLOWS);
	ck_assert_int_eq(pair_counter(&p, 1, "puts_applied"), 0);
	ck_assert_int_eq(pair_counter(&p, 1, "installed"), 0);
	ck_assert_int_eq(pair_counter(&p, 1, "checks_differed"), 0);
	ck_assert(has_logged(1, "joining -> repairing"));
}
END_TEST

START_TEST(test_standby_missed_some)
{
	start(1, (enum where)_i);
	stop(1, (enum where)_i);
	pair_flows(&p, 0, FLOWS, MADE, false);
	pair_flows(&p, 0, 0, ENDED, true);
	started(1);
	ck_assert(pair_wait_equal(&p, 1, LEFT, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, 1, "kept"), FLOWS);
	ck_assert_int_ge(pair_counter(&p, 1, "puts_applied"), MADE);
	ck_assert_int_le(pair_counter(&p, 1, "puts_applied"), REPAIRED_MOST);
	ck_assert_int_eq(pair_counter(&p, 1, "installed"), MADE);
	ck_assert_int_eq(pair_counter(&p, 1, "removed"), ENDED);
}
END_TEST

/* The active's own kernel goes on without it: what changed there meanwhile, and nothing else, is
 * sent. */
START_TEST(test_active)
{
	long long applied;

	start(0, (enum where)_i);
	stop(0, (enum where)_i);
	pair_flows(&p, 0, FLOWS, MADE, false);
	pair_flows(&p, 0, 0, ENDED, true);
	applied = pair_counter(&p, 1, "puts_applied");
	started(0);
	ck_assert(pair_wait_equal(&p, 1, LEFT, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, 0, "complete", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_kernel_count(&p, 0), LEFT);
	ck_assert_int_eq(pair_group(&p, 0, "kept"), FLOWS);
	ck_assert_int_eq(pair_group(&p, 0, "flows"), LEFT);
	ck_assert_int_eq(pair_group(&p, 0, "term"), 2);
	ck_assert_int_eq(pair_counter(&p, 0, "puts_sent"), MADE);
	ck_assert_int_eq(pair_counter(&p, 0, "dels_sent"), ENDED);
	ck_assert_int_eq(pair_counter(&p, 0, "installed"), 0);
	ck_assert_int_le(pair_counter(&p, 1, "puts_applied") - applied, REPAIRED_MOST);
}
END_TEST

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= 0x10;
	ck_assert(pwrite(fd, &byte, 1, at) == 1);
	(void)close(fd);
}

/* What the manager has, with a byte changed; sealed or as it is easily changed. */
static void flip_stored(bool sealed)
{
	int from = notify_stored(manager), to = memfd_create("t", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct stat st;
	uint8_t *at;

	ck_assert(to >= 0 && fstat(from, &st) == 0);
	ck_assert_int_eq(ftruncate(to, st.st_size), 0);
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	ck_assert(at != MAP_FAILED);
	ck_assert_int_eq(pread(from, at, (size_t)st.st_size, 0), st.st_size);
	at[st.st_size / 2] ^= sealed;
	ck_assert_int_eq(munmap(at, (size_t)st.st_size), 0);
	if (sealed)
		ck_assert_int_eq(fcntl(to, F_ADD_SEALS,
				       F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
				 0);
	notify_store(manager, to);
}

/* What is marked in the kernel would be the table that the kept one cannot be. */
#define UNMARKED "conntrack { label = none }"

enum damage { A_BYTE, A_PART, FOR_ALL, A_BYTE_SEALED, UNSEALED, ANOTHER_MATCH, DAMAGES };

static const char *damage(enum damage d)
{
	switch (d) {
	case A_BYTE:
		flip(file, 5000);
		return "it is damaged";
	case A_PART:
		ck_assert_int_eq(truncate(file, 5000), 0);
		return "it is damaged";
	case FOR_ALL:
		ck_assert_int_eq(chmod(file, 0644), 0);
		return "they are not ours alone";
	case A_BYTE_SEALED:
		flip_stored(true);
		return "it is damaged";
	case UNSEALED:
		flip_stored(false);
		return "they are not ours alone";
	case ANOTHER_MATCH:
		pair_configure(
			&p, 1,
			"group web { id = 1 match = { \"203.0.113.0/24\", \"198.51.100.1\" } }",
			UNMARKED);
		return "match or filter have changed";
	case DAMAGES:
		break;
	}
	return NULL;
}

START_TEST(test_damaged)
{
	const enum where where = _i == A_BYTE_SEALED || _i == UNSEALED ? IN_MANAGER : IN_FILE;
	const char *why;

	pair_configure(&p, 1, "group web { id = 1 match = { \"203.0.113.0/24\" } }", UNMARKED);
	start(1, where);
	stop(1, where);
	why = damage((enum damage)_i);
	started(1);
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, 1, "kept"), 0);
	ck_assert_int_ge(pair_counter(&p, 1, "puts_applied"), FLOWS);
	ck_assert(has_logged(1, why) && has_logged(1, "the start is cold"));
	ck_assert_int_eq(pair_group(&p, 1, "ready"), _i != ANOTHER_MATCH);
}
END_TEST

/* An active that finds damage has its kernel, and the standby nothing new to hear. */
START_TEST(test_active_damaged)
{
	long long applied;

	start(0, IN_FILE);
	stop(0, IN_FILE);
	(void)damage(A_BYTE);
	applied = pair_counter(&p, 1, "puts_applied");
	started(0);
	ck_assert(pair_wait_group(&p, 0, "complete", 1, PATIENCE_MS));
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, 0, "kept"), 0);
	ck_assert_int_eq(pair_counter(&p, 0, "puts_sent"), 0);
	ck_assert_int_eq(pair_counter(&p, 1, "puts_applied"), applied);
}
END_TEST

/* Who was killed had no time to keep anything, and nothing older is taken for it. */
START_TEST(test_killed_after_restart)
{
	start(1, IN_MANAGER);
	stop(1, IN_MANAGER);
	started(1);
	ck_assert_int_eq(pair_stop(&p, 1, SIGKILL), 128 + SIGKILL);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_group(&p, 1, "kept"), 0);
	ck_assert_int_eq(notify_count(manager, false), 1);
	ck_assert_int_eq(notify_count(manager, true), 1);
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
}
END_TEST

static bool has_in_kernel(void *ctx)
{
	return pair_kernel_count(&p, 1) == *(const size_t *)ctx;
}

static bool active_has(void *ctx)
{
	return pair_group(&p, 0, "flows") == (long long)*(const size_t *)ctx;
}

/* Standby 1 is killed, and flows end on the active before it is back. */
static void kill_and_miss(size_t left)
{
	ck_assert_int_eq(pair_stop(&p, 1, SIGKILL), 128 + SIGKILL);
	pair_flows(&p, 0, 0, ENDED, true);
	ck_assert(netns_wait_for(active_has, &left, PATIENCE_MS));
	pair_start(&p, 1, true);
}

/*
 * What a killed standby had installed is known for its own: it is the table to begin with, so what
 * is right is not sent again, and what ended meanwhile goes. What is the box's own stays, though
 * the table knows nothing of it.
 */
START_TEST(test_killed_leftovers)
{
	size_t left = FLOWS - ENDED + OWN;

	start(1, IN_FILE);
	pair_flows(&p, 1, FLOWS + MADE, OWN, false);
	kill_and_miss(FLOWS - ENDED);
	ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	ck_assert(netns_wait_for(has_in_kernel, &left, PATIENCE_MS));
	ck_assert_int_eq(pair_counter(&p, 1, "removed"), ENDED);
	ck_assert_int_le(pair_counter(&p, 1, "puts_applied"), REPAIRED_MOST);
	ck_assert_int_eq(pair_counter(&p, 1, "installed"), 0);
	ck_assert_int_eq(pair_group(&p, 1, "flows"), FLOWS - ENDED);
	ck_assert_int_eq(pair_counter(&p, 1, "reinstalled"), 0);
	/* Its takeover has nothing to tell of them. */
	ck_assert_int_eq(pair_stop(&p, 0, SIGKILL), 128 + SIGKILL);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, 1, "complete", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, 1, "flows"), (long long)left);
	ck_assert_uint_eq(pair_kernel_count(&p, 1), left);
}
END_TEST

/*
 * With install = takeover a standby installs nothing, but what it has served ends in its kernel
 * when it ends on the active; what ended while it was killed does so once it is back.
 */
START_TEST(test_killed_leftovers_of_takeover)
{
	size_t some = FLOWS - ENDED, less = FLOWS - 2 * ENDED;

	pair_configure(&p, 1,
		       "group web { id = 1 match = { \"203.0.113.0/24\" } install = takeover }",
		       _i ? "conntrack { label = none }" : "");
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	pair_flows(&p, 1, 0, FLOWS, false);
	ck_assert(pair_wait_equal(&p, 0, FLOWS, PATIENCE_MS));
	if (_i) { /* before anything is marked, and told of its new role as it starts */
		ck_assert_int_eq(pair_stop(&p, 1, SIGKILL), 128 + SIGKILL);
		pair_start(&p, 1, true);
	}
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "standby", NULL), 0);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	pair_flows(&p, 0, FLOWS - ENDED, ENDED, true);
	ck_assert(netns_wait_for(has_in_kernel, &some, PATIENCE_MS));
	if (!_i) {
		kill_and_miss(less);
		ck_assert(netns_wait_for(has_in_kernel, &less, PATIENCE_MS));
		ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	}
	/* Its next takeover has nothing to tell. */
	ck_assert_int_eq(pair_stop(&p, 0, SIGKILL), 128 + SIGKILL);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, 1, "complete", 1, PATIENCE_MS));
	ck_assert_uint_eq(pair_kernel_count(&p, 1), _i ? some : less);
	ck_assert_int_eq(pair_group(&p, 1, "flows"), (long long)(_i ? some : less));
	ck_assert_int_eq(pair_counter(&p, 1, "puts_sent"), 0);
}
END_TEST

/* Without a mark nothing is known, and nothing deleted. */
START_TEST(test_killed_unmarked)
{
	pair_configure(&p, 1, "group web { id = 1 match = { \"203.0.113.0/24\" } }",
		       "conntrack { label = none reconcile_s = 1 }");
	start(1, IN_FILE);
	kill_and_miss(FLOWS - ENDED);
	ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	ck_assert(pair_wait_counter(&p, 1, "dumps", pair_counter(&p, 1, "dumps") + 3, PATIENCE_MS));
	ck_assert_uint_eq(pair_kernel_count(&p, 1), FLOWS);
	ck_assert_int_eq(pair_counter(&p, 1, "leftovers"), 0);
}
END_TEST

#define ADDRESSED "group web { id = 1 match = { \"203.0.113.10\", \"203.0.113.0/24\" } "

static void address(size_t i, const char *what)
{
	pair_enter(&p, i);
	ck_assert_int_eq(netns_sh("ip addr %s 203.0.113.10/32 dev lo", what), 0);
	pair_leave(&p);
}

/*
 * Node 1 served and was killed, and the address went to node 0. Back, it stands by: node 0, of the
 * same term and a lower number, would else have to give way. Where its address has stayed it goes
 * on.
 */
START_TEST(test_address_has_left)
{
	const bool left = _i == 0;

	for (size_t i = 0; i < 2; i++) {
		pair_configure(&p, i, ADDRESSED "}", "");
		pair_start(&p, i, true);
	}
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	address(1, "add"); /* after the role, as Pacemaker does */
	pair_flows(&p, 1, 0, FLOWS, false);
	ck_assert(pair_wait_equal(&p, 0, FLOWS, PATIENCE_MS));
	ck_assert_int_eq(pair_stop(&p, 1, SIGKILL), 128 + SIGKILL);
	if (left) {
		address(1, "del");
		address(0, "add");
		ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	}
	pair_start(&p, 1, true);
	ck_assert(has_logged(1, "its address has left this box") == left);
	ck_assert(pair_wait_equal(&p, left ? 1 : 0, FLOWS, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, left ? 0 : 1, "term"), 2);
	ck_assert(!has_logged(0, "active ->"));
}
END_TEST

static bool has_guard(void *want)
{
	bool has;

	pair_enter(&p, 1);
	has = netns_sh("nft list tables | grep -q syncd_guard") == 0;
	pair_leave(&p);
	return has == *(const bool *)want;
}

/* With install = takeover the guard comes with the address, not only with the word of it. */
START_TEST(test_guard_with_the_address)
{
	bool yes = true, no = false;

	pair_configure(&p, 1, ADDRESSED "install = takeover }", "");
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, FLOWS, false);
	ck_assert(pair_wait_group(&p, 1, "flows", FLOWS, PATIENCE_MS));
	address(1, "add");
	ck_assert(netns_wait_for(has_guard, &yes, PATIENCE_MS));
	ck_assert_int_eq(pair_kernel_count(&p, 1), 0);
	address(1, "del");
	ck_assert(netns_wait_for(has_guard, &no, PATIENCE_MS));
	/* Nobody ever tells. */
	address(1, "add");
	ck_assert(netns_wait_for(has_guard, &yes, PATIENCE_MS));
	ck_assert(netns_wait_for(has_guard, &no, PATIENCE_MS));
}
END_TEST

static Suite *restart_suite(void)
{
	Suite *s = suite_create("restart");
	TCase *tc = tcase_create("restart");

	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_loop_test(tc, test_standby_unchanged, 0, WHERES);
	tcase_add_loop_test(tc, test_standby_missed_some, 0, WHERES);
	tcase_add_loop_test(tc, test_active, 0, WHERES);
	tcase_add_loop_test(tc, test_damaged, 0, DAMAGES);
	tcase_add_test(tc, test_active_damaged);
	tcase_add_test(tc, test_killed_after_restart);
	suite_add_tcase(s, tc);
	tc = tcase_create("killed");
	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_killed_leftovers);
	tcase_add_loop_test(tc, test_killed_leftovers_of_takeover, 0, 2);
	tcase_add_test(tc, test_killed_unmarked);
	tcase_add_loop_test(tc, test_address_has_left, 0, 2);
	tcase_add_test(tc, test_guard_with_the_address);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (!netns_usable("test_restart"))
		return 0;
	return suite_run(restart_suite());
}
