// SPDX-License-Identifier: GPL-2.0-or-later
/* The dissector of docs/wireshark in tshark: golden frames, and what two daemons say. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/seal.h"
#include "tests/lib/capture.h"
#include "tests/lib/example_messages.h"
#include "tests/lib/golden.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/replay_run.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { SOME = 1000, GONE = 300, PATIENCE_MS = 60000, TEXT_MAX = 4 << 20 };

static struct pair p;
static char *out;

/* tshark with the dissector over a capture; its output is in `out`. */
__attribute__((format(printf, 3, 4))) static void tshark(const char *keys, const char *capture,
							 const char *fmt, ...)
{
	char args[512], cmd[1024];
	va_list ap;
	size_t n;
	FILE *f;

	va_start(ap, fmt);
	(void)vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	(void)snprintf(cmd, sizeof(cmd),
		       "tshark -X lua_script:docs/wireshark/syncd.lua -o 'syncd.keys:%s' -r %s %s "
		       "2>&1 | grep -v 'Running as user'",
		       keys, capture, args);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(out, 1, TEXT_MAX - 1, f);
	out[n] = '\0';
	(void)pclose(f);
	ck_assert_ptr_null(strstr(out, "Lua"));
	ck_assert_ptr_null(strstr(out, "tshark: "));
}

