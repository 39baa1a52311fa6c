/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map from byte strings to values, for the simulation's models. Entries stand in an array, so
 * that walks and random picks do not depend on addresses. Deliberately not the table under test.
 */
#ifndef TESTS_SIM_MAP_H
#define TESTS_SIM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_map;

struct sim_map_entry {
	uint8_t *key; /* owned by the map */
	size_t len;
	void *value;
};

/* free_value frees a value that is replaced, deleted or left at the end; NULL: nothing to free. */
struct sim_map *sim_map_new(void (*free_value)(void *value));
void sim_map_free(struct sim_map *m);
void sim_map_clear(struct sim_map *m);

void *sim_map_get(const struct sim_map *m, const uint8_t *key, size_t len);
void sim_map_put(struct sim_map *m, const uint8_t *key, size_t len, void *value);
bool sim_map_del(struct sim_map *m, const uint8_t *key, size_t len);

/* Entries 0 to count - 1; a deletion moves the last one into the hole. */
size_t sim_map_count(const struct sim_map *m);
const struct sim_map_entry *sim_map_at(const struct sim_map *m, size_t index);

#endif
