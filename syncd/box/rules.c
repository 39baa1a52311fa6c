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

/* A chain's entry in `chains`, by what names it; of "@name" the elements of a map. */
static json_t *find_chain(json_t *chains, const json_t *in, const char *name)
{
	char key[512];

	(void)snprintf(key, sizeof(key), "%s %s %s", text(in, "family"), text(in, "table"), name);
	return json_object_get(chains, key);
}

static void add_chain(json_t *chains, const json_t *chain)
{
	char key[512];

	(void)snprintf(key, sizeof(key), "%s %s %s", text(chain, "family"), text(chain, "table"),
		       text(chain, "name"));
	(void)json_object_set_new(
		chains, key,
		json_pack("{s:b,s:i}", "nat", strcmp(text(chain, "type"), "nat") == 0, "rules", 0));
}

/* A map may hold verdicts that lead elsewhere. */
static void add_map(json_t *chains, json_t *map)
{
	char key[512];

	(void)snprintf(key, sizeof(key), "%s %s @%s", text(map, "family"), text(map, "table"),
		       text(map, "name"));
	(void)json_object_set(chains, key, json_object_get(map, "elem"));
}

/* Marks what a rule of a NAT chain jumps or goes to, at whatever depth it says so. True where one
 * was not marked before. */
static bool follow(json_t *chains, const json_t *rule, json_t *of)
{
	json_t *inner, *chain;
	const char *name;
	bool more = false;
	size_t i;

	if (json_is_string(of) && json_string_value(of)[0] == '@')
		return follow(chains, rule, find_chain(chains, rule, json_string_value(of)));
	json_array_foreach(of, i, inner)
	{
		more |= follow(chains, rule, inner);
	}
	json_object_foreach(of, name, inner)
	{
		more |= follow(chains, rule, inner);
		if (strcmp(name, "jump") != 0 && strcmp(name, "goto") != 0)
			continue;
		chain = find_chain(chains, rule, text(inner, "target"));
		if (chain == NULL || json_is_true(json_object_get(chain, "nat")))
			continue;
		(void)json_object_set_new(chain, "nat", json_true());
		more = true;
	}
	return more;
}

/* All chains by name, and of each whether it translates: of type nat, or reached from such a one.
 */
static json_t *list_chains(json_t *list)
{
	json_t *chains = json_object(), *o;
	bool more = true;
	size_t i;

	json_array_foreach(list, i, o)
	{
		if (json_object_get(o, "chain") != NULL)
			add_chain(chains, json_object_get(o, "chain"));
		if (json_object_get(o, "map") != NULL)
			add_map(chains, json_object_get(o, "map"));
	}
	while (more) {
		more = false;
		json_array_foreach(list, i, o)
		{
			const json_t *rule = json_object_get(o, "rule");
			const json_t *chain = find_chain(chains, rule, text(rule, "chain"));

			if (rule != NULL && json_is_true(json_object_get(chain, "nat")))
				more |= follow(chains, rule, json_object_get(rule, "expr"));
		}
	}
	return chains;
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

static void add_flowtable(struct rules_found *out, const json_t *ft)
{
	const size_t at = strlen(out->flowtable_names);

	(void)snprintf(out->flowtable_names + at, sizeof(out->flowtable_names) - at, "%s%s %s %s",
		       at > 0 ? ", " : "", text(ft, "family"), text(ft, "table"), text(ft, "name"));
	out->flowtables++;
}

/* A sum: the order of tables and chains means nothing. */
static void add_rule(struct rules_found *out, json_t *chains, json_t *rule)
{
	json_t *chain = find_chain(chains, rule, text(rule, "chain"));
	const json_int_t place = json_integer_value(json_object_get(chain, "rules"));

	if (!json_is_true(json_object_get(chain, "nat")))
		return;
	(void)json_object_set_new(chain, "rules", json_integer(place + 1));
	out->nat += hash_rule(rule, (uint64_t)place);
	out->nat_rules++;
}

int rules_parse(const char *json, struct rules_found *out)
{
	struct rules_found found = {0};
	json_t *root = json_loads(json, 0, NULL);
	json_t *list = json_object_get(root, "nftables"), *chains, *o;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(root);
		return -EBADMSG;
	}
	chains = list_chains(list);
	json_array_foreach(list, i, o)
	{
		json_t *rule = json_object_get(o, "rule");
		const json_t *ft = json_object_get(o, "flowtable");

		if (ft != NULL)
			add_flowtable(&found, ft);
		if (rule != NULL)
			add_rule(&found, chains, rule);
	}
	json_decref(chains);
	json_decref(root);
	*out = found;
	return 0;
}
