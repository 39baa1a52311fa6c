// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report: one page of HTML with everything in it. The page (replay/page/report.html) draws what
 * stands in it as JSON; this file gathers and writes that.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/assets.h"
#include "replay/gather.h"
#include "replay/text.h"
#include "replay/verify.h"

struct findings {
	FILE *to;
	const char *journal;
	uint64_t n;
};

static void on_finding(void *ctx, uint64_t wall_us, const char *what)
{
	struct findings *f = ctx;

	(void)fprintf(f->to, "%s{\"t\":%.6f,\"journal\":", f->n++ ? "," : "",
		      (double)wall_us / 1e6);
	json_print_string(f->to, f->journal);
	(void)fputs(",\"text\":", f->to);
	json_print_string(f->to, what);
	(void)fputc('}', f->to);
}

static void write_numbers(FILE *to, const struct series *s, unsigned of)
{
	(void)fputc('[', to);
	for (uint32_t i = 0; i < s->used; i++) {
		uint64_t v = s->value[of][i];

		if (v == SERIES_NONE)
			(void)fprintf(to, "%snull", i ? "," : "");
		else
			(void)fprintf(to, "%s%" PRIu64, i ? "," : "", v);
	}
	(void)fputc(']', to);
}

static void write_named(FILE *to, const char *member, const struct series *s, unsigned first,
			const struct gather_counts *c)
{
	(void)fprintf(to, ",\"%s\":[", member);
	for (unsigned i = 0; i < c->names; i++) {
		(void)fprintf(to, "%s{\"name\":", i ? "," : "");
		json_print_string(to, c->name[i]);
		(void)fputs(",\"n\":", to);
		write_numbers(to, s, first + i);
		(void)fputc('}', to);
	}
	(void)fputc(']', to);
}

static void write_events(FILE *to, const struct gather *g)
{
	(void)fputs(",\"events\":[", to);
	for (size_t i = 0; i < g->events; i++) {
		const struct gather_event *e = &g->event[i];

		(void)fprintf(to,
			      "%s{\"t\":%.6f,\"type\":\"%s\",\"group\":%u,\"times\":%u,\"text\":",
			      i ? "," : "", (double)e->wall_us / 1e6, journal_type_name(e->type),
			      e->group, e->times);
		json_print_string(to, e->text);
		if (e->type == JOURNAL_STATE)
			(void)fprintf(to, ",\"from\":\"%s\",\"to\":\"%s\",\"term\":%" PRIu64,
				      text_state(e->from), text_state(e->to), e->term);
		(void)fputc('}', to);
	}
	(void)fprintf(to, "],\"events_more\":%zu", g->events_more);
}

static void write_lags(FILE *to, const struct gather *g)
{
	static const double quantile[] = {0.5, 0.9, 0.99, 0.999};

	(void)fputs(",\"lags\":[", to);
	for (size_t i = 0; i < g->lags; i++) {
		const struct histogram *h = &g->lag[i];
		bool first = true;

		(void)fprintf(to, "%s{\"from\":%u,\"n\":%" PRIu64 ",\"max\":%" PRIu64 ",\"q\":[",
			      i ? "," : "", g->lag_from[i], h->n, h->max);
		for (size_t q = 0; q < 4; q++)
			(void)fprintf(to, "%s%" PRIu64, q ? "," : "",
				      histogram_quantile(h, quantile[q]));
		(void)fputs("],\"buckets\":[", to);
		for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
			if (!h->bucket[b])
				continue;
			(void)fprintf(to, "%s[%" PRIu64 ",%" PRIu64 "]", first ? "" : ",",
				      histogram_value(b), h->bucket[b]);
			first = false;
		}
		(void)fputs("]}", to);
	}
	(void)fputc(']', to);
}

static void write_journal(FILE *to, const struct gather *g)
{
	static const struct {
		const char *name;
		enum series_of of;
	} member[] = {
		{"sent", SERIES_SENT},	     {"sent_bytes", SERIES_SENT_BYTES},
		{"applied", SERIES_APPLIED}, {"applied_bytes", SERIES_APPLIED_BYTES},
		{"puts", SERIES_PUTS},	     {"dels", SERIES_DELS},
		{"naks", SERIES_NAKS},	     {"dropped", SERIES_DROPPED},
		{"flows", SERIES_FLOWS},     {"waiting", SERIES_WAITING},
		{"lag_us", SERIES_LAG_US},
	};

	(void)fputs("{\"name\":", to);
	json_print_string(to, g->journal->name);
	(void)fprintf(to,
		      ",\"node\":%u,\"records\":%" PRIu64 ",\"segments\":%zu,\"damaged\":%" PRIu64
		      ",\"last\":%.6f",
		      g->journal->node, g->records, g->journal->files, g->damaged,
		      (double)g->last_us / 1e6);
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++) {
		(void)fprintf(to, ",\"%s\":", member[i].name);
		write_numbers(to, &g->series, member[i].of);
	}
	write_named(to, "states", &g->series, SERIES_STATE, &g->states);
	write_named(to, "servers", &g->series, SERIES_SERVER, &g->servers);
	write_events(to, g);
	write_lags(to, g);
	(void)fputc('}', to);
}

