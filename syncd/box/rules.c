// SPDX-License-Identifier: GPL-2.0-or-later
/* What a ruleset says, from nft's JSON. Pure; rules_watch.c does the reading. */
#include "syncd/box/rules.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

static bool same_chain(const json_t *chain, const json_t *rule)
{
	return strcmp(text(chain, "family"), text(rule, "family")) == 0 &&
	       strcmp(text(chain, "table"), text(rule, "table")) == 0 &&
	       strcmp(text(chain, "name"), text(rule, "chain")) == 0;
}

static bool is_in_nat_chain(const json_t *list, const json_t *rule)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const json_t *chain = json_object_get(o, "chain");

		if (chain != NULL && strcmp(text(chain, "type"), "nat") == 0 &&
		    same_chain(chain, rule))
			return true;
	}
	return false;
}

/* Counters count differently on each box; a rule is what else it says. */
static void drop_counters(json_t *expressions)
{
	for (size_t i = json_array_size(expressions); i-- > 0;)
		if (json_object_get(json_array_get(expressions, i), "counter") != NULL)
			(void)json_array_remove(expressions, i);
}

/* The place of the rule in its chain is part of its meaning: place counts within this chain. */
static uint64_t hash_rule(json_t *rule, uint64_t place)
{
	json_t *expressions = json_object_get(rule, "expr");
	uint64_t h = place;
	char *dump;

	drop_counters(expressions);
	dump = json_dumps(expressions, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	h = XXH3_64bits_withSeed(text(rule, "family"), strlen(text(rule, "family")), h);
	h = XXH3_64bits_withSeed(text(rule, "table"), strlen(text(rule, "table")), h);
	h = XXH3_64bits_withSeed(text(rule, "chain"), strlen(text(rule, "chain")), h);
	if (dump != NULL)
		h = XXH3_64bits_withSeed(dump, strlen(dump), h);
	free(dump);
	return h;
}

/* How many rules of the same chain stand before this one. */
static uint64_t place_of(const json_t *list, size_t index, const json_t *rule)
{
	uint64_t place = 0;

	for (size_t i = 0; i < index; i++) {
		const json_t *other = json_object_get(json_array_get(list, i), "rule");

		place += other != NULL && strcmp(text(other, "chain"), text(rule, "chain")) == 0 &&
			 strcmp(text(other, "table"), text(rule, "table")) == 0 &&
			 strcmp(text(other, "family"), text(rule, "family")) == 0;
	}
	return place;
}

static void add_flowtable(struct rules_found *out, const json_t *ft)
{
	const size_t at = strlen(out->flowtable_names);

	(void)snprintf(out->flowtable_names + at, sizeof(out->flowtable_names) - at, "%s%s %s %s",
		       at > 0 ? ", " : "", text(ft, "family"), text(ft, "table"), text(ft, "name"));
	out->flowtables++;
}

int rules_parse(const char *json, struct rules_found *out)
{
	struct rules_found found = {0};
	json_t *root = json_loads(json, 0, NULL);
	json_t *list = json_object_get(root, "nftables"), *o;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(root);
		return -EBADMSG;
	}
	json_array_foreach(list, i, o)
	{
		json_t *rule = json_object_get(o, "rule");
		const json_t *ft = json_object_get(o, "flowtable");

		if (ft != NULL)
			add_flowtable(&found, ft);
		if (rule == NULL || !is_in_nat_chain(list, rule))
			continue;
		/* A sum: the order of tables and chains means nothing. */
		found.nat += hash_rule(rule, place_of(list, i, rule));
		found.nat_rules++;
	}
	json_decref(root);
	*out = found;
	return 0;
}
