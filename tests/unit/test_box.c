// SPDX-License-Identifier: GPL-2.0-or-later
/* Drift between boxes: items compared, rulesets as fingerprints. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "syncd/box/drift.h"
#include "syncd/box/rules.h"
#include "tests/lib/suite.h"

START_TEST(test_compare)
{
	struct hello_item a[4] = {{"one", 1}, {"two", 2}, {"three", 3}};
	struct hello_item b[4] = {{"three", 3}, {"two", 7}, {"one", 8}, {"only here", 1}};
	char text[64], tight[6];

	ck_assert_uint_eq(drift_compare(a, 3, a, 3, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(drift_compare(a, 3, b, 4, text, sizeof(text)), 2);
	ck_assert_str_eq(text, "one, two");
	ck_assert_uint_eq(drift_compare(a, 3, b, 4, tight, sizeof(tight)), 2);
	ck_assert_str_eq(tight, "one, ");
	ck_assert_uint_eq(drift_name(text, sizeof(text), 2, "group web"), 3);
	ck_assert_str_eq(text, "one, two, group web");
	ck_assert_ptr_eq(drift_find(b, 4, "one"), &b[2]);
	ck_assert_ptr_null(drift_find(b, 4, "none"));
	/* An older version that does not know an item differs in nothing by that. */
	ck_assert_uint_eq(drift_compare(a, 3, b, 0, text, sizeof(text)), 0);
}
END_TEST

START_TEST(test_settings)
{
	struct hello_item item[HELLO_ITEMS_MAX];
	size_t n = drift_add(item, 0, "first", 42);

	n = drift_add_settings(item, n);
	ck_assert_uint_ge(n, 2); /* ip_forward is in every kernel */
	ck_assert_uint_le(n, HELLO_ITEMS_MAX);
	ck_assert_str_eq(item[n - 1].name, "ip_forward");
	for (size_t i = 0; i < 100; i++)
		n = drift_add(item, n, "more", i);
	ck_assert_uint_eq(n, HELLO_ITEMS_MAX);
}
END_TEST

#define CHAIN(type)                                                                              \
	"{\"chain\":{\"family\":\"ip\",\"table\":\"nat\",\"name\":\"in\",\"handle\":1,\"type\":" \
	"\"" type "\",\"hook\":\"prerouting\",\"prio\":-100}},"
#define RULE(handle, packets, port)                                                          \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"nat\",\"chain\":\"in\",\"handle\":" handle \
	",\"expr\":[{\"counter\":{\"packets\":" packets                                      \
	",\"bytes\":0}},{\"dnat\":{\"addr\":\"10.2.0.1\",\"port\":" port "}}]}}"
#define RULESET(...) "{\"nftables\":[" __VA_ARGS__ "]}"

static uint64_t nat_of(const char *json, size_t rules)
{
	struct rules_found found;

	ck_assert_int_eq(rules_parse(json, &found), 0);
	ck_assert_uint_eq(found.nat_rules, rules);
	return found.nat;
}

START_TEST(test_nat_rules)
{
	const uint64_t h =
		nat_of(RULESET(CHAIN("nat") RULE("5", "9", "80") "," RULE("6", "1", "81")), 2);

	/* handles and counters mean nothing */
	ck_assert_uint_eq(
		h, nat_of(RULESET(CHAIN("nat") RULE("8", "0", "80") "," RULE("9", "0", "81")), 2));
	/* order, ports and the rest do */
	ck_assert_uint_ne(
		h, nat_of(RULESET(CHAIN("nat") RULE("5", "9", "81") "," RULE("6", "1", "80")), 2));
	ck_assert_uint_ne(
		h, nat_of(RULESET(CHAIN("nat") RULE("5", "9", "80") "," RULE("6", "1", "82")), 2));
	ck_assert_uint_ne(h, nat_of(RULESET(CHAIN("nat") RULE("5", "9", "80")), 1));
	/* chains that translate nothing do not */
	ck_assert_uint_eq(nat_of(RULESET(CHAIN("filter") RULE("5", "9", "80")), 0), 0);
	ck_assert_uint_eq(nat_of(RULESET("{\"metainfo\":{\"version\":\"1\"}}"), 0), 0);
}
END_TEST

#define JUMP(to)                                                                                 \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"nat\",\"chain\":\"in\",\"handle\":3,\"expr\":" \
	"[" to "]}}"
#define OTHER(name, port)                                                                       \
	"{\"chain\":{\"family\":\"ip\",\"table\":\"nat\",\"name\":\"" name "\",\"handle\":2}}," \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"nat\",\"chain\":\"" name                      \
	"\",\"handle\":4,\"expr\":[{\"dnat\":{\"addr\":\"10.2.0.1\",\"port\":" port "}}]}}"

#define VERDICTS                                                                             \
	"{\"map\":{\"family\":\"ip\",\"name\":\"to\",\"table\":\"nat\",\"map\":\"verdict\"," \
	"\"elem\":[[80,{\"goto\":{\"target\":\"web\"}}]]}},"

/* Most rulesets translate in chains that the one with the hook only leads to. */
START_TEST(test_nat_elsewhere)
{
	static const char *const jump[] = {
		"{\"jump\":{\"target\":\"web\"}}",
		"{\"goto\":{\"target\":\"web\"}}",
		"{\"vmap\":{\"key\":7,\"data\":{\"set\":[[80,{\"goto\":{\"target\":\"web\"}}]]}}}",
		"{\"vmap\":{\"key\":7,\"data\":\"@to\"}}",
	};
	char json[2][2048];
	const char *const port[] = {"80", "81"};

	for (int i = 0; i < 2; i++)
		snprintf(json[i], sizeof(json[i]),
			 RULESET(VERDICTS "%s" JUMP("%s") "," OTHER("%s", "%s")), CHAIN("nat"),
			 jump[_i], "web", "web", port[i]);
	ck_assert_uint_ne(nat_of(json[0], 2), nat_of(json[1], 2));
	for (int i = 0; i < 2; i++) /* nobody leads there */
		snprintf(json[i], sizeof(json[i]), RULESET("%s" JUMP("%s") "," OTHER("%s", "%s")),
			 CHAIN("nat"), jump[_i], "unused", "unused", port[i]);
	ck_assert_uint_eq(nat_of(json[0], 1), nat_of(json[1], 1));
}
END_TEST

START_TEST(test_flowtables)
{
	struct rules_found found;

	ck_assert_int_eq(rules_parse(RULESET("{\"flowtable\":{\"family\":\"inet\",\"name\":\"ft\","
					     "\"table\":\"filter\",\"handle\":3}}"),
				     &found),
			 0);
	ck_assert_uint_eq(found.flowtables, 1);
	ck_assert_str_eq(found.flowtable_names, "inet filter ft");
}
END_TEST

START_TEST(test_nonsense)
{
	static const char *const bad[] = {"", "x", "[]", "{}", "{\"nftables\":7}"};
	struct rules_found found;

	ck_assert_int_eq(rules_parse(bad[_i], &found), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("box");
	TCase *t = tcase_create("box");

	tcase_add_test(t, test_compare);
	tcase_add_test(t, test_settings);
	tcase_add_test(t, test_nat_rules);
	tcase_add_loop_test(t, test_nat_elsewhere, 0, 4);
	tcase_add_test(t, test_flowtables);
	tcase_add_loop_test(t, test_nonsense, 0, 5);
	suite_add_tcase(s, t);
	return suite_run(s);
}
