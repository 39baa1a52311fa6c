// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_nl_message.h. The rules of the attributes are in kpatch/uapi/linux/ip_vs_conn.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/ip_vs_conn.h>

#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_nl_message.h"

/* ---- reading --------------------------------------------------------------------------------- */

struct attrs {
	const struct nlattr *at[IPVS_CONN_ATTR_MAX + 1];
};

static int collect_one(const struct nlattr *a, void *ctx)
{
	struct attrs *out = ctx;

	if (mnl_attr_get_type(a) <= IPVS_CONN_ATTR_MAX)
		out->at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static void collect(const struct nlattr *nest, struct attrs *out)
{
	memset(out, 0, sizeof(*out));
	(void)mnl_attr_parse_nested(nest, collect_one, out);
}

static bool get_u16(const struct attrs *as, int type, uint16_t *out)
{
	const struct nlattr *a = as->at[type];

	if (!a || mnl_attr_get_payload_len(a) < sizeof(*out))
		return false;
	*out = mnl_attr_get_u16(a);
	return true;
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? mnl_attr_get_u32(a) : 0;
}

static bool get_addr(const struct attrs *as, int type, uint8_t len, struct flow_addr *out)
{
	const struct nlattr *a = as->at[type];

	memset(out, 0, sizeof(*out));
	if (!a || mnl_attr_get_payload_len(a) < len)
		return false;
	memcpy(out->b, mnl_attr_get_payload(a), len);
	return true;
}

static uint8_t addr_len(uint16_t af)
{
	return af == AF_INET ? 4 : af == AF_INET6 ? 16 : 0;
}

/* Ports are in network order. */
static int read_key(const struct attrs *as, struct flow_key *k)
{
	const struct nlattr *pe = as->at[IPVS_CONN_ATTR_PE_DATA];
	uint16_t af, protocol, cport, vport;

	memset(k, 0, sizeof(*k));
	k->kind = FLOW_IPVS;
	if (!get_u16(as, IPVS_CONN_ATTR_AF, &af) ||
	    !get_u16(as, IPVS_CONN_ATTR_PROTOCOL, &protocol) ||
	    !get_u16(as, IPVS_CONN_ATTR_CPORT, &cport) ||
	    !get_u16(as, IPVS_CONN_ATTR_VPORT, &vport))
		return -EBADMSG;
	k->addr_len = addr_len(af);
	if (!k->addr_len || protocol > UINT8_MAX ||
	    !get_addr(as, IPVS_CONN_ATTR_CADDR, k->addr_len, &k->src) ||
	    !get_addr(as, IPVS_CONN_ATTR_VADDR, k->addr_len, &k->dst))
		return -EBADMSG;
	k->l4proto = (uint8_t)protocol;
	k->sport = ntohs(cport);
	k->dport = ntohs(vport);
	if (pe) {
		if (mnl_attr_get_payload_len(pe) > FLOW_PE_DATA_MAX)
			return -EBADMSG;
		k->pe_data_len = (uint8_t)mnl_attr_get_payload_len(pe);
		k->pe_data = mnl_attr_get_payload(pe);
	}
	return 0;
}

static int read_seq_one(const struct nlattr *a, void *ctx)
{
	struct flow_ipvs_seq *out = ctx;

	switch (mnl_attr_get_type(a)) {
	case IPVS_CONN_SEQ_ATTR_INIT:
		out->init_seq = get_u32(a);
		break;
	case IPVS_CONN_SEQ_ATTR_DELTA:
		out->delta = (int32_t)get_u32(a);
		break;
	case IPVS_CONN_SEQ_ATTR_PREV_DELTA:
		out->previous_delta = (int32_t)get_u32(a);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static void read_seq(const struct nlattr *nest, struct flow_ipvs_seq *out)
{
	if (nest)
		(void)mnl_attr_parse_nested(nest, read_seq_one, out);
}

static void read_name(const struct nlattr *a, char *out)
{
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;

	if (len > FLOW_PE_NAME_MAX - 1)
		len = FLOW_PE_NAME_MAX - 1;
	if (len)
		memcpy(out, mnl_attr_get_payload(a), strnlen(mnl_attr_get_payload(a), len));
}

static int read_value(const struct attrs *as, const struct flow_key *k, struct flow_ipvs *v)
{
	uint16_t daf, dport, state = 0;
	struct attrs control;

	if (!get_u16(as, IPVS_CONN_ATTR_DAF, &daf))
		daf = k->addr_len == 4 ? AF_INET : AF_INET6;
	v->dest_len = addr_len(daf);
	if (!v->dest_len || !get_addr(as, IPVS_CONN_ATTR_DADDR, v->dest_len, &v->dest) ||
	    !get_u16(as, IPVS_CONN_ATTR_DPORT, &dport))
		return -EBADMSG;
	v->dport = ntohs(dport);
	(void)get_u16(as, IPVS_CONN_ATTR_STATE, &state);
	v->state = state;
	v->fwmark = get_u32(as->at[IPVS_CONN_ATTR_FWMARK]);
	read_seq(as->at[IPVS_CONN_ATTR_IN_SEQ], &v->in_seq);
	read_seq(as->at[IPVS_CONN_ATTR_OUT_SEQ], &v->out_seq);
	read_name(as->at[IPVS_CONN_ATTR_PE_NAME], v->pe_name);
	if (!as->at[IPVS_CONN_ATTR_CONTROL])
		return 0;
	collect(as->at[IPVS_CONN_ATTR_CONTROL], &control);
	v->has_control = true;
	return read_key(&control, &v->control);
}

int ipvs_nl_command(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *g = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) < sizeof(*g) ? -EBADMSG : g->cmd;
}

static int find_conn(const struct nlattr *a, void *ctx)
{
	const struct nlattr **out = ctx;

	if (mnl_attr_get_type(a) == IPVS_CONN_CMD_ATTR_CONN)
		*out = a;
	return MNL_CB_OK;
}

int ipvs_nl_parse(const struct nlmsghdr *nlh, struct ipvs_nl_record *out)
{
	const struct nlattr *conn = NULL;
	struct attrs as;
	int err;

	if (ipvs_nl_command(nlh) < 0)
		return -EBADMSG;
	(void)mnl_attr_parse(nlh, sizeof(struct genlmsghdr), find_conn, &conn);
	if (!conn)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	collect(conn, &as);
	err = read_key(&as, &out->flow.key);
	if (err == 0)
		err = read_value(&as, &out->flow.key, &out->flow.ipvs);
	if (err)
		return err;
	out->flags = get_u32(as.at[IPVS_CONN_ATTR_FLAGS]);
	out->timeout_ms = get_u32(as.at[IPVS_CONN_ATTR_TIMEOUT]);
	out->expires_ms = get_u32(as.at[IPVS_CONN_ATTR_EXPIRES]);
	out->bound = as.at[IPVS_CONN_ATTR_HAS_DEST] != NULL;
	out->wanted = ipvs_flow_take(&out->flow, out->flags, out->timeout_ms);
	return 0;
}

struct errors {
	int *err;
	size_t n;
};

static int read_error_one(const struct nlattr *a, void *ctx)
{
	uint32_t *out = ctx; /* index, code */

	if (mnl_attr_get_type(a) == IPVS_CONN_ERROR_ATTR_INDEX)
		out[0] = get_u32(a);
	else if (mnl_attr_get_type(a) == IPVS_CONN_ERROR_ATTR_CODE)
		out[1] = get_u32(a);
	return MNL_CB_OK;
}

static int read_error(const struct nlattr *a, void *ctx)
{
	uint32_t told[2] = {UINT32_MAX, 0};
	struct errors *e = ctx;

	if (mnl_attr_get_type(a) != IPVS_CONN_CMD_ATTR_ERROR)
		return MNL_CB_OK;
	(void)mnl_attr_parse_nested(a, read_error_one, told);
	if (told[0] < e->n && told[1] <= INT32_MAX)
		e->err[told[0]] = -(int)told[1];
	return MNL_CB_OK;
}

int ipvs_nl_parse_errors(const struct nlmsghdr *nlh, int *err, size_t n)
{
	struct errors e = {err, n};

	if (ipvs_nl_command(nlh) < 0)
		return -EBADMSG;
	(void)mnl_attr_parse(nlh, sizeof(struct genlmsghdr), read_error, &e);
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct nlmsghdr *ipvs_nl_begin(void *buf, uint16_t family, uint8_t command, uint16_t flags,
			       uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->cmd = command;
	g->version = 1;
	return nlh;
}

/* Where only a key is at hand: the one persistence engine that Linux has (ip_vs_pe_sip.c). */
#define ONLY_ENGINE "sip"

static void put_key(struct nlmsghdr *nlh, const struct flow_key *key, const char *pe_name)
{
	struct flow_key k;

	ipvs_flow_key_to_kernel(key, &k);
	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_AF, k.addr_len == 4 ? AF_INET : AF_INET6);
	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_PROTOCOL, k.l4proto);
	mnl_attr_put(nlh, IPVS_CONN_ATTR_CADDR, k.addr_len, k.src.b);
	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_CPORT, htons(k.sport));
	mnl_attr_put(nlh, IPVS_CONN_ATTR_VADDR, k.addr_len, k.dst.b);
	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_VPORT, htons(k.dport));
	if (!k.pe_data_len)
		return;
	mnl_attr_put_strz(nlh, IPVS_CONN_ATTR_PE_NAME, pe_name[0] ? pe_name : ONLY_ENGINE);
	mnl_attr_put(nlh, IPVS_CONN_ATTR_PE_DATA, k.pe_data_len, k.pe_data);
}

