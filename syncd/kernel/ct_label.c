// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table that enables labels (ct_label.h), by libnftables: the kernel takes all of a batch or
 * nothing. nf_connlabels_get of net/netfilter/nf_conntrack_labels.c is what the rule is for; it
 * counts rules when they are made, whether a packet comes by them or not.
 */
#include "syncd/kernel/ct_label.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

enum { TABLE_MAX = NODE_NAME_MAX + 16, COMMANDS_MAX = 4 * TABLE_MAX + 256 };

struct ct_label {
	struct nft_ctx *nft;
	unsigned bit;
	char table[TABLE_MAX];
};

/* "add" first, so that what is there already is no error, nor deleting what is not. */
static int make_table(struct ct_label *l)
{
	char text[COMMANDS_MAX];

	(void)snprintf(text, sizeof(text),
		       "add table inet %s\n"
		       "add chain inet %s ours\n"
		       "flush chain inet %s ours\n"
		       "add rule inet %s ours ct label set %u\n",
		       l->table, l->table, l->table, l->table, l->bit);
	return nft_run_cmd_from_buffer(l->nft, text) == 0 ? 0 : -EOPNOTSUPP;
}

static void remove_table(struct ct_label *l)
{
	char text[COMMANDS_MAX];

	(void)snprintf(text, sizeof(text), "add table inet %s\ndelete table inet %s\n", l->table,
		       l->table);
	(void)nft_run_cmd_from_buffer(l->nft, text);
}

static void say_why(const struct ct_label *l, char *why)
{
	const char *text = nft_ctx_get_error_buffer(l->nft);
	const size_t n = text != NULL ? strcspn(text, "\n") : 0;

	(void)snprintf(why, CT_LABEL_WHY_MAX, "%.*s", n < CT_LABEL_WHY_MAX ? (int)n : 0, text);
}

int ct_label_open(const char *node, unsigned bit, struct ct_label **out, char *why)
{
	struct ct_label *l = calloc(1, sizeof(*l));
	int err;

	why[0] = '\0';
	if (l == NULL)
		return -ENOMEM;
	(void)snprintf(l->table, sizeof(l->table), "syncd_label_%s", node);
	l->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (l->nft == NULL) {
		free(l);
		return -ENOMEM;
	}
	(void)nft_ctx_buffer_error(l->nft);
	(void)nft_ctx_buffer_output(l->nft);
	l->bit = bit;
	err = make_table(l);
	if (err) {
		say_why(l, why);
		nft_ctx_free(l->nft);
		free(l);
		return err;
	}
	*out = l;
	return 0;
}

int ct_label_keep(struct ct_label *l)
{
	char text[COMMANDS_MAX];
	int err;

	(void)snprintf(text, sizeof(text), "list chain inet %s ours\n", l->table);
	if (nft_run_cmd_from_buffer(l->nft, text) == 0)
		return 0;
	err = make_table(l);
	return err ? err : 1;
}

void ct_label_close(struct ct_label *l)
{
	if (l == NULL)
		return;
	remove_table(l);
	nft_ctx_free(l->nft);
	free(l);
}
