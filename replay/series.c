// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers over time; see series.h. */
#include "replay/series.h"

#include <string.h>

enum { WIDTH_FIRST_US = 10000 };

static void clear_from(struct series *s, uint32_t from)
{
	for (unsigned of = 0; of < SERIES_ALL; of++)
		for (uint32_t i = from; i < SERIES_BUCKETS; i++)
			s->value[of][i] = of < SERIES_SUMS ? 0 : SERIES_NONE;
}

void series_init(struct series *s, uint64_t start_us)
{
	s->start_us = start_us;
	s->width_us = WIDTH_FIRST_US;
	s->used = 0;
	clear_from(s, 0);
}

void series_widen(struct series *s)
{
	for (unsigned of = 0; of < SERIES_ALL; of++) {
		uint64_t *v = s->value[of];

		for (uint32_t i = 0; i < SERIES_BUCKETS / 2; i++) {
			uint64_t a = v[2 * i], b = v[2 * i + 1];

			v[i] = of < SERIES_SUMS ? a + b : b != SERIES_NONE ? b : a;
		}
	}
	s->width_us *= 2;
	s->used = (s->used + 1) / 2;
	clear_from(s, SERIES_BUCKETS / 2);
}

uint32_t series_at(struct series *s, uint64_t wall_us)
{
	uint64_t since = wall_us > s->start_us ? wall_us - s->start_us : 0;
	uint32_t i;

	while (since / s->width_us >= SERIES_BUCKETS)
		series_widen(s);
	i = (uint32_t)(since / s->width_us);
	if (i >= s->used)
		s->used = i + 1;
	return i;
}

void series_add(struct series *s, enum series_of of, uint64_t wall_us, uint64_t n)
{
	s->value[of][series_at(s, wall_us)] += n;
}

void series_set(struct series *s, unsigned of, uint64_t wall_us, uint64_t n)
{
	s->value[of][series_at(s, wall_us)] = n;
}