static void put_seq(struct nlmsghdr *nlh, uint16_t type, const struct flow_ipvs_seq *s)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u32(nlh, IPVS_CONN_SEQ_ATTR_INIT, s->init_seq);
	mnl_attr_put_u32(nlh, IPVS_CONN_SEQ_ATTR_DELTA, (uint32_t)s->delta);
	mnl_attr_put_u32(nlh, IPVS_CONN_SEQ_ATTR_PREV_DELTA, (uint32_t)s->previous_delta);
	mnl_attr_nest_end(nlh, nest);
}

static void put_value(struct nlmsghdr *nlh, const struct flow_ipvs *v, bool with_control)
{
	struct nlattr *nest;

	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_DAF, v->dest_len == 4 ? AF_INET : AF_INET6);
	mnl_attr_put(nlh, IPVS_CONN_ATTR_DADDR, v->dest_len, v->dest.b);
	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_DPORT, htons(v->dport));
	mnl_attr_put_u16(nlh, IPVS_CONN_ATTR_STATE, v->state);
	if (v->fwmark)
		mnl_attr_put_u32(nlh, IPVS_CONN_ATTR_FWMARK, v->fwmark);
	if (v->timeout_s)
		mnl_attr_put_u32(nlh, IPVS_CONN_ATTR_TIMEOUT, v->timeout_s * 1000);
	if (v->flags & IPVS_F_IN_SEQ)
		put_seq(nlh, IPVS_CONN_ATTR_IN_SEQ, &v->in_seq);
	if (v->flags & IPVS_F_OUT_SEQ)
		put_seq(nlh, IPVS_CONN_ATTR_OUT_SEQ, &v->out_seq);
	if (!v->has_control || !with_control)
		return;
	nest = mnl_attr_nest_start(nlh, IPVS_CONN_ATTR_CONTROL);
	put_key(nlh, &v->control, "");
	if (v->control.sport == 0)
		mnl_attr_put_u32(nlh, IPVS_CONN_ATTR_FLAGS, IPVS_F_TEMPLATE);
	mnl_attr_nest_end(nlh, nest);
}

void ipvs_nl_add(struct nlmsghdr *nlh, const struct flow *f, enum ipvs_nl_what what,
		 uint32_t expires_ms)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPVS_CONN_CMD_ATTR_CONN);
	bool all = what == IPVS_NL_ALL || what == IPVS_NL_ALL_ALONE;

	put_key(nlh, &f->key, f->ipvs.pe_name);
	/* A SET takes flags as a change, and needs none to find a connection that is no template.
	 */
	if (all)
		mnl_attr_put_u32(nlh, IPVS_CONN_ATTR_FLAGS, f->ipvs.flags);
	else if (f->key.sport == 0)
		mnl_attr_put_u32(nlh, IPVS_CONN_ATTR_FLAGS, IPVS_F_TEMPLATE);
	if (all)
		put_value(nlh, &f->ipvs, what == IPVS_NL_ALL);
	if (what != IPVS_NL_KEY)
		mnl_attr_put_u32(nlh, IPVS_CONN_ATTR_EXPIRES, expires_ms);
	mnl_attr_nest_end(nlh, nest);
}
