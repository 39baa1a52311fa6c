// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every option that there is: name, type, place, bounds and default. syncd.conf(5) says what each
 * is for; tests/unit/test_config.c checks that the manual and the example name all of them.
 */
#include "syncd/base/config_table.h"

#include <string.h>

#define AT(type_, field)	 .offset = offsetof(struct type_, field)
#define BOOL(type_, field, def_) .type = CONFIG_BOOL, AT(type_, field), .def = (def_)
#define NUM(type_, field, lo, hi, d) \
	.type = CONFIG_NUMBER, AT(type_, field), .min = (lo), .max = (hi), .def = (d)
#define WORD(type_, field, def_)                                                           \
	.type = CONFIG_WORD, AT(type_, field), .size = sizeof(((struct type_ *)0)->field), \
	.def = (def_)
#define ENUM(type_, field, names_, d) \
	.type = CONFIG_ENUM, AT(type_, field), .names = (names_), .def = (d)
#define LIST(type_, field, kind) .type = (kind), AT(type_, field)
#define ONE(name_, type_, field) \
	.name = (name_), .size = sizeof(struct type_), .offset = offsetof(struct config, field)

static const char *const log_names[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const mode_names[] = {"duplicate", "failover", NULL};
static const char *const family_names[] = {"ipv4", "ipv6", NULL};
static const char *const install_names[] = {"hot", "takeover", "never", NULL};
static const char *const ready_names[] = {"fail-open", "fail-closed", NULL};
static const char *const proto_names[] = {"tcp", "udp", "sctp", "dccp", "icmp", "icmpv6", NULL};
static const char *const tcp_names[] = {"syn-sent", "syn-recv", "established", NULL};
static const char *const udp_names[] = {"new", "reply", "assured", NULL};
static const char *const sctp_names[] = {"cookie", "established", NULL};
static const char *const ipvs_names[] = {"auto", "bpf", "kernel-sync", "netlink", "none", NULL};

static const struct config_option top_options[] = {
	{"log", ENUM(config_top, log, log_names, "info")},
	{"runtime_dir", WORD(config_top, runtime_dir, NULL)},
	{"state_dir", WORD(config_top, state_dir, NULL)},
	{"tables_file", WORD(config_top, tables_file, NULL)},
	{"control_group", WORD(config_top, control_group, NULL)},
	{"insecure", BOOL(config_top, insecure, "false")},
	{"rehearsal", BOOL(config_top, rehearsal, "false")},
	{0},
};

static const struct config_option node_options[] = {
	{"id", NUM(config_node, id, 1, 65535, NULL), .mandatory = true},
	{0},
};

static const struct config_option link_options[] = {
	{"interface", WORD(config_link, interface, NULL), .mandatory = true},
	{"family", ENUM(config_link, family, family_names, "ipv4")},
	{"group", LIST(config_link, group, CONFIG_ADDRESS)},
	{"peers", LIST(config_link, peers, CONFIG_PREFIXES)},
	{"address", LIST(config_link, address, CONFIG_ADDRESS)},
	{"port", NUM(config_link, port, 1, 65535, "8849")},
	{"mtu", NUM(config_link, mtu, 576, 9216, NULL)},
	{"ttl_check", BOOL(config_link, ttl_check, "true")},
	{0},
};

static const struct config_option key_options[] = {
	{"file", WORD(config_key, file, NULL), .mandatory = true},
	{0},
};

static const struct config_option sync_options[] = {
	{"mode", ENUM(config_sync, mode, mode_names, "duplicate")},
	{"links", LIST(config_sync, links, CONFIG_NAMES)},
	{"key", NUM(config_sync, key, 1, 65535, NULL)},
	{0},
};

static const struct config_option group_options[] = {
	{"id", NUM(config_group, id, 1, 65535, NULL), .mandatory = true},
	{"match", LIST(config_group, match, CONFIG_PREFIXES)},
	{"ports", LIST(config_group, ports, CONFIG_RANGES), .min = 1, .max = 65535},
	{"zones", LIST(config_group, zones, CONFIG_RANGES), .min = 0, .max = 65535},
	{"marks", LIST(config_group, marks, CONFIG_MARKS)},
	{"install", ENUM(config_group, install, install_names, "hot")},
	{"guard", BOOL(config_group, guard, "true")},
	{"servers", LIST(config_group, servers, CONFIG_PREFIXES)},
	{"ready", ENUM(config_group, ready, ready_names, "fail-open")},
	{"rise_ms", NUM(config_group, rise_ms, 0, 3600000, "1000")},
	{"fall_ms", NUM(config_group, fall_ms, 0, 3600000, "3000")},
	{"instances", LIST(config_group, instances, CONFIG_NAMES)},
	{0},
};

static const struct config_option conntrack_options[] = {
	{"enabled", BOOL(config_conntrack, enabled, "true")},
	{"protocols", .type = CONFIG_SET, AT(config_conntrack, protocols), .names = proto_names,
	 .def = "{tcp, udp, sctp}"},
	{"tcp_from", ENUM(config_conntrack, tcp_from, tcp_names, "established")},
	{"udp_from", ENUM(config_conntrack, udp_from, udp_names, "reply")},
	{"sctp_from", ENUM(config_conntrack, sctp_from, sctp_names, "established")},
	{"lease_s", NUM(config_conntrack, lease_s, 60, 86400, "600")},
	{"reconcile_s", NUM(config_conntrack, reconcile_s, 1, 86400, "300")},
	{"label_mask", LIST(config_conntrack, label_mask, CONFIG_HEX)},
	{"label", WORD(config_conntrack, label, "127")},
	{"leave_out", LIST(config_conntrack, leave_out, CONFIG_PREFIXES)},
	{"event_buffer_kb", NUM(config_conntrack, event_buffer_kb, 64, 1048576, "16384")},
	{"local", BOOL(config_conntrack, local, "false")},
	{0},
};

static const struct config_option ipvs_options[] = {
	{"backend", ENUM(config_backend, backend, ipvs_names, "auto")},
	{0},
};

static const struct config_option journal_options[] = {
	{"dir", WORD(config_journal, dir, NULL)},
	{"rotate_mb", NUM(config_journal, rotate_mb, 1, 65536, "64")},
	{"rotate_s", NUM(config_journal, rotate_s, 1, 31622400, "3600")},
	{"keep", NUM(config_journal, keep, 1, 1000000, "168")},
	{"compress", BOOL(config_journal, compress, "true")},
	{"fsync_ms", NUM(config_journal, fsync_ms, 0, 3600000, "1000")},
	{"queue_kb", NUM(config_journal, queue_kb, 64, 1048576, "16384")},
	{0},
};

static const struct config_option keepalived_options[] = {
	{"fifo", WORD(config_keepalived, fifo, NULL)},
	{0},
};

static const struct config_option metrics_options[] = {
	{"address", LIST(config_metrics, address, CONFIG_ADDRESS)},
	{"port", NUM(config_metrics, port, 1, 65535, "9849")},
	{0},
};

static const struct config_option limits_options[] = {
	{"max_flows", NUM(config_limits, max_flows, 16, 64000000, "4000000")},
	{"retain", NUM(config_limits, retain, 16, RETAIN_MAX, "16384")},
	{"retain_mb", NUM(config_limits, retain_mb, 1, 4096, "64")},
	{"stall_ms", NUM(config_limits, stall_ms, 10, 60000, "500")},
	{"ready_age_ms", NUM(config_limits, ready_age_ms, 100, 600000, "3000")},
	{"kernel_backlog", NUM(config_limits, kernel_backlog, 1, 64000000, "10000")},
	{0},
};

static const struct config_option hooks_options[] = {
	{"state", WORD(config_hooks, state, NULL)},
	{"alarm", WORD(config_hooks, alarm, NULL)},
	{0},
};

static const struct config_option reach_options[] = {
	{"interfaces", LIST(config_reach, interfaces, CONFIG_NAMES)},
	{"gateways", LIST(config_reach, gateways, CONFIG_PREFIXES)},
	{0},
};

#define MANY(name_, type_, field, count, cap)                                      \
	.name = (name_), .many = true, .max = (cap), .size = sizeof(struct type_), \
	.offset = offsetof(struct config, field), .count_offset = offsetof(struct config, count)
#define NAMED(type_)                                                              \
	.title = CONFIG_TITLE_NAME, .title_offset = offsetof(struct type_, name), \
	.title_size = sizeof(((struct type_ *)0)->name)

const struct config_section config_sections[] = {
	{ONE(NULL, config_top, top), .option = top_options},
	{ONE("node", config_node, node), NAMED(config_node), .option = node_options},
	{MANY("link", config_link, link, links, LINKS_MAX), NAMED(config_link),
	 .option = link_options},
	{MANY("key", config_key, key, keys, KEYS_MAX), .title = CONFIG_TITLE_ID,
	 .title_offset = offsetof(struct config_key, id), .option = key_options},
	{ONE("sync", config_sync, sync), .option = sync_options},
	{MANY("group", config_group, group, groups, GROUPS_MAX), NAMED(config_group),
	 .option = group_options},
	{ONE("conntrack", config_conntrack, conntrack), .option = conntrack_options},
	{ONE("ipvs", config_backend, ipvs), .option = ipvs_options},
	{ONE("journal", config_journal, journal), .option = journal_options},
	{ONE("keepalived", config_keepalived, keepalived), .option = keepalived_options},
	{ONE("metrics", config_metrics, metrics), .option = metrics_options},
	{ONE("reach", config_reach, reach), .option = reach_options},
	{ONE("limits", config_limits, limits), .option = limits_options},
	{ONE("hooks", config_hooks, hooks), .option = hooks_options},
	{0},
};

const struct config_section *config_find_section(const char *name)
{
	for (const struct config_section *s = config_sections + 1; s->option != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

const struct config_option *config_find_option(const struct config_section *s, const char *name)
{
	for (const struct config_option *o = s->option; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}
