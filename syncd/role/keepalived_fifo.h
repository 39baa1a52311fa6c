/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keepalived's vrrp_notify_fifo (keepalived.conf(5)): lines such as
 *   INSTANCE "VI_1" MASTER 100
 *   GROUP "VG_1" BACKUP 0
 * Who maps names to groups and states to roles is the caller.
 */
#ifndef SYNCD_ROLE_KEEPALIVED_FIFO_H
#define SYNCD_ROLE_KEEPALIVED_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vrrp_state { VRRP_MASTER, VRRP_BACKUP, VRRP_FAULT, VRRP_STOP, VRRP_DELETED };
enum { VRRP_NAME_MAX = 64 };

struct vrrp_event {
	bool sync_group; /* GROUP, otherwise INSTANCE */
	char name[VRRP_NAME_MAX];
	enum vrrp_state state;
	unsigned priority;
};

/*
 * Reads one line (len bytes without its newline). Returns 1 with *out; 0 where the line says
 * nothing of interest here (MASTER_RX_LOWER_PRI, VIRTUAL_SERVER, ...); -EBADMSG.
 */
int vrrp_parse(const char *line, size_t len, struct vrrp_event *out);

struct keepalived_fifo;

/*
 * Opens the fifo, and makes it (0600) where it is not: keepalived uses, and does not remove, one
 * that is there. Returns 0; -EINVAL where the path is not a fifo; other -errno.
 */
int keepalived_fifo_open(const char *path, struct keepalived_fifo **out);
void keepalived_fifo_free(struct keepalived_fifo *f);
int keepalived_fifo_fd(const struct keepalived_fifo *f);

/* Reads what is there and calls on_event for each line. Returns the number of bad lines, or -errno.
 */
int keepalived_fifo_on_readable(struct keepalived_fifo *f,
				void (*on_event)(void *ctx, const struct vrrp_event *ev),
				void *ctx);

/*
 * Somebody replaced the fifo (a keepalived that made its own): opens the new one. Call it about
 * once a second. Returns 1 where the descriptor has changed, 0, or -errno.
 */
int keepalived_fifo_check(struct keepalived_fifo *f);

#endif