static size_t count_in(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void up(void)
{
	out = malloc(TEXT_MAX);
	ck_assert_ptr_nonnull(out);
	pair_open(&p, 2);
}

static void down(void)
{
	pair_close(&p);
	free(out);
}

/* ---- golden frames ----------------------------------------------------------------------- */

static const char *const golden_lines[] = {
	/* data */
	"del: icmpv6 2001:db8:1::99>2001:db8::10 type 128 code 0 id 4660\n",
	"put: tcp 192.0.2.1:4242>203.0.113.10:80 => 10.2.0.11:8080 ESTABLISHED\n",
	"sent_us: Nov 22, 2026 02:12:56.261320000 UTC\n",
	"digest: 0x0123456789abcdef\n",
	"digest: 0xffffffffffffffff\n",
	"final: True\n",
	"pe_name: sip\n",
	/* control */
	"hello: lb-a, 2 groups, 1 echoes, last data 1000\n",
	"group: 2 standby, degraded, term 7 of node 2, ready\n",
	"max_datagram: 8952\n",
	"name: sysctl net.netfilter.nf_conntrack_tcp_loose\n",
	"missing: 300 from 1099511627776\n",
	"repair: of node 1: group 1, gap, 2 ranges\n",
	"offer: of node 2: group 3, 2 flows\n",
	"status: of node 1: applied 1000, installed 990, window 4096\n",
};

static void add_control(struct capture_file *f, enum control_kind kind, const struct seal_key *k)
{
	const struct frame_header h = {FRAME_CONTROL, 7, 2, 0x1122334455667788, 100u + kind};
	uint8_t dgram[DATAGRAM_START];
	char name[64];
	size_t len;

	(void)snprintf(name, sizeof(name), "control_%s", example_control_name(kind));
	len = golden_read(name, dgram + FRAME_HEADER_LEN, sizeof(dgram) - FRAME_OVERHEAD);
	capture_file_add(f, dgram, seal(k, &h, dgram, len));
}

/* Payloads of all lengths, so that no remainder of the cipher's blocks is left out. */
static void add_pads(struct capture_file *f, const struct seal_key *k)
{
	static const uint8_t unknown[] = {0xfa, 0x01}; /* field 31, bytes */
	uint8_t dgram[DATAGRAM_START];

	for (uint8_t n = 0; n < 100; n++) {
		const struct frame_header h = {FRAME_DATA, 7, 2, 0x1122334455667788, 1000u + n};

		memset(dgram, 0xff, sizeof(dgram));
		memcpy(dgram + FRAME_HEADER_LEN, unknown, sizeof(unknown));
		dgram[FRAME_HEADER_LEN + sizeof(unknown)] = n;
		capture_file_add(f, dgram, seal(k, &h, dgram, sizeof(unknown) + 1 + n));
	}
}

START_TEST(test_golden)
{
	uint8_t dgram[DATAGRAM_START];
	char pcap[80], key[80];
	struct capture_file *f;
	struct group_key group;
	struct seal_key k;
	size_t len;

	(void)snprintf(pcap, sizeof(pcap), "%s/golden.pcap", p.dir);
	(void)snprintf(key, sizeof(key), "%s/7.key", p.dir);
	len = golden_read("key_file", dgram, sizeof(dgram));
	dgram[len] = '\0';
	tmpdir_write(key, (const char *)dgram);
	example_group_key(&group);
	seal_key_derive(&k, &group, 2, 0x1122334455667788);
	f = capture_file_open(pcap);
	len = golden_read("datagram_sealed", dgram, sizeof(dgram));
	capture_file_add(f, dgram, len);
	for (enum control_kind c = CONTROL_HELLO; c <= CONTROL_OFFER; c++)
		add_control(f, c, &k);
	add_pads(f, &k);
	len = golden_read("datagram_insecure", dgram, sizeof(dgram));
	capture_file_add(f, dgram, len);
	dgram[len - FRAME_TAG_LEN - 2] = 0x4a; /* `final` as bytes, of which there is none */
	capture_file_add(f, dgram, len);
	capture_file_close(f);

	tshark(key, pcap, "-V");
	for (size_t i = 0; i < sizeof(golden_lines) / sizeof(golden_lines[0]); i++)
		ck_assert_msg(strstr(out, golden_lines[i]), "not shown: %s", golden_lines[i]);
	ck_assert_uint_eq(count_in(out, "Tag is: right"), 106);
	ck_assert_uint_eq(count_in(out, "Unknown field: "), 100);
	ck_assert_uint_eq(count_in(out, "Tag is: zeroes: insecure"), 2);
	ck_assert_uint_eq(count_in(out, "Expert Info (Error/Malformed): Malformed payload"), 1);
}
END_TEST

/* ---- two daemons ------------------------------------------------------------------------- */

/* Some flows made, some of them ended, seen from node 1. Returns how many frames. */
static size_t record_life(const char *pcap)
{
	struct capture *c;
	size_t n;

	pair_enter(&p, 1);
	c = capture_open("s0");
	pair_leave(&p);
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	pair_flows(&p, 0, 0, GONE, true);
	ck_assert(pair_wait_equal(&p, 1, SOME - GONE, PATIENCE_MS));
	n = capture_write(c, pcap);
	capture_close(c);
	return n;
}

static size_t frames_with(const char *keys, const char *pcap, const char *filter)
{
	tshark(keys, pcap, "-Y '%s' -T fields -e frame.number", filter);
	return count_in(out, "\n");
}

START_TEST(test_real)
{
	char pcap[80], key[80], other[80], puts[32], dels[32], flow[64];
	const char *stats;
	size_t frames;

	(void)snprintf(pcap, sizeof(pcap), "%s/real.pcap", p.dir);
	(void)snprintf(key, sizeof(key), "%s/1.key", p.dir);
	(void)snprintf(other, sizeof(other), "%s/other.key", p.dir);
	ck_assert_uint_gt(record_life(pcap), 0);
	frames = frames_with("", pcap, "udp.port == 8849");
	ck_assert_uint_gt(frames, 20);
	ck_assert_uint_eq(frames_with("", pcap, "syncd.tag.state == 3"), frames);
	ck_assert_uint_eq(frames_with("", pcap, "syncd.data.term"), 0);

	/* What the daemon's own reader makes of the same capture. */
	ck_assert_int_eq(replay_run(&stats, "stats -k %s %s", key, pcap), 0);
	tshark(key, pcap, "-V");
	(void)snprintf(puts, sizeof(puts), "puts %zu ", count_in(out, "        put: "));
	(void)snprintf(dels, sizeof(dels), "deletes %zu", count_in(out, "        del: "));
	ck_assert_msg(strstr(stats, puts) && strstr(stats, dels), "%s, %s:\n%s", puts, dels, stats);
	for (unsigned i = 0; i < SOME; i++) {
		(void)snprintf(flow, sizeof(flow), "put: tcp 192.0.2.%d:%d>203.0.113.10:80 => ",
			       100, pair_flow(&p, i).key.sport);
		ck_assert_msg(strstr(out, flow), "%s", flow);
	}
	ck_assert_uint_eq(count_in(out, "Malformed"), 0);
	ck_assert_uint_eq(frames_with(key, pcap, "syncd.tag.state == 1"), frames);
	ck_assert_uint_gt(frames_with(key, pcap, "syncd.control.hello"), 0);
	ck_assert_uint_gt(frames_with(key, pcap, "syncd.status.applied"), 0);
	ck_assert_uint_gt(frames_with(key, pcap, "syncd.data.check"), 0);

	/* A key with the same id and another secret opens nothing. */
	ck_assert_int_eq(netns_sh("sed 's/^secret .*/secret "
				  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=/' %s >%s",
				  key, other),
			 0);
	ck_assert_uint_eq(frames_with(other, pcap, "syncd.tag.state == 0 && syncd.tag.wrong"),
			  frames);
	ck_assert_uint_eq(frames_with(other, pcap, "syncd.data.term || syncd.control.hello"), 0);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!netns_usable("wireshark"))
		return 0;
	if (netns_sh("command -v tshark >/dev/null") != 0) {
		printf("SKIP: tshark is not installed (make deps-dev)\n");
		return 0;
	}
	s = suite_create("wireshark");
	tc = tcase_create("tshark");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_golden);
	tcase_add_test(tc, test_real);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
