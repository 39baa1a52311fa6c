/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole configuration as one typed structure. syncd.conf(5) describes the options; the table
 * of them, with defaults and bounds, is config_table.c; docs/adr/0004-configuration.md tells how
 * libconfuse reads it. Nothing here changes after config_load.
 */
#ifndef SYNCD_BASE_CONFIG_H
#define SYNCD_BASE_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/flow.h"
#include "proto/limits.h"

#define CONFIG_FILE_DEFAULT "/etc/syncd/syncd.conf"

enum {
	CONFIG_PATH_MAX = 256,
	CONFIG_WORD_MAX = 64,
	CONFIG_LIST_MAX = 64, /* items of one list option */
	CONFIG_NAMES_MAX = 8,
	CONFIG_ERROR_MAX = 768,
};

/* An address with bits == addr_len * 8, or a prefix. */
struct config_prefix {
	uint8_t addr_len; /* 4 or 16; 0: not given */
	uint8_t bits;
	struct flow_addr addr;
};
struct config_range {
	uint32_t first, last;
};
struct config_mark {
	uint32_t value, mask;
};
struct config_prefixes {
	size_t n;
	struct config_prefix item[CONFIG_LIST_MAX];
};
struct config_ranges {
	size_t n;
	struct config_range item[CONFIG_LIST_MAX];
};
struct config_marks {
	size_t n;
	struct config_mark item[CONFIG_LIST_MAX];
};
struct config_names {
	size_t n;
	char item[CONFIG_NAMES_MAX][CONFIG_WORD_MAX];
};
struct config_bytes {
	size_t n;
	uint8_t item[FLOW_LABELS_MAX];
};

enum config_log { CONFIG_ERROR, CONFIG_WARNING, CONFIG_NOTICE, CONFIG_INFO, CONFIG_DEBUG };
enum config_mode { CONFIG_DUPLICATE, CONFIG_FAILOVER };
enum config_family { CONFIG_IPV4, CONFIG_IPV6 };
enum config_install { CONFIG_HOT, CONFIG_TAKEOVER, CONFIG_NEVER }; /* as enum engine_install */
enum config_ready { CONFIG_FAIL_OPEN, CONFIG_FAIL_CLOSED };
enum config_proto {
	CONFIG_TCP,
	CONFIG_UDP,
	CONFIG_SCTP,
	CONFIG_DCCP,
	CONFIG_ICMP,
	CONFIG_ICMPV6,
	CONFIG_PROTOS
};
enum config_tcp_from { CONFIG_TCP_SYN_SENT, CONFIG_TCP_SYN_RECV, CONFIG_TCP_ESTABLISHED };
enum config_udp_from { CONFIG_UDP_NEW, CONFIG_UDP_REPLY, CONFIG_UDP_ASSURED };
enum config_sctp_from { CONFIG_SCTP_COOKIE, CONFIG_SCTP_ESTABLISHED };
enum config_ipvs {
	CONFIG_IPVS_AUTO,
	CONFIG_IPVS_BPF,
	CONFIG_IPVS_KERNEL_SYNC,
	CONFIG_IPVS_NETLINK,
	CONFIG_IPVS_NONE
};

struct config_node {
	char name[NODE_NAME_MAX];
	uint32_t id; /* 1..65535 */
};

struct config_link {
	char name[CONFIG_WORD_MAX];
	char interface[IFNAMSIZ];
	enum config_family family;
	struct config_prefix group;   /* multicast address; unused where peers are given */
	struct config_prefixes peers; /* unicast instead of multicast */
	struct config_prefix address; /* local address to send from; not given: the kernel's */
	uint32_t port;		      /* UDP */
	uint32_t mtu;		      /* bytes; 0: the interface's */
	bool ttl_check;		      /* only datagrams with TTL 255 are heard */
};

struct config_key {
	uint32_t id; /* 1..65535 */
	char file[CONFIG_PATH_MAX];
};

struct config_sync {
	enum config_mode mode;
	struct config_names links; /* order of preference; empty: as written */
	uint32_t key;		   /* id of the one that seals; 0: the first */
};