/* All on one scale of time. */
static void align(struct gather *g, size_t n)
{
	uint64_t width_us = 0;

	for (size_t i = 0; i < n; i++)
		if (g[i].series.width_us > width_us)
			width_us = g[i].series.width_us;
	for (size_t i = 0; i < n; i++)
		while (g[i].series.width_us < width_us)
			series_widen(&g[i].series);
}

static int write_data(FILE *to, const struct options *o, const struct input *in, struct gather *g)
{
	struct findings f = {.to = to};
	uint64_t findings = 0;
	int rc = 0;

	align(g, in->journals);
	(void)fprintf(to, "{\"version\":\"" SYNCD_VERSION "\",\"start\":%.6f,\"width\":%.6f,",
		      (double)g[0].start_us / 1e6, (double)g[0].series.width_us / 1e6);
	(void)fputs("\"journals\":[", to);
	for (size_t i = 0; i < in->journals; i++) {
		if (i)
			(void)fputc(',', to);
		write_journal(to, &g[i]);
	}
	(void)fputs("],\"findings\":[", to);
	for (size_t i = 0; i < in->journals && !rc; i++) {
		f.journal = in->journal[i].name;
		rc = verify_journal(o, &in->journal[i], on_finding, &f, &findings);
	}
	(void)fprintf(to, "],\"found\":%" PRIu64 "}", findings);
	return rc ? rc : findings ? EXIT_FINDINGS : EXIT_CONSISTENT;
}

/* Writes the page, with what belongs there for each mark. Marks are comments in their language. */
static int write_page(FILE *to, const struct options *o, const struct input *in, struct gather *g)
{
	static const char mark_css[] = "/*UPLOT_CSS*/", mark_js[] = "/*UPLOT_JS*/",
			  mark_data[] = "/*DATA*/";
	const char *css = strstr(asset_page, mark_css), *js = strstr(asset_page, mark_js),
		   *data = strstr(asset_page, mark_data);
	int rc;

	if (!css || !js || !data)
		abort();
	(void)fwrite(asset_page, 1, (size_t)(css - asset_page), to);
	(void)fputs(asset_uplot_css, to);
	css += strlen(mark_css);
	(void)fwrite(css, 1, (size_t)(js - css), to);
	(void)fputs(asset_uplot_js, to);
	js += strlen(mark_js);
	(void)fwrite(js, 1, (size_t)(data - js), to);
	rc = write_data(to, o, in, g);
	(void)fputs(data + strlen(mark_data), to);
	return rc;
}

int command_report(const struct options *o)
{
	struct gather *g = NULL;
	uint64_t start_us;
	struct input in;
	FILE *to = NULL;
	int rc;

	if (!o->output) {
		(void)fputs("usage: sync-replay report -o PAGE.html [-k KEYFILE] JOURNAL...\n",
			    stderr);
		return EXIT_WRONG_USE;
	}
	rc = command_open(o, 0, o->args, &in);
	if (rc)
		return rc;
	assert(in.journals > 0);
	start_us = when_wall_us(&o->filter.from, in.journal[0].start_us);
	start_us = start_us ? start_us : in.journal[0].start_us;
	g = calloc(in.journals, sizeof(*g));
	to = fopen(o->output, "we");
	if (!g || !to)
		rc = command_failed(o->output, -errno);
	for (size_t i = 0; g && i < in.journals && !rc; i++)
		rc = gather_journal(o, &in.journal[i], start_us, &g[i]);
	if (g && to && !rc)
		rc = write_page(to, o, &in, g);
	if (to && fclose(to))
		rc = command_failed(o->output, -errno);
	for (size_t i = 0; g && i < in.journals; i++)
		gather_fini(&g[i]);
	free(g);
	input_free(&in);
	return rc;
}
