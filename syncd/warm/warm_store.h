/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where tables are between two lives of a daemon: a sealed memfd in the service manager's
 * file-descriptor store (sd_notify(3), FDSTORE=1), or a file on tmpfs. Whichever it is, it is taken
 * away when it is opened: what a later life finds is of the stop just before it.
 */
#ifndef SYNCD_WARM_WARM_STORE_H
#define SYNCD_WARM_WARM_STORE_H

#include "syncd/warm/warm.h"

/* The descriptor's name in the store. */
#define WARM_FDNAME "syncd-tables"

/* This boot and network namespace. Returns 0 or -errno. */
int warm_place_here(struct warm_place *out);

/*
 * True where the service manager says that it keeps descriptors: $FDSTORE is a number above 0, as
 * systemd sets it from version 254 on (and syncd.service by itself), and there is a $NOTIFY_SOCKET.
 */
bool warm_store_has_manager(void);

struct warm_store;

/*
 * Begins to keep. With path NULL into a memfd for the manager, otherwise into path (0600, made
 * beside it as path.new). Returns 0 or -errno.
 */
int warm_store_begin(const char *path, struct warm_store **out);

/* A warm_write_fn; ctx is the store. */
int warm_store_write(void *ctx, const uint8_t *bytes, size_t len);

/*
 * Ends it and frees: the memfd is sealed and handed to the manager, waiting until it has it; the
 * file takes its place. Not kept: it is thrown away. Returns 0 or -errno.
 */
int warm_store_end(struct warm_store *s, bool keep);

struct warm_kept {
	struct warm_image image;
	bool from_manager;
};

/*
 * Opens what the life before kept, from the manager ($LISTEN_FDS) or else from path, and takes it
 * away there. Descriptors of other names are closed. Returns 0; -ENOENT where there is nothing;
 * -EPERM where it is not ours alone (owner, mode, seals); other -errno.
 */
int warm_store_open(const char *path, struct warm_kept *out);
void warm_store_close(struct warm_kept *k);

#endif