struct config_group {
	char name[GROUP_NAME_MAX];
	uint32_t id; /* 1..65535, alike on all nodes */
	struct config_prefixes match;
	struct config_ranges ports, zones;
	struct config_marks marks;
	enum config_install install;
	bool guard;
	struct config_prefixes servers; /* real servers: the guard drops their stray packets too */
	enum config_ready ready;
	uint32_t rise_ms, fall_ms;     /* hysteresis of the ready gate */
	struct config_names instances; /* VRRP instances or sync groups that decide the role */
};

struct config_conntrack {
	bool enabled;
	uint32_t protocols; /* bits of 1 << enum config_proto */
	enum config_tcp_from tcp_from;
	enum config_udp_from udp_from;
	enum config_sctp_from sctp_from;
	uint32_t lease_s, reconcile_s;
	struct config_bytes label_mask; /* bits of labels that are carried; empty: none */
	char label[8]; /* a label bit that marks what was installed here, or "none" */
	int label_bit; /* the same; -1: none */
	struct config_prefixes leave_out;
	uint32_t event_buffer_kb;
	bool local; /* also the box's own flows */
};

struct config_backend {
	enum config_ipvs backend;
};

struct config_journal {
	char dir[CONFIG_PATH_MAX]; /* "": no journal */
	uint32_t rotate_mb, rotate_s, keep, queue_kb, fsync_ms;
	bool compress;
};

struct config_keepalived {
	char fifo[CONFIG_PATH_MAX]; /* "": not used */
};

struct config_metrics {
	struct config_prefix address; /* not given: no listener */
	uint32_t port;
};

struct config_limits {
	uint32_t max_flows; /* per group */
	uint32_t retain, retain_mb, stall_ms;
	uint32_t ready_age_ms, kernel_backlog;
};

struct config_hooks {
	char state[CONFIG_PATH_MAX], alarm[CONFIG_PATH_MAX];
};

struct config_reach {
	struct config_names interfaces;	 /* that need a carrier */
	struct config_prefixes gateways; /* that need to answer */
};

struct config_top {
	enum config_log log;
	char runtime_dir[CONFIG_PATH_MAX], state_dir[CONFIG_PATH_MAX];
	char tables_file[CONFIG_PATH_MAX + 8]; /* "none": tables are not kept over a restart */
	char control_group[CONFIG_WORD_MAX];   /* unix group that may use the socket besides root */
	bool insecure;
	bool rehearsal; /* a desk: `sync-replay inject --into` may be its active node */
};

struct config {
	char path[CONFIG_PATH_MAX]; /* the file read */
	struct config_tree *tree;   /* its text, for config_print */
	struct config_top top;
	struct config_node node;
	struct config_sync sync;
	struct config_conntrack conntrack;
	struct config_backend ipvs;
	struct config_journal journal;
	struct config_keepalived keepalived;
	struct config_metrics metrics;
	struct config_limits limits;
	struct config_reach reach;
	struct config_hooks hooks;
	size_t links, keys, groups;
	struct config_link *link;   /* in order of preference */
	struct config_key *key;	    /* the one that seals first */
	struct config_group *group; /* ordered by id */
};

/*
 * Reads and checks a file. Returns 0 with *out to be freed by config_free. Otherwise -EINVAL, or
 * -errno of reading the file, with one line in err (CONFIG_ERROR_MAX bytes) that names the file,
 * the line, the option and what is allowed.
 */
int config_load(const char *path, struct config **out, char *err);

/* The same from text; path is only for messages. */
int config_parse(const char *text, const char *path, struct config **out, char *err);
void config_free(struct config *c);

/* Writes what is given and what is not, defaults too; config_parse reads it back alike. */
void config_print(const struct config *c, FILE *to);

/* NULL where there is none. Names as written, ids as configured. */
const struct config_group *config_find_group(const struct config *c, const char *name);

/* The group that a VRRP instance or sync group decides; where no group names one, the group of the
 * same name. NULL: nobody's. */
const struct config_group *config_find_instance(const struct config *c, const char *instance);

#endif
