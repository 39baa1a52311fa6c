/*
 * bench_packets: what a packet and a connection through the director cost, in nanoseconds of the
 * clock; in a guest whose clock counts instructions (guest -i) these are instructions. Runs on the
 * stock ip_vs too. Arguments: "listen" to have a listener of all events, "count" to have packets
 * and bytes of connections counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/site.h"

#define PACKETS	    5000
#define CONNECTIONS 500
#define WARM	    100

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int forward(int client, int server, int n)
{
	char byte;

	for (int i = 0; i < n; i++)
		if (send(client, "x", 1, 0) != 1 || recv(server, &byte, 1, 0) != 1)
			return -errno;
	return 0;
}

static int bench_packets(void)
{
	int server = site_socket(SITE_AT_SERVER, AF_INET, SOCK_DGRAM, 0, 53);
	int client = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_DGRAM, 0, 0);
	int64_t start;
	int err = site_connect(client, SITE_SERVICE, 53);

	if (!err)
		err = forward(client, server, WARM);
	start = now_ns();
	if (!err)
		err = forward(client, server, PACKETS);
	printf("packet %lld\n", (long long)((now_ns() - start) / PACKETS));
	return err;
}

static int connections(int listener, int n)
{
	for (int i = 0; i < n; i++) {
		int client = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_STREAM, 0, 0), server;
		int err = site_connect(client, SITE_SERVICE, 80);

		server = accept(listener, NULL, NULL);
		if (err || server < 0)
			return err ? err : -errno;
		close(client);
		close(server);
	}
	return 0;
}

static int bench_connections(void)
{
	int listener = site_socket(SITE_AT_SERVER, AF_INET, SOCK_STREAM, 0, 80);
	int64_t start;
	int err = listen(listener, 16) ? -errno : connections(listener, WARM);

	start = now_ns();
	if (!err)
		err = connections(listener, CONNECTIONS);
	printf("connection %lld\n", (long long)((now_ns() - start) / CONNECTIONS));
	return err;
}

static struct client *open_listener(void)
{
	struct client *listener = client_open();

	if (listener && !client_join(listener, IPVS_CONN_GENL_MCGRP_NEW) &&
	    !client_join(listener, IPVS_CONN_GENL_MCGRP_SET) &&
	    !client_join(listener, IPVS_CONN_GENL_MCGRP_DEL))
		return listener;
	client_close(listener);
	return NULL;
}

int main(int argc, char **argv)
{
	struct client *listener = NULL;
	int err = site_open();
	char seed;

	/* Until its random numbers are seeded, they cost the kernel a quarter of a connection. */
	if (!err && getrandom(&seed, sizeof(seed), 0) < 0)
		err = -errno;
	if (!err)
		err = site_rules("-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.2 -m\n"
				 "-A -u 10.1.0.100:53 -s rr\n-a -u 10.1.0.100:53 -r 10.2.0.2 -m\n");
	for (int i = 1; !err && i < argc; i++) {
		if (!strcmp(argv[i], "count")) {
			err = client_set_counting("1");
		} else if (!strcmp(argv[i], "listen")) {
			listener = open_listener();
			err = listener ? 0 : -EINVAL;
		}
	}
	if (!err)
		err = bench_packets();
	if (!err)
		err = bench_connections();
	if (err)
		fprintf(stderr, "bench_packets: %s\n", strerror(-err));
	client_close(listener);
	return err ? 1 : 0;
}
