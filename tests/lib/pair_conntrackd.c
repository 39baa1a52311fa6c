// SPDX-License-Identifier: GPL-2.0-or-later
/* See pair_conntrackd.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair_conntrackd.h"
#include "tests/lib/tmpdir.h"

#define QUIET_US 1000000u

static void conntrackd_configure(struct pair *p, size_t i)
{
	char path[PAIR_PATH + 16], text[2048];

	(void)snprintf(path, sizeof(path), "%s/conntrackd.conf", p->node[i].dir);
	(void)snprintf(
		text, sizeof(text),
		"Sync {\n Mode FTFW {\n }\n Multicast {\n  IPv4_address 225.0.0.50\n"
		"  Group 3780\n  IPv4_interface 10.9.9.%zu\n  Interface s0\n"
		"  SndSocketBuffer 8388608\n  RcvSocketBuffer 8388608\n  Checksum on\n }\n}\n"
		"General {\n HashSize 65536\n HashLimit 1048576\n LogFile off\n"
		" LockFile %s/lock\n UNIX {\n  Path %s/ctl\n }\n"
		" NetlinkBufferSize 8388608\n NetlinkBufferSizeMaxGrowth 67108864\n"
		" Filter From Userspace {\n  Protocol Accept {\n   TCP\n  }\n }\n}\n",
		i + 1, p->node[i].dir, p->node[i].dir);
	tmpdir_write(path, text);
}

int pair_conntrackd_do(struct pair *p, size_t i, const char *options)
{
	int rc;

	pair_enter(p, i);
	rc = netns_sh("conntrackd -C %s/conntrackd.conf %s >/dev/null 2>&1", p->node[i].dir,
		      options);
	pair_leave(p);
	return rc;
}

void pair_conntrackd_start(struct pair *p)
{
	char conf[PAIR_PATH + 32];

	for (size_t i = 0; i < 2; i++) {
		conntrackd_configure(p, i);
		(void)snprintf(conf, sizeof(conf), "%s/conntrackd.conf", p->node[i].dir);
		p->node[i].pid = fork();
		if (p->node[i].pid == 0) {
			pair_enter(p, i);
			(void)!freopen("/dev/null", "w", stderr);
			(void)!freopen("/dev/null", "w", stdout);
			execlp("conntrackd", "conntrackd", "-C", conf, (char *)NULL);
			_exit(127);
		}
		for (int tries = 0; pair_conntrackd_do(p, i, "-s") != 0; tries++) {
			if (tries > 1000)
				abort();
			(void)usleep(5000);
		}
	}
	(void)pair_conntrackd_do(p, 1, "-n");
}

static size_t external(struct pair *p, size_t i)
{
	unsigned long n = 0;
	char command[PAIR_PATH + 160], line[256];
	FILE *f;

	pair_enter(p, i);
	(void)snprintf(command, sizeof(command),
		       "conntrackd -C %s/conntrackd.conf -s | awk '/^cache external/ {h = 1} h && "
		       "/current active/ {print $NF; exit}'",
		       p->node[i].dir);
	f = popen(command, "r");
	if (f && fgets(line, sizeof(line), f))
		n = strtoul(line, NULL, 10);
	if (f)
		(void)pclose(f);
	pair_leave(p);
	return n;
}

size_t pair_conntrackd_arrived(struct pair *p, size_t i, size_t flows, uint64_t *changed_us)
{
	size_t last = SIZE_MAX, now;

	for (;;) {
		now = external(p, i);
		if (now != last)
			*changed_us = netns_now_us();
		if (now >= flows || netns_now_us() - *changed_us > QUIET_US)
			return now;
		last = now;
		(void)usleep(2000);
	}
}
