/* watch: see watch.h. */
#include "kpatch/tests/watch.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kpatch/tests/site.h"

#define QUIET_MS  300
#define LOOKS	  400 /* two minutes: a timer that meets its connection in use tries again in one */
#define SETTLE_US 10000
#define TEXT_MAX  512
#define CLEAR_MAX 16

static const char *verb_of(uint8_t cmd)
{
	if (cmd == IPVS_CMD_NEW_CONN)
		return "new";
	return cmd == IPVS_CMD_SET_CONN ? "set" : "del";
}

static bool is_data(const struct conn *conn)
{
	return conn->control && !(conn->control->flags & IP_VS_CONN_F_TEMPLATE);
}

static void trace(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct watch *w = arg;
	size_t used = strlen(w->trace);

	(void)portid;
	snprintf(w->trace + used, sizeof(w->trace) - used, "%s%s%s%s%s %u", used ? ", " : "",
		 conn->flags & IP_VS_CONN_F_NO_CPORT ? "portless " : "",
		 conn->flags & IP_VS_CONN_F_TEMPLATE ? "template " : "",
		 is_data(conn) ? "data " : "", verb_of(cmd), conn->state);
	if (conn->control)
		w->control_seen = true;
	w->last = *conn;
	w->last.control = NULL;
	w->last.given &= ~CONN_BIT(IPVS_CONN_ATTR_CONTROL);
	if (is_data(conn))
		w->last_data = w->last;
}

/* Adds what has come to `trace`, until nothing more does. */
static bool look(struct watch *w)
{
	return client_events(w->listener, QUIET_MS, trace, w) >= 0;
}

void watch_forget(struct watch *w)
{
	look(w);
	w->trace[0] = '\0';
	w->control_seen = false;
}

static bool heard(const struct watch *w, const char *event)
{
	size_t len = strlen(event);

	for (const char *at = w->trace; (at = strstr(at, event)); at += len)
		if (at[len] == '\0' || at[len] == ',')
			return true;
	return false;
}

bool watch_await(struct watch *w, const char *event)
{
	for (int i = 0; i < LOOKS && look(w); i++)
		if (heard(w, event))
			return true;
	return false;
}

void watch_expect(struct watch *w, const char *expected, const char *what)
{
	/* what differs from the beginning of what is expected will not become it */
	for (int i = 0; i < LOOKS && look(w); i++)
		if (strncmp(expected, w->trace, strlen(w->trace)) != 0 ||
		    !strcmp(expected, w->trace))
			break;
	if (!strcmp(expected, w->trace))
		tap_ok(&w->tap, true, "%s: %s", what, expected);
	else
		tap_ok(&w->tap, false, "%s: expected \"%s\", got \"%s\"", what, expected, w->trace);
	w->trace[0] = '\0';
}

static void expire(struct watch *w, const struct conn *conn)
{
	struct conn set = *conn;

	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_EXPIRES);
	if (set.flags & IP_VS_CONN_F_TEMPLATE)
		set.given |= CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	set.expires_ms = 1;
	client_request(w->client, IPVS_CMD_SET_CONN, &set);
}

void watch_expire(struct watch *w, const struct conn *conn, const char *expected)
{
	expire(w, conn);
	watch_expect(w, expected, "expiry");
}

void watch_finish(struct watch *w, const struct conn *conn, const char *closed, const char *expired)
{
	bool good = watch_await(w, closed);
	struct conn key = *conn; /* that of the last event, or one that stays as it is */

	expire(w, &key);
	good = watch_await(w, expired) && good;
	tap_ok(&w->tap, good, "closed and expired: %s, %s in \"%s\"", closed, expired, w->trace);
	w->trace[0] = '\0';
}

struct harvest {
	struct conn conns[CLEAR_MAX];
	int n;
};

static void gather(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct harvest *harvest = arg;

	(void)cmd;
	(void)portid;
	if (harvest->n == CLEAR_MAX)
		return;
	harvest->conns[harvest->n] = *conn;
	harvest->conns[harvest->n++].given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
}

void watch_clear(struct watch *w)
{
	struct harvest harvest;
	int left = -1;

	/* one that controls others goes after them */
	for (int i = 0; i < LOOKS && left; i++) {
		harvest.n = 0;
		left = client_dump(w->client, NULL, gather, &harvest);
		for (int k = 0; k < harvest.n; k++)
			client_delete(w->client, &harvest.conns[k]);
	}
	watch_forget(w);
	tap_u32(&w->tap, 0, (unsigned int)left, "connections left");
}

bool watch_connect(struct watch *w, int family, int protocol, uint16_t cport, uint16_t port,
		   struct pair *pair)
{
	int listener = site_socket(SITE_AT_SERVER, family, SOCK_STREAM, protocol, port);
	int err;

	pair->client = site_socket(SITE_AT_CLIENT, family, SOCK_STREAM, protocol, cport);
	if (listener < 0 || pair->client < 0 || listen(listener, 8))
		return tap_ok(&w->tap, false, "sockets: %d, %d", listener, pair->client);
	err = site_connect(pair->client, family == AF_INET6 ? SITE_SERVICE6 : SITE_SERVICE, port);
	pair->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return tap_ok(&w->tap, !err && pair->server >= 0, "connect: %s", strerror(-err));
}

void watch_reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

void watch_settle(struct watch *w, const struct pair *pair)
{
	int owed[2] = {1, 1};

	for (int i = 0; i < LOOKS * QUIET_MS * 1000 / SETTLE_US && (owed[0] || owed[1]); i++) {
		usleep(i ? SETTLE_US : 0);
		if (ioctl(pair->client, SIOCOUTQ, &owed[0]) ||
		    ioctl(pair->server, SIOCOUTQ, &owed[1]))
			break;
	}
	if (owed[0] || owed[1])
		tap_ok(&w->tap, false, "not acknowledged: %d, %d", owed[0], owed[1]);
}

void watch_send(struct watch *w, int from, int to, const char *text, const char *expected)
{
	char got[TEXT_MAX + 1] = {0};
	size_t len = strlen(expected), n = 0;
	ssize_t more = send(from, text, strlen(text), MSG_NOSIGNAL);

	while (more > 0 && n < len) {
		more = recv(to, got + n, TEXT_MAX - n, 0);
		n += more > 0 ? (size_t)more : 0;
	}
	tap_ok(&w->tap, !strcmp(got, expected), "\"%.*s\" arrives as \"%.*s\"",
	       (int)strcspn(text, "\r"), text, (int)strcspn(got, "\r"), got);
}

bool watch_open(struct watch *w, const char *rules)
{
	int err = site_open();

	if (!tap_ok(&w->tap, !err, "build the site: %s", strerror(-err)))
		return false;
	tap_ok(&w->tap, !site_rules(rules), "services");
	w->client = client_open();
	w->listener = client_open();
	return tap_ok(&w->tap,
		      w->client && w->listener &&
			      !client_join(w->listener, IPVS_CONN_GENL_MCGRP_NEW) &&
			      !client_join(w->listener, IPVS_CONN_GENL_MCGRP_SET) &&
			      !client_join(w->listener, IPVS_CONN_GENL_MCGRP_DEL),
		      "listen");
}

void watch_close(struct watch *w)
{
	site_rules("-C\n");
	client_close(w->listener);
	client_close(w->client);
}
