// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration: what is read, what is refused and in which words, and printing it again. */
#include <arpa/inet.h>
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syncd/base/config.h"
#include "syncd/base/config_table.h"
#include "tests/lib/suite.h"

#define NODE  "node lb-a { id = 1 }\n"		      /* line 1 */
#define LINK  "link sync0 { interface = \"eth2\" }\n" /* line 2 */
#define KEY   "key 1 { file = \"/k/1.key\" }\n"	      /* line 3 */
#define GROUP "group web { id = 1 }\n"		      /* line 4 */
#define BASE  NODE LINK KEY GROUP

static struct config *parse(const char *text)
{
	char err[CONFIG_ERROR_MAX];
	struct config *c = NULL;
	const int rc = config_parse(text, "t.conf", &c, err);

	ck_assert_msg(rc == 0, "%s", err);
	return c;
}

/* Each: a file, and what its error must say, in this order. */
static const struct {
	const char *text, *says[4];
} refused[] = {
	{BASE "colour = red\n", {"t.conf:5:", "'colour'", "allowed:", "runtime_dir"}},
	{BASE "limits { max_flow = 7 }\n", {"t.conf:5:", "'max_flow'", "limits", "max_flows"}},
	{BASE "limit { }\n", {"t.conf:5:", "'limit'", "allowed:", "limits"}},
	/* missing closing braces: at the end, in the middle, of a list */
	{BASE "limits {\n retain = 100\n", {"t.conf:5:", "limits", "}"}},
	{NODE "link a {\n interface = eth0\n" KEY GROUP, {"t.conf:2:", "link", "}"}},
	{BASE "conntrack {\n protocols = { tcp\n lease_s = 99 }\n",
	 {"t.conf:7:", "'lease_s'", "'protocols' of line 6", "allowed: commas"}},
	{BASE "}\n", {"t.conf:5:", "closing brace", "allowed:"}},
	{BASE "conntrack {\n protocols = { tcp\n", {"t.conf:7:", "end of file", "line 6", "}"}},
	{BASE "ipvs { }\n/* } */ limits { # }\n\n", {"t.conf:6:", "limits", "}"}},
	{BASE "sync {\n mode = failover\nkey 2 { file = /x }\n",
	 {"t.conf:7:", "'key'", "section 'sync' of line 5"}},
	/* duplicates */
	{BASE "limits { retain = 16\n retain = 16 }\n",
	 {"t.conf:6:", "'retain'", "twice", "line 5"}},
	{BASE "insecure = false\ninsecure = false\n",
	 {"t.conf:6:", "'insecure'", "twice", "line 5"}},
	{BASE "sync {\n links = { }\n\n links = { sync0 } }\n",
	 {"t.conf:8:", "'links'", "twice", "line 6"}},
	{BASE "sync {\n links = {\n sync0 }\n links = { } }\n",
	 {"t.conf:8:", "'links'", "twice", "line 7"}},
	{BASE "sync {\n links = sync0\n links = sync0 }\n",
	 {"t.conf:7:", "'links'", "twice", "line 6"}},
	{BASE "sync {\n links += { sync0 } }\n", {"t.conf:6:", "'links'", "allowed: links ="}},
	{BASE "node lb-b { id = 2 }\n", {"t.conf:5:", "'node'", "twice", "line 1"}},
	{BASE "node lb-a { id = 1 }\n", {"t.conf:5:", "'node lb-a'", "twice", "line 1"}},
	{BASE "group b {\n id = 2 }\ngroup b { id = 3 }\n",
	 {"t.conf:7:", "'group b'", "twice", "line 5"}},
	{BASE "ipvs { }\nipvs { }\n", {"t.conf:6:", "'ipvs'", "twice", "line 5"}},
	{BASE "group web { id = 2 }\n", {"t.conf:5:", "'group web'", "twice", "line 4"}},
	{BASE "key 1 { file = /x }\n", {"t.conf:5:", "'key 1'", "twice", "line 3"}},
	/* references */
	{BASE "sync {\n links = { sync1 }\n}\n", {"t.conf:6:", "'links'", "'sync1'", "allowed:"}},
	{BASE "sync {\n key = 9\n}\n", {"t.conf:6:", "'key'", "no key 9", "allowed:"}},
	{BASE "sync { links = { sync0, sync0 } }\n", {"t.conf:5:", "'sync0'", "twice"}},
	/* values */
	{BASE "limits {\n retain = 1\n}\n", {"t.conf:6:", "'retain'", "'1'", "16 to 16384"}},
	{BASE "limits {\n retain = 16385\n}\n", {"t.conf:6:", "'16385'", "16 to 16384"}},
	{BASE "limits {\n retain = -1\n}\n", {"t.conf:6:", "'-1'", "16 to 16384"}},
	{BASE "limits {\n retain = 99999999999999999999\n}\n", {"t.conf:6:", "16 to 16384"}},
	{BASE "limits {\n retain = 100k\n}\n", {"t.conf:6:", "'100k'", "a number"}},
	{BASE "insecure = maybe\n", {"t.conf:5:", "'maybe'", "true or false"}},
	{BASE "log = loud\n", {"t.conf:5:", "'loud'", "error, warning"}},
	{BASE "conntrack { protocols = { tcp, gre } }\n", {"t.conf:5:", "'gre'", "tcp, udp"}},
	{BASE "conntrack { label_mask = 0x1 }\n", {"t.conf:5:", "'0x1'", "hexadecimal"}},
	{BASE "conntrack { label = 128 }\n", {"t.conf:5:", "'128'", "0 to 127, or none"}},
	{BASE "conntrack { label = 7x }\n", {"t.conf:5:", "'7x'", "0 to 127, or none"}},
	{BASE "conntrack {\n label_mask = 00ff\n label = 8 }\n",
	 {"t.conf:7:", "bit 8", "label_mask", "nothing else uses"}},
	{BASE "conntrack { lease_s = { } }\n", {"t.conf:5:", "'lease_s'", "a number"}},
	{BASE "conntrack { protocols = }\n", {"t.conf:5:", "'}'", "'protocols'", "a list of tcp"}},
	{BASE "conntrack { lease_s =", {"t.conf:5:", "end of file", "'lease_s'", "a number"}},
	{BASE "conntrack { lease_s = { 100, 200 } }\n",
	 {"t.conf:5:", "'{'", "'lease_s'", "a number"}},
	{BASE "conntrack { leave_out = { 10.0.0.1/8 } }\n",
	 {"t.conf:5:", "10.0.0.1/8", "host bits"}},
	{BASE "group b { id = 2 ports = { 90-80 } }\n", {"t.conf:5:", "'90-80'", "FIRST-LAST"}},
	{BASE "group b { id = 2 marks = { 3/2 } }\n", {"t.conf:5:", "'3/2'", "mask"}},
	{BASE "limits { stall_ms = 10\n retain = }\n",
	 {"t.conf:6:", "'retain'", "allowed: retain ="}},
	{BASE "limits { retain = }\n", {"t.conf:5:", "'retain'", "missing"}},
	/* whatever looks like an expansion */
	{BASE "journal {\n dir = \"/var/${HOME}\"\n}\n", {"t.conf:6:", "${...}", "not expanded"}},
	{BASE "journal {\n dir = ${HOME}\n}\n", {"t.conf:6:", "${...}", "not expanded"}},
	{BASE "journal {\n dir = '${HOME}'\n}\n", {"t.conf:6:", "${...}", "not expanded"}},
	/* sections as a whole */
	{LINK KEY GROUP, {"t.conf:1:", "no node"}},
	{NODE KEY GROUP, {"t.conf:1:", "no link"}},
	{NODE LINK GROUP, {"t.conf:1:", "no key", "genkey"}},
	{NODE LINK KEY, {"t.conf:1:", "no group"}},
	{BASE "insecure = true\n", {"t.conf:5:", "insecure", "keys"}},
	{NODE LINK KEY "group web { }\n", {"t.conf:4:", "group", "'id'", "1 to 65535"}},
	{NODE LINK KEY "group { id = 1 }\n", {"t.conf:4:", "'group'", "allowed: group NAME {"}},
	{NODE LINK KEY "group ../x { id = 1 }\n", {"t.conf:4:", "'../x'", "letters"}},
	{NODE LINK "key one { file = /x }\n" GROUP, {"t.conf:3:", "'one'", "1 to 65535"}},
	{BASE "ipvs x { }\n", {"t.conf:5:", "'ipvs'", "allowed: ipvs {"}},
	{BASE "group b {\n id = 1\n match = { 192.0.2.1 } }\n", {"t.conf:6:", "id 1", "'web'"}},
	{BASE "group b { id = 2 }\n", {"t.conf:5:", "everything left"}},
	{BASE "link x { interface = a }\nlink y { interface = a }\nlink z { interface = a }\n"
	      "link w { interface = a }\n",
	 {"t.conf:8:", "'link'", "at most 4"}},
	{BASE "link x {\n interface = \"interface-too-long\" }\n", {"t.conf:6:", "at most 15"}},
	{BASE "link x { interface = a\n group = 192.0.2.1 }\n", {"t.conf:6:", "multicast"}},
	{BASE "link x { interface = a\n group = ff02::1 }\n", {"t.conf:6:", "multicast", "ipv4"}},
	{BASE "link x { interface = a\n peers = { 192.0.2.0/24 } }\n", {"t.conf:6:", "unicast"}},
	{BASE "link x { interface = a group = 224.0.0.9\n peers = { 192.0.2.1 } }\n",
	 {"t.conf:5:", "either group"}},
	{BASE "reach { interfaces = { \"a/b\" } }\n", {"t.conf:5:", "'a/b'", "interface"}},
	{BASE "reach {\n gateways = { 192.0.2.0/24 } }\n", {"t.conf:6:", "unicast"}},
	{BASE "reach {\n gateways = { ff02::1 } }\n", {"t.conf:6:", "unicast"}},
	{BASE "keepalived { fifo = tmp/x }\n", {"t.conf:5:", "'fifo'", "absolute path"}},
	/* syntax */
	{BASE "limits { retain 7 }\n", {"t.conf:5:", "'retain'"}},
	{BASE "conntrack { protocols = { tcp udp } }\n", {"t.conf:5:", "'protocols'", "commas"}},
	{BASE "log = \"info\n", {"t.conf:5:", "not closed"}},
	{BASE "/* never ends\n", {"t.conf:5:", "comment"}},
	{BASE "log = info;\n", {"t.conf:5:", "character"}},
	{BASE "log = info, warning\n", {"t.conf:5:", "','", "'log' of line 5", "list"}},
	{BASE "log = \"a\\tb\"\n", {"t.conf:5:", "backslash"}},
	{BASE "a { b { c { d { e { } } } } }\n", {"t.conf:5:", "'a'", "allowed:"}},
	{BASE "ipvs { limits { } }\n", {"t.conf:5:", "'ipvs'", "}", "'limits' in line 5"}},
	{BASE "limits|retain = 99\n", {"t.conf:5:", "character"}},
	{BASE "limits {\n \"\" = 99 }\n", {"t.conf:6:", "name", "expected"}},
	{BASE "limits {\n \"\" = 99\n", {"t.conf:6:", "name", "expected"}},
	/* the line after comments of every kind */
	{BASE "# a\n// b # c\n/* d\n e */ limits { /**/ retain = 1 }\n",
	 {"t.conf:8:", "'retain'", "16 to"}},
	{"\n# a\n" BASE "limits { # { b\n retain = 1 }\n", {"t.conf:8:", "'retain'", "16 to"}},
};

