// SPDX-License-Identifier: GPL-2.0-or-later
/* Which group a flow belongs to, and the fingerprint of that. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/match.h"
#include "tests/lib/suite.h"

#define HEAD "node a { id = 1 }\nlink l { interface = x }\ninsecure = true\n"

static struct config *parse(const char *text)
{
	char err[CONFIG_ERROR_MAX];
	struct config *c = NULL;

	ck_assert_msg(config_parse(text, "t.conf", &c, err) == 0, "%s", err);
	return c;
}

static struct flow_key key(const char *text)
{
	struct flow_key k;

	ck_assert_msg(flow_key_parse(text, &k) == 0, "%s", text);
	return k;
}

static uint32_t classify(const struct match *m, const char *text)
{
	const struct flow_key k = key(text);

	return config_match_classify(m, &k);
}

START_TEST(test_classify)
{
	struct config *c =
		parse(HEAD "group web { id = 4 match = { 203.0.113.0/25, \"2001:db8::10\" }\n"
			   " ports = { 80, 8000-8010 } }\n"
			   "group all { id = 9 }\n"
			   "group zone { id = 7 zones = { 3 } }\n"
			   "group first { id = 2 match = { 203.0.113.7 } }\n");
	struct match *m = config_match_new(c);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(classify(m, "tcp 192.0.2.1:4242>203.0.113.10:80"), 4);
	ck_assert_uint_eq(classify(m, "tcp 192.0.2.1:4242>203.0.113.127:8000"), 4);
	ck_assert_uint_eq(classify(m, "tcp 192.0.2.1:4242>203.0.113.127:8010"), 4);
	ck_assert_uint_eq(classify(m, "tcp 192.0.2.1:4242>203.0.113.127:8011"), 9);
	ck_assert_uint_eq(classify(m, "tcp 192.0.2.1:4242>203.0.113.128:80"), 9);
	ck_assert_uint_eq(classify(m, "udp 192.0.2.1:80>203.0.113.7:53"), 2);
	ck_assert_uint_eq(classify(m, "tcp 203.0.113.9:4242>192.0.2.1:80"), 4);
	ck_assert_uint_eq(classify(m, "tcp [2001:db8::1]:4242>[2001:db8::10]:80"), 4);
	ck_assert_uint_eq(classify(m, "tcp [2001:db8::1]:4242>[2001:db8::11]:80"), 9);
	config_match_free(m);
	config_free(c);
}
END_TEST

START_TEST(test_none)
{
	struct config *c =
		parse(HEAD "group web { id = 4 match = { 203.0.113.10 } ports = { 80 } }\n");
	struct match *m = config_match_new(c);
	struct flow_key k = key("tcp 192.0.2.1:4242>203.0.113.10:80");

	ck_assert_uint_eq(config_match_classify(m, &k), 4);
	ck_assert_uint_eq(classify(m, "tcp 192.0.2.1:4242>203.0.113.11:80"), 0);
	/* An echo's type and code stand where the port is; they must not be taken for one. */
	k.l4proto = IPPROTO_ICMP;
	ck_assert_uint_eq(config_match_classify(m, &k), 0);
	config_match_free(m);
	config_free(c);
}
END_TEST

START_TEST(test_marks_and_zones)
{
	struct config *c =
		parse(HEAD "group m { id = 1 match = { 192.0.2.9 } marks = { 0x10/0xf0 } }\n"
			   "group z { id = 2 zones = { 5-6 } }\n");
	struct match *m = config_match_new(c);
	struct flow_key k = key("tcp 192.0.2.1:4242>203.0.113.10:80");

	k.fwmark = 0x1f;
	ck_assert_uint_eq(config_match_classify(m, &k), 0); /* conntrack has no fwmark in its key */
	k.kind = FLOW_IPVS;
	ck_assert_uint_eq(config_match_classify(m, &k), 1);
	k.fwmark = 0x2f;
	ck_assert_uint_eq(config_match_classify(m, &k), 0);
	k.zone = 6;
	ck_assert_uint_eq(config_match_classify(m, &k), 2);
	k.zone = 7;
	ck_assert_uint_eq(config_match_classify(m, &k), 0);
	config_match_free(m);
	config_free(c);
}
END_TEST

static uint64_t fingerprint(const char *group, const char *rest)
{
	char text[1024];
	struct config *c;
	uint64_t h;

	snprintf(text, sizeof(text), HEAD "group g { id = 1 %s }\n%s", group, rest);
	c = parse(text);
	h = config_group_fingerprint(c, &c->group[0]);
	config_free(c);
	return h;
}

START_TEST(test_fingerprint)
{
	const uint64_t h = fingerprint("match = { 192.0.2.1, 192.0.2.2 } ports = { 80 }", "");

	ck_assert_uint_eq(h, fingerprint("ports = { 80 } match = { 192.0.2.2, 192.0.2.1 }", ""));
	ck_assert_uint_eq(h, fingerprint("match = { 192.0.2.2, 192.0.2.1 } ports = { 80 } "
					 "install = never rise_ms = 7",
					 "limits { retain = 77 }"));
	ck_assert_uint_ne(h, fingerprint("match = { 192.0.2.2 } ports = { 80 }", ""));
	ck_assert_uint_ne(h, fingerprint("match = { 192.0.2.1, 192.0.2.3 } ports = { 80 }", ""));
	ck_assert_uint_ne(h, fingerprint("match = { 192.0.2.1, 192.0.2.2 } ports = { 81 }", ""));
	/* The same numbers in another list are another thing. */
	ck_assert_uint_ne(fingerprint("zones = { 80 }", ""), fingerprint("ports = { 80 }", ""));
	ck_assert_uint_ne(fingerprint("", ""),
			  fingerprint("", "conntrack { tcp_from = syn-recv }"));
	ck_assert_uint_ne(fingerprint("", ""), fingerprint("", "conntrack { label_mask = ff }"));
	ck_assert_uint_eq(fingerprint("", ""), fingerprint("", "conntrack { lease_s = 100 }"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("match");
	TCase *t = tcase_create("match");

	tcase_add_test(t, test_classify);
	tcase_add_test(t, test_none);
	tcase_add_test(t, test_marks_and_zones);
	tcase_add_test(t, test_fingerprint);
	suite_add_tcase(s, t);
	return suite_run(s);
}
