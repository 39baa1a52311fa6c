/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of the flows: see report.h. */
#include "tests/drill/traffic/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tally {
	size_t flows, ends[FLOW_ENDS], doomed;
	double *stalls; /* ms, of those whose exchange met an outage and survived */
	size_t n_stalls;
};

struct stall {
	double p50, p99, max;
};

typedef bool (*flow_filter)(const struct flow *flow, const void *arg);

/* The longest stand-still counts where it overlaps an outage; a flow that had nothing under way
 * while service was out saw nothing and would only thin the figures. */
static bool met_outage(const struct fleet *fleet, const struct flow *flow)
{
	if (flow->worst_end_ns == 0)
		return false;
	for (size_t i = 0; i < fleet->n_outages; i++) {
		const struct fleet_outage *outage = &fleet->outages[i];

		if (flow->worst_end_ns > outage->begin_ns &&
		    (!outage->end_ns || flow->worst_begin_ns < outage->end_ns))
			return true;
	}
	return false;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void tally_make(const struct fleet *fleet, flow_filter filter, const void *arg,
		       struct tally *tally)
{
	memset(tally, 0, sizeof(*tally));
	tally->stalls = calloc(fleet->n_flows + 1, sizeof(double));
	for (size_t i = 0; i < fleet->n_flows; i++) {
		const struct flow *flow = fleet->flows[i];

		if (!filter(flow, arg))
			continue;
		if (fleet_is_doomed(fleet, flow)) {
			tally->doomed++;
			continue;
		}
		tally->flows++;
		tally->ends[flow->end]++;
		if (flow->end == FLOW_LIVES && met_outage(fleet, flow) && tally->stalls)
			tally->stalls[tally->n_stalls++] =
				(double)(flow->worst_end_ns - flow->worst_begin_ns) / 1e6;
	}
	if (tally->stalls)
		qsort(tally->stalls, tally->n_stalls, sizeof(double), compare_double);
}

static void tally_fini(struct tally *tally)
{
	free(tally->stalls);
}

static double rank(const struct tally *tally, size_t percent)
{
	size_t n = tally->n_stalls;
	size_t at = (n * percent + 99) / 100;

	return n ? tally->stalls[at ? at - 1 : 0] : 0;
}

static struct stall tally_stall(const struct tally *tally)
{
	return (struct stall){rank(tally, 50), rank(tally, 99), rank(tally, 100)};
}

static size_t later_than(const struct tally *tally, double ms)
{
	size_t n = 0;

	while (n < tally->n_stalls && tally->stalls[tally->n_stalls - 1 - n] > ms)
		n++;
	return n;
}

static double log_choose(size_t n, size_t k)
{
	return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

/* Of n_a and n_b that differ in nothing, k_a and k_b are late: how probable is it that as many as
 * k_a or more of the late ones are of the first kind? (Fisher's exact test, one-sided) */
static double chance(size_t n_a, size_t k_a, size_t n_b, size_t k_b)
{
	const size_t late = k_a + k_b;
	double p = 0;

	for (size_t i = k_a; i <= late && i <= n_a; i++)
		if (late - i <= n_b)
			p += exp(log_choose(n_a, i) + log_choose(n_b, late - i) -
				 log_choose(n_a + n_b, late));
	return p;
}

static bool is_class(const struct flow *flow, const void *arg)
{
	enum flow_kind kind = flow->group->kind;

	return kind != FLOW_CHURN && kind != FLOW_PARK &&
	       flow->group->control == *(const bool *)arg;
}

/* Like is compared with like: retransmission timers of paced TCP, IPv4 and IPv6. */
static bool is_measured(const struct flow *flow, const void *arg)
{
	return is_class(flow, arg) && flow->group->tcp && flow->group->kind == FLOW_PACED;
}

/* Nothing in a datagram tells a new flow from one that another node has accepted: the first one
 * that reaches a node which knows nothing of it yet makes it a flow of that node. */
static bool is_udp_born_apart(const struct flow *flow, const void *arg)
{
	const struct fleet *fleet = arg;

	return !flow->group->control && !flow->group->tcp && fleet->env.fault_ns &&
	       flow->established_ns > fleet->env.fault_ns;
}

static bool is_udp(const struct flow *flow, const void *arg)
{
	(void)arg;
	return !flow->group->control && !flow->group->tcp;
}

static bool is_of_group(const struct flow *flow, const void *arg)
{
	return flow->group == arg;
}

static void write_ends(FILE *out, const struct tally *tally)
{
	fprintf(out,
		"\"flows\":%zu,\"survived\":%zu,\"resets\":%zu,\"hangs\":%zu,\"corrupt\":%zu,"
		"\"moved\":%zu",
		tally->flows, tally->ends[FLOW_LIVES], tally->ends[FLOW_RESET],
		tally->ends[FLOW_HUNG], tally->ends[FLOW_CORRUPT], tally->ends[FLOW_MOVED]);
}

static void write_stall(FILE *out, const char *name, const struct tally *tally)
{
	struct stall stall = tally_stall(tally);

	fprintf(out, "\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"met\":%zu}", name, stall.p50,
		stall.p99, stall.max, tally->n_stalls);
}

static void write_group(FILE *out, const struct fleet *fleet, const struct flow_group *group)
{
	static const char *const kinds[] = {
		[FLOW_PACED] = "paced", [FLOW_UP] = "up",	[FLOW_DOWN] = "down",
		[FLOW_IDLE] = "idle",	[FLOW_CHURN] = "churn", [FLOW_PARK] = "park",
		[FLOW_MUTE] = "mute",
	};
	struct tally tally;

	tally_make(fleet, is_of_group, group, &tally);
	fprintf(out, "{\"name\":\"%s\",\"class\":\"%s\",\"proto\":\"%s\",\"kind\":\"%s\",",
		group->name, group->control ? "control" : "synced", group->tcp ? "tcp" : "udp",
		kinds[group->kind]);
	write_ends(out, &tally);
	if (group->kind == FLOW_CHURN)
		fprintf(out,
			",\"opened\":%u,\"completed\":%u,\"lost\":%u,\"newborn_lost\":%u,"
			"\"newborn_lost_oldest_ms\":%.1f",
			group->lives_opened, group->lives_completed, group->lives_lost,
			group->newborn_lost, (double)group->newborn_worst_us / 1000);
	fputc(',', out);
	write_stall(out, "stall_ms", &tally);
	fputc('}', out);
	tally_fini(&tally);
}

/* Whether synced flows stood still longer than control flows by more than is demanded. */
static bool write_excess(FILE *out, const struct report_demand *demand, const struct tally *synced,
			 const struct tally *control)
{
	const double limit = tally_stall(control).p99 + demand->excess_ms;
	const size_t k_s = later_than(synced, limit), k_c = later_than(control, limit);
	const double p = chance(synced->n_stalls, k_s, control->n_stalls, k_c);

	if (demand->excess_ms < 0)
		return false;
	fprintf(out, ",\"late\":{\"than_ms\":%.1f,\"synced\":%zu,\"control\":%zu,\"chance\":%.4f}",
		limit, k_s, k_c, p);
	return tally_stall(synced).p99 > limit &&
	       (demand->excess_chance < 0 || p < demand->excess_chance);
}

struct findings {
	FILE *out;
	size_t n;
};

static void found(struct findings *f, const char *what, size_t len)
{
	fprintf(f->out, "%s\"", f->n++ ? "," : "");
	for (size_t i = 0; i < len; i++) {
		if (what[i] == '"' || what[i] == '\\')
			fputc('\\', f->out);
		if ((unsigned char)what[i] >= ' ')
			fputc(what[i], f->out);
	}
	fputc('"', f->out);
}

static void found_if(struct findings *f, bool bad, const char *what)
{
	if (bad)
		found(f, what, strlen(what));
}

/* Returns how many short connections were lost; what the demand does not excuse is found. */
static uint32_t check_churn(struct findings *f, const struct fleet *fleet,
			    const struct report_demand *demand)
{
	uint32_t lost = 0;

	for (size_t i = 0; i < fleet->n_groups; i++) {
		const struct flow_group *g = &fleet->groups[i];
		uint32_t old_lost = g->lives_lost - g->newborn_lost;

		lost += g->lives_lost;
		if (demand->lives_lost >= 0)
			continue;
		found_if(f, old_lost > 0, "short connections were lost that were not newborn");
		found_if(f,
			 g->newborn_lost > 0 && demand->newborn_ms >= 0 &&
				 (double)g->newborn_worst_us / 1000 > demand->newborn_ms,
			 "short connections were lost that were older than may be");
	}
	found_if(f, demand->lives_lost >= 0 && (double)lost > demand->lives_lost,
		 "more short connections were lost than may be");
	return lost;
}

static size_t udp_moved(const struct fleet *fleet)
{
	struct tally udp;
	size_t n;

	tally_make(fleet, is_udp, NULL, &udp);
	n = udp.ends[FLOW_MOVED];
	tally_fini(&udp);
	return n;
}

/* How many of the UDP flows that were born after the first fault ended elsewhere. */
static size_t write_udp_born_apart(const struct fleet *fleet, FILE *out)
{
	struct tally apart;

	tally_make(fleet, is_udp_born_apart, fleet, &apart);
	fprintf(out, ",\"apart_udp\":{\"flows\":%zu,\"moved\":%zu}", apart.flows,
		apart.ends[FLOW_MOVED]);
	tally_fini(&apart);
	return apart.ends[FLOW_MOVED];
}

const char *report_verdict_name(enum report_verdict verdict)
{
	static const char *const names[] = {"pass", "bounded", "fail"};

	return names[verdict];
}

enum report_verdict report_write(const struct fleet *fleet, const struct report_demand *demand,
				 const char *meta, const char *problems, FILE *out, char *line,
				 size_t line_len)
{
	bool no = false, yes = true, bounded, excess;
	size_t apart, excused;
	struct tally synced, control, fast, plain;
	struct findings f = {.out = out};
	struct stall s, c;

	tally_make(fleet, is_class, &no, &synced);
	tally_make(fleet, is_class, &yes, &control);
	tally_make(fleet, is_measured, &no, &fast);
	tally_make(fleet, is_measured, &yes, &plain);
	s = tally_stall(&fast);
	c = tally_stall(&plain);
	fprintf(out, "{%s", meta);
	write_ends(out, &synced);
	fputc(',', out);
	write_stall(out, "stall_ms", &fast);
	fputc(',', out);
	write_stall(out, "control_stall_ms", &plain);
	fprintf(out, ",\"doomed\":%zu,\"control\":{", synced.doomed + control.doomed);
	write_ends(out, &control);
	fputc('}', out);
	excess = write_excess(out, demand, &fast, &plain);
	apart = write_udp_born_apart(fleet, out);
	if ((double)apart > demand->apart_moved)
		apart = 0; /* more than may be: none is excused */
	if (demand->udp_moved >= 0 && (double)udp_moved(fleet) <= demand->udp_moved)
		apart = udp_moved(fleet);
	fprintf(out, ",\"groups\":[");
	for (size_t i = 0; i < fleet->n_groups; i++) {
		fputs(i ? "," : "", out);
		write_group(out, fleet, &fleet->groups[i]);
	}
	fprintf(out, "],\"problems\":[");
	found_if(&f, synced.flows == 0, "there was no flow");
	found_if(&f, synced.ends[FLOW_RESET] > 0, "flows were reset");
	found_if(&f, synced.ends[FLOW_HUNG] > 0, "flows hung");
	found_if(&f, synced.ends[FLOW_CORRUPT] > 0, "flows were corrupted");
	found_if(&f, synced.ends[FLOW_MOVED] > apart, "flows were moved to another server");
	found_if(&f, control.ends[FLOW_LIVES] != control.flows, "control flows were harmed");
	found_if(&f, excess, "synced flows stood still longer than control flows");
	excused = apart + check_churn(&f, fleet, demand);
	for (const char *p = problems; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (*p != '\n')
			found(&f, p, strcspn(p, "\n"));
	bounded = f.n == 0 && excused > 0;
	fprintf(out, "],\"bounded\":%s,\"pass\":%s}\n", bounded ? "true" : "false",
		f.n || bounded ? "false" : "true");
	snprintf(line, line_len, "%zu %zu %zu %zu %zu %zu %.0f %.0f %.0f %.0f", synced.flows,
		 synced.ends[FLOW_LIVES], synced.ends[FLOW_RESET], synced.ends[FLOW_HUNG],
		 synced.ends[FLOW_CORRUPT], synced.ends[FLOW_MOVED], s.p50, s.p99, s.max, c.p99);
	tally_fini(&synced);
	tally_fini(&control);
	tally_fini(&fast);
	tally_fini(&plain);
	return bounded ? REPORT_BOUNDED : f.n ? REPORT_FAIL : REPORT_PASS;
}