START_TEST(test_refused)
{
	char err[CONFIG_ERROR_MAX];
	struct config *c = NULL;
	const char *at = err;

	ck_assert_int_eq(config_parse(refused[_i].text, "t.conf", &c, err), -EINVAL);
	ck_assert_ptr_null(c);
	for (size_t i = 0; i < 4 && refused[_i].says[i] != NULL; i++) {
		at = strstr(at, refused[_i].says[i]);
		ck_assert_msg(at != NULL, "'%s' is not in its place in: %s", refused[_i].says[i],
			      err);
	}
	ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

/* The library's lexer is one for the process: no error may leave it in the middle of something. */
START_TEST(test_after_error)
{
	char err[CONFIG_ERROR_MAX];
	struct config *c;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ck_assert_int_eq(config_parse(refused[i].text, "t.conf", &c, err), -EINVAL);
		config_free(parse(BASE));
	}
}
END_TEST

START_TEST(test_defaults)
{
	struct config *c = parse(BASE);
	struct in_addr group;

	inet_pton(AF_INET, "224.0.0.181", &group);
	ck_assert_str_eq(c->node.name, "lb-a");
	ck_assert_uint_eq(c->node.id, 1);
	ck_assert_str_eq(c->top.runtime_dir, "/run/syncd/lb-a");
	ck_assert_str_eq(c->top.state_dir, "/var/lib/syncd/lb-a");
	ck_assert_uint_eq(c->links, 1);
	ck_assert_uint_eq(c->link[0].port, SYNC_PORT);
	ck_assert_mem_eq(c->link[0].group.addr.b, &group, 4);
	ck_assert(c->link[0].ttl_check);
	ck_assert_uint_eq(c->group[0].install, CONFIG_HOT);
	ck_assert_uint_eq(c->group[0].ready, CONFIG_FAIL_OPEN);
	ck_assert(c->group[0].guard);
	ck_assert(c->conntrack.enabled);
	ck_assert_uint_eq(c->conntrack.protocols,
			  1 << CONFIG_TCP | 1 << CONFIG_UDP | 1 << CONFIG_SCTP);
	ck_assert_uint_eq(c->conntrack.tcp_from, CONFIG_TCP_ESTABLISHED);
	ck_assert_uint_eq(c->ipvs.backend, CONFIG_IPVS_AUTO);
	ck_assert_str_eq(c->journal.dir, "");
	ck_assert_uint_eq(c->metrics.address.addr_len, 0);
	config_free(c);
}
END_TEST

