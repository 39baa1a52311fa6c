// SPDX-License-Identifier: GPL-2.0-or-later
/* Engine to OpenMetrics. Called by daemon_status.c for the control socket and the listener. */
#include "syncd/metrics.h"

#include <inttypes.h>
#include <stddef.h>

#include "syncd/counters.h"

enum gauge_type { GAUGE_U64, GAUGE_BOOL, GAUGE_SECONDS_MS, GAUGE_SECONDS_US };

struct gauge {
	const char *name, *help;
	size_t offset;
	enum gauge_type type;
};

#define OF(member) offsetof(struct engine_group_status, member)

static const struct gauge gauges[] = {
	{"group_ready", "1 where a takeover now would lose nothing that is known", OF(ready),
	 GAUGE_BOOL},
	{"group_equal", "1 where the last check was equal", OF(equal), GAUGE_BOOL},
	{"group_equal_age_seconds", "Since the last equal check", OF(equal_age_ms),
	 GAUGE_SECONDS_MS},
	{"group_lag_seconds", "From the active's send to here, of the last data", OF(lag_us),
	 GAUGE_SECONDS_US},
	{"group_flows", "Flows in the table", OF(flows), GAUGE_U64},
	{"group_would_lose", "Flows that a takeover now would lose, as far as is known",
	 OF(would_lose), GAUGE_U64},
	{"group_wire_queued", "Changes waiting to be sent", OF(wire_queued), GAUGE_U64},
	{"group_kernel_queued", "Changes waiting for the kernel", OF(kernel_queued), GAUGE_U64},
	{"group_refused", "Flows that the kernel refuses now", OF(refused), GAUGE_U64},
	{"group_complete", "1 on an active whose first dump is merged", OF(complete), GAUGE_BOOL},
	{"group_memory_bytes", "Memory of the table", OF(memory_bytes), GAUGE_U64},
};

#undef OF

static void print_head(const char *name, const char *type, const char *help, FILE *to)
{
	(void)fprintf(to, "# TYPE syncd_%s %s\n# HELP syncd_%s %s.\n", name, type, name, help);
}

static void print_gauge(const struct gauge *g, const struct engine_group_status *st, FILE *to)
{
	const void *at = (const char *)st + g->offset;

	(void)fprintf(to, "syncd_%s{group=\"%s\"} ", g->name, st->name);
	switch (g->type) {
	case GAUGE_BOOL:
		(void)fprintf(to, "%d\n", *(const bool *)at);
		break;
	case GAUGE_U64:
		(void)fprintf(to, "%" PRIu64 "\n", *(const uint64_t *)at);
		break;
	case GAUGE_SECONDS_MS:
		(void)fprintf(to, "%.3f\n", (double)*(const uint64_t *)at / 1e3);
		break;
	case GAUGE_SECONDS_US:
		(void)fprintf(to, "%.6f\n", (double)*(const uint64_t *)at / 1e6);
		break;
	}
}

static void print_gauges(struct engine *e, FILE *to)
{
	struct engine_group_status st;

	for (size_t g = 0; g < sizeof(gauges) / sizeof(gauges[0]); g++) {
		print_head(gauges[g].name, "gauge", gauges[g].help, to);
		for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++)
			print_gauge(&gauges[g], &st, to);
	}
}

/* One series a state, as a state set: 1 for the one that holds. */
static void print_states(struct engine *e, FILE *to)
{
	struct engine_group_status st;

	print_head("group_state", "stateset", "State of this node in the group", to);
	for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++)
		for (unsigned s = 0; s < STATES; s++)
			(void)fprintf(
				to, "syncd_group_state{group=\"%s\",syncd_group_state=\"%s\"} %d\n",
				st.name, role_state_name((enum node_state)s), st.state == s);
	print_head("group_state_seconds", "counter", "Time spent in each state", to);
	for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++)
		for (unsigned s = 0; s < STATES; s++)
			(void)fprintf(
				to,
				"syncd_group_state_seconds_total{group=\"%s\",state=\"%s\"} %.3f\n",
				st.name, role_state_name((enum node_state)s),
				(double)st.time_in_state_ms[s] / 1e3);
	print_head("group_transitions", "counter", "Changes of state", to);
	for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++)
		(void)fprintf(to, "syncd_group_transitions_total{group=\"%s\"} %" PRIu64 "\n",
			      st.name, st.transitions);
	print_head("group_coalesced", "counter", "Changes that met one of the flow not yet sent",
		   to);
	for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++)
		(void)fprintf(to, "syncd_group_coalesced_total{group=\"%s\"} %" PRIu64 "\n",
			      st.name, table_coalesced(engine_table(e, st.id)));
	print_head("group_term", "gauge", "Highest term seen", to);
	for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++)
		(void)fprintf(to, "syncd_group_term{group=\"%s\"} %" PRIu64 "\n", st.name,
			      st.term.number);
}

