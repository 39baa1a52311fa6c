// SPDX-License-Identifier: GPL-2.0-or-later
/* addresses.c against the real kernel: addresses of both families that come and go. */
#include <check.h>
#include <stdlib.h>

#include "syncd/base/addresses.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

enum { WAIT_MS = 10000, CROWD = 3000 };

static struct addresses *addresses;
static struct config *config;

static void setup(void)
{
	static const char text[] =
		"node t { id = 1 }\nlink l { interface = x }\ninsecure = true\n"
		"group four { id = 1 match = { \"203.0.113.10\", \"203.0.113.11\" } }\n"
		"group six { id = 2 match = { \"2001:db8:1::10\" } }\n"
		"group net { id = 3 match = { \"203.0.113.0/24\", \"2001:db8:1::/64\" } }\n";
	char err[CONFIG_ERROR_MAX];

	ck_assert_int_eq(netns_enter(), 0);
	ck_assert_msg(config_parse(text, "t", &config, err) == 0, "%s", err);
	ck_assert_int_eq(netns_sh("ip addr add 203.0.113.11/24 dev lo"), 0);
	ck_assert_int_eq(addresses_open(NULL, NULL, &addresses), 0);
}

static void teardown(void)
{
	addresses_close(addresses);
	config_free(config);
}

static bool has(size_t group)
{
	return addresses_has(addresses, &config->group[group].match);
}

static size_t wanted_group;
static bool wanted;

static bool is_as_wanted(void *unused)
{
	(void)unused;
	ck_assert_int_eq(addresses_refresh(addresses), 0);
	return has(wanted_group) == wanted;
}

static void expect(size_t group, bool held)
{
	wanted_group = group;
	wanted = held;
	ck_assert(netns_wait_for(is_as_wanted, NULL, WAIT_MS));
}

START_TEST(test_come_and_go)
{
	ck_assert(has(0) && !has(1));
	ck_assert_int_eq(netns_sh("ip addr add 2001:db8:1::10/128 dev lo nodad"), 0);
	expect(1, true);
	ck_assert_int_eq(netns_sh("ip addr del 203.0.113.11/24 dev lo"), 0);
	expect(0, false);
	ck_assert(has(1));
	ck_assert_int_eq(netns_sh("ip addr add 203.0.113.10/32 dev lo && "
				  "ip addr del 2001:db8:1::10/128 dev lo"),
			 0);
	expect(0, true);
	expect(1, false);
	ck_assert(!has(2)); /* nobody has a whole network */
}
END_TEST

/* More than a part of a dump and more than the socket's buffer has room for. */
START_TEST(test_crowd)
{
	ck_assert_int_eq(
		netns_sh(
			"i=0; while [ $i -lt %d ]; do echo \"addr add 10.$((i / 250)).$((i %% 250))"
			".1/32 dev lo\"; i=$((i + 1)); done | ip -batch -",
			CROWD),
		0);
	ck_assert_int_eq(netns_sh("ip addr add 203.0.113.10/32 dev lo && "
				  "ip addr del 203.0.113.11/24 dev lo"),
			 0);
	ck_assert_int_eq(addresses_refresh(addresses), 0);
	ck_assert(has(0));
	ck_assert_int_eq(netns_sh("ip addr del 203.0.113.10/32 dev lo"), 0);
	expect(0, false);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("addresses");
	TCase *t = tcase_create("addresses");

	if (!netns_usable("addresses"))
		return 77;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_come_and_go);
	tcase_add_test(t, test_crowd);
	suite_add_tcase(s, t);
	return suite_run(s);
}