START_TEST(test_order)
{
	struct config *c =
		parse(NODE LINK KEY "link b { interface = eth3 family = ipv6 }\n"
				    "key 7 { file = '/k/7.key' }\n"
				    "sync { links = { b, sync0 } key = 7 mode = failover }\n"
				    "group z { id = 9 instances = { VI_1, VG } }\n"
				    "group y { id = 3 match = { \"2001:db8::/64\" } }\n");

	ck_assert_str_eq(c->link[0].name, "b");
	ck_assert_uint_eq(c->link[0].group.addr_len, 16);
	ck_assert_str_eq(c->link[1].name, "sync0");
	ck_assert_uint_eq(c->key[0].id, 7);
	ck_assert_uint_eq(c->key[1].id, 1);
	ck_assert_uint_eq(c->group[0].id, 3);
	ck_assert_uint_eq(c->group[1].id, 9);
	ck_assert_ptr_eq(config_find_group(c, "z"), &c->group[1]);
	ck_assert_ptr_null(config_find_group(c, "x"));
	ck_assert_ptr_eq(config_find_instance(c, "VG"), &c->group[1]);
	ck_assert_ptr_eq(config_find_instance(c, "y"), &c->group[0]);
	ck_assert_ptr_null(config_find_instance(c, "z"));
	config_free(c);
}
END_TEST