static void print_peers(struct engine *e, struct engine_now now, FILE *to)
{
	struct peers *peers = engine_peers(e);

	print_head("peer_heard_seconds", "gauge", "Since a peer was last heard", to);
	for (const struct peer *p = peers_next(peers, NULL, true); p != NULL;
	     p = peers_next(peers, p, true))
		(void)fprintf(to, "syncd_peer_heard_seconds{node=\"%u\"} %.3f\n", p->node,
			      (double)(now.mono_us - p->heard_us) / 1e6);
	print_head("peer_proven", "gauge", "1 where a peer echoes this node's session", to);
	for (const struct peer *p = peers_next(peers, NULL, true); p != NULL;
	     p = peers_next(peers, p, true))
		(void)fprintf(to, "syncd_peer_proven{node=\"%u\"} %d\n", p->node, p->proven);
	print_head("peer_rtt_seconds", "gauge", "Smoothed round-trip time to a peer", to);
	for (const struct peer *p = peers_next(peers, NULL, true); p != NULL;
	     p = peers_next(peers, p, true))
		(void)fprintf(to, "syncd_peer_rtt_seconds{node=\"%u\"} %.6f\n", p->node,
			      (double)p->rtt_us / 1e6);
}

static void print_links(const struct status_box *box, FILE *to)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} counters[] = {
		{"link_sent", "Datagrams sent by a link", offsetof(struct link_stats, sent)},
		{"link_sent_bytes", "Their bytes", offsetof(struct link_stats, sent_bytes)},
		{"link_send_errors", "Datagrams that could not be sent",
		 offsetof(struct link_stats, send_errors)},
		{"link_received", "Datagrams received by a link",
		 offsetof(struct link_stats, received)},
		{"link_received_bytes", "Their bytes", offsetof(struct link_stats, received_bytes)},
		{"link_ttl_refused", "Datagrams refused because they had passed a router",
		 offsetof(struct link_stats, ttl_refused)},
	};

	print_head("link_up", "gauge", "1 where a link has a carrier", to);
	for (size_t i = 0; i < box->links; i++)
		(void)fprintf(to, "syncd_link_up{link=\"%s\"} %d\n", box->link[i].name,
			      box->link[i].up);
	for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
		print_head(counters[c].name, "counter", counters[c].help, to);
		for (size_t i = 0; i < box->links; i++)
			(void)fprintf(
				to, "syncd_%s_total{link=\"%s\"} %" PRIu64 "\n", counters[c].name,
				box->link[i].name,
				*(const uint64_t *)(const void *)((const char *)box->link[i].stats +
								  counters[c].offset));
	}
}

static void print_counter(void *ctx, const char *name, const char *help, uint64_t value)
{
	print_head(name, "counter", help, ctx);
	(void)fprintf(ctx, "syncd_%s_total %" PRIu64 "\n", name, value);
}

void metrics_print(struct engine *e, const struct status_box *box, struct engine_now now, FILE *to)
{
	print_head("build", "info", "The daemon", to);
	(void)fprintf(to, "syncd_build_info{version=\"%s\",node=\"%s\",id=\"%u\"} 1\n",
		      SYNCD_VERSION, box->node, box->node_id);
	print_head("uptime_seconds", "gauge", "Since the start", to);
	(void)fprintf(to, "syncd_uptime_seconds %.3f\n",
		      (double)(now.mono_us - box->started_us) / 1e6);
	print_gauges(e, to);
	print_states(e, to);
	print_peers(e, now, to);
	print_links(box, to);
	counters_each(e, box->ct_sink, print_counter, to);
	(void)fputs("# EOF\n", to);
}