static char *print(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	config_print(c, f);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static void round_trip(struct config *c)
{
	char *text = print(c), *again;
	struct config *second = parse(text);

	again = print(second);
	ck_assert_str_eq(text, again);
	ck_assert_mem_eq(&c->top, &second->top, sizeof(c->top));
	ck_assert_mem_eq(&c->conntrack, &second->conntrack, sizeof(c->conntrack));
	ck_assert_mem_eq(&c->limits, &second->limits, sizeof(c->limits));
	ck_assert_uint_eq(c->groups, second->groups);
	ck_assert_mem_eq(c->group, second->group, c->groups * sizeof(*c->group));
	ck_assert_uint_eq(c->links, second->links);
	ck_assert_mem_eq(c->link, second->link, c->links * sizeof(*c->link));
	ck_assert_mem_eq(c->key, second->key, c->keys * sizeof(*c->key));
	free(text);
	free(again);
	config_free(second);
	config_free(c);
}

START_TEST(test_round_trip)
{
	round_trip(parse(BASE));
	round_trip(parse(
		NODE LINK KEY
		"group g { id = 2 match = { 192.0.2.0/24, \"2001:db8::1\" }\n"
		" ports = { 80, 8000-8010 } zones = { 0, 5-7 } marks = { 7, 0x10/0xf0 }\n"
		" install = never guard = off ready = fail-closed servers = { 10.2.0.0/24 } }\n"
		"conntrack { protocols = { icmp } label_mask = \"00ff10\" label = 16 lease_s = 60 "
		"}\n"
		"journal { dir = '/a \"b\\c' compress = no }\n"
		"metrics { address = \"::1\" }\n"));
}
END_TEST

static char *read_text(const char *path)
{
	static char text[1 << 16];
	FILE *f = fopen(path, "re");

	ck_assert_msg(f != NULL, "%s: run from the top of the tree", path);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* The option's paragraph: up to the next one. */
static char *paragraph_of(const char *text, const struct config_section *s,
			  const struct config_option *o)
{
	char head[64], word[64];
	const char *at = text, *end;

	snprintf(head, sizeof(head), ".Sh %s\n", s->name != NULL ? s->name : "top level");
	snprintf(word, sizeof(word), ".It Ic %s = ", o->name);
	for (char *c = head + 4; *c != '\0'; c++)
		*c = (char)toupper(*c);
	at = strstr(text, head);
	ck_assert_msg(at != NULL, "the manual lacks %s", head);
	at = strstr(at, word);
	ck_assert_msg(at != NULL, "the manual lacks %s%s", head, word);
	end = strstr(at + 1, "\n.It");
	return strndup(at, end != NULL ? (size_t)(end - at) : strlen(at));
}

/* The manual has a paragraph for each option that there is, with its bounds and default. */
START_TEST(test_manual)
{
	const char *text = read_text("docs/man/syncd.conf.5");

	for (const struct config_section *s = config_sections; s->option != NULL; s++)
		for (const struct config_option *o = s->option; o->name != NULL; o++) {
			char *paragraph = paragraph_of(text, s, o), bounds[32];
			const char *def = strstr(paragraph, "Default");

			snprintf(bounds, sizeof(bounds), "%u to %u", o->min, o->max);
			ck_assert_msg(o->type != CONFIG_NUMBER || strstr(paragraph, bounds) != NULL,
				      "%s: no %s", paragraph, bounds);
			ck_assert_msg(o->type == CONFIG_SET || o->def == NULL ||
					      (def != NULL && strstr(def, o->def) != NULL),
				      "%s: no default %s", paragraph, o->def);
			free(paragraph);
		}
}
END_TEST

/* Whether what follows is an option or the beginning or end of a section, and not prose. */
static bool is_commented_out(const char *at)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t n;

	at += strspn(at, " ");
	if (*at == '}')
		return true;
	n = strspn(at, word);
	if (n > 0 && at[n] == ' ' && at[n + 1 + strspn(at + n + 1, word)] == ' ' &&
	    at[n + 2 + strspn(at + n + 1, word)] == '{')
		return true; /* with a name */
	return n > 0 && at[n] == ' ' && (at[n + 1] == '{' || at[n + 1] == '=');
}

static void comment_in(char *text)
{
	for (char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += strspn(line, "\n ");
		if (*line == '#' && is_commented_out(line + 1))
			*line = ' ';
	}
}

/*
 * The example that is installed: read as it is, and with all that is commented out, which is each
 * option that there is.
 */
START_TEST(test_example)
{
	char *text = read_text("docs/examples/syncd.conf"), err[CONFIG_ERROR_MAX];
	struct config *c = NULL;

	ck_assert_msg(config_load("docs/examples/syncd.conf", &c, err) == 0, "%s", err);
	ck_assert_uint_eq(c->groups, 1);
	round_trip(c);
	comment_in(text);
	ck_assert_msg(config_parse(text, "example", &c, err) == 0, "%s", err);
	ck_assert_uint_eq(c->groups, 2);
	ck_assert_uint_eq(c->links, 2);
	round_trip(c);
	for (const struct config_section *s = config_sections; s->option != NULL; s++)
		for (const struct config_option *o = s->option; o->name != NULL; o++) {
			char word[64];

			snprintf(word, sizeof(word), "%s = ", o->name);
			ck_assert_msg(strstr(text, word) != NULL, "the example lacks %s %s",
				      s->name != NULL ? s->name : "", o->name);
		}
}
END_TEST

START_TEST(test_file)
{
	char path[] = "/tmp/test_config.XXXXXX", err[CONFIG_ERROR_MAX];
	struct config *c = NULL;
	const int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, BASE "\0hidden", sizeof(BASE) + 6), sizeof(BASE) + 6);
	close(fd);
	ck_assert_int_eq(config_load(path, &c, err), -EILSEQ);
	unlink(path);
	ck_assert_int_eq(config_load(path, &c, err), -ENOENT);
	ck_assert_msg(strstr(err, path) != NULL && strstr(err, "No such file") != NULL, "%s", err);
}
END_TEST

/* No environment, no includes, nothing but the text: comments and quotes in every place. */
START_TEST(test_syntax)
{
	struct config *c =
		parse("# comment\n// another\n/* and\n a third */ " BASE
		      "hooks { alarm = \"/a#b//c\" } # ends\n"
		      "journal { dir = /a//b*c+/\n}metrics{}keepalived{fifo='/a\\\"#b'}\r\n"
		      "conntrack { protocols = { \"tcp\", udp, } leave_out = 10.0.0.0/8 }\n"
		      "group b { id = 2 match = { } ports = 80 }\n");

	ck_assert_str_eq(c->journal.dir, "/a//b*c+/");
	ck_assert_str_eq(c->keepalived.fifo, "/a\\\"#b");
	ck_assert_uint_eq(c->conntrack.leave_out.n, 1);
	ck_assert_uint_eq(c->group[1].match.n, 0);
	ck_assert_str_eq(c->hooks.alarm, "/a#b//c");
	ck_assert_uint_eq(c->conntrack.protocols, 1 << CONFIG_TCP | 1 << CONFIG_UDP);
	config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_loop_test(t, test_refused, 0, (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(t, test_after_error);
	tcase_add_test(t, test_defaults);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_round_trip);
	tcase_add_test(t, test_example);
	tcase_add_test(t, test_manual);
	tcase_add_test(t, test_file);
	tcase_add_test(t, test_syntax);
	suite_add_tcase(s, t);
	return suite_run(s);
}
