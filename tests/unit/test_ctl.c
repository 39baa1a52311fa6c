// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: requests and answers, who may, and what bad clients cost. */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/ctl/ctl_client.h"
#include "syncd/ctl/ctl_server.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

static char dir[64], path[96];
static struct ctl_server *server;
static pthread_t thread;
static atomic_bool stop;
static char context[] = "context";

static int cmd_echo(void *ctx, const json_t *request, json_t *response)
{
	ck_assert_str_eq(ctx, "context");
	json_object_set(response, "said", json_object_get(request, "say"));
	return CTL_CODE_YES;
}

static int cmd_no(void *ctx, const json_t *request, json_t *response)
{
	(void)ctx;
	(void)request;
	json_object_set_new(response, "error", json_string("it is not"));
	return CTL_CODE_NO;
}

static int cmd_big(void *ctx, const json_t *request, json_t *response)
{
	json_t *list = json_array();

	(void)ctx;
	(void)request;
	for (int i = 0; i < 200000; i++)
		json_array_append_new(list, json_integer(i));
	json_object_set_new(response, "list", list);
	return CTL_CODE_YES;
}

static const struct ctl_command commands[] = {
	{"echo", cmd_echo}, {"no", cmd_no}, {"big", cmd_big}, {NULL, NULL}};

static void *serve(void *arg)
{
	struct pollfd p = {.fd = ctl_server_fd(server), .events = POLLIN};

	(void)arg;
	while (!atomic_load(&stop))
		if (poll(&p, 1, 20) > 0)
			ctl_server_on_readable(server);
	return NULL;
}

static void start(gid_t group)
{
	const struct ctl_server_config cfg = {
		.path = path, .group = group, .command = commands, .ctx = context};

	ck_assert_int_eq(ctl_server_new(&cfg, &server), 0);
	atomic_store(&stop, false);
	pthread_create(&thread, NULL, serve, NULL);
}

static void setup(void)
{
	tmpdir_make(dir);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/ctl", dir);
}

static void teardown(void)
{
	atomic_store(&stop, true);
	if (server != NULL)
		pthread_join(thread, NULL);
	ctl_server_free(server);
	ck_assert_int_ne(access(path, F_OK), 0);
	tmpdir_remove(dir);
}

/* Sends text as it is and returns what comes back until the peer has nothing more to say. */
static int ask_json(json_t *request, json_t **response)
{
	struct ctl_client *c = NULL;
	int rc = ctl_client_open(path, &c);

	if (rc == 0)
		rc = ctl_client_ask(c, request, 5000, response);
	ctl_client_close(c);
	json_decref(request);
	return rc;
}

static int raw_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

START_TEST(test_commands)
{
	json_t *r = NULL;

	start((gid_t)-1);
	ck_assert_int_eq(ask_json(json_pack("{ssss}", "command", "echo", "say", "häll\no"), &r), 0);
	ck_assert_str_eq(json_string_value(json_object_get(r, "said")), "häll\no");
	json_decref(r);
	ck_assert_int_eq(ask_json(json_pack("{ss}", "command", "no"), &r), 1);
	ck_assert_str_eq(json_string_value(json_object_get(r, "error")), "it is not");
	json_decref(r);
	ck_assert_int_eq(ask_json(json_pack("{ss}", "command", "dance"), &r), 2);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(r, "error")), "dance"));
	json_decref(r);
	ck_assert_int_eq(ask_json(json_pack("{ss}", "say", "x"), &r), 2);
	json_decref(r);
}
END_TEST

START_TEST(test_large_answer)
{
	json_t *r = NULL;

	start((gid_t)-1);
	ck_assert_int_eq(ask_json(json_pack("{ss}", "command", "big"), &r), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(r, "list")), 200000);
	json_decref(r);
}
END_TEST

/* Several requests in one write, cut anywhere; nonsense between them. */
START_TEST(test_pipelined)
{
	static const char text[] = "{\"command\":\"no\"}\nnot json\n[]\n{\"command\":\"no\"}\n";
	char got[4096];
	size_t n = 0;
	int fd, lines = 0;

	start((gid_t)-1);
	fd = raw_socket();
	ck_assert_int_eq(write(fd, text, 7), 7);
	ck_assert_int_eq(write(fd, text + 7, sizeof(text) - 8), (ssize_t)sizeof(text) - 8);
	while (lines < 4) {
		const ssize_t len = read(fd, got + n, sizeof(got) - 1 - n);

		ck_assert_int_gt(len, 0);
		for (ssize_t i = 0; i < len; i++)
			lines += got[n + (size_t)i] == '\n';
		n += (size_t)len;
	}
	got[n] = '\0';
	ck_assert_ptr_nonnull(strstr(got, "\"code\":2"));
	close(fd);
}
END_TEST

/* A client that sends without end, and one that never reads, are dropped or wait alone. */
START_TEST(test_bad_clients)
{
	char junk[4096];
	int flood, mute;
	ssize_t n = 1;
	json_t *r = NULL;

	start((gid_t)-1);
	mute = raw_socket();
	ck_assert_int_gt(write(mute, "{\"command\":\"big\"}\n", 18), 0);
	flood = raw_socket();
	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 1000 && n > 0; i++)
		n = send(flood, junk, sizeof(junk), MSG_NOSIGNAL);
	ck_assert_int_lt(n, 0);
	ck_assert_int_eq(ask_json(json_pack("{ss}", "command", "no"), &r), 1);
	json_decref(r);
	close(flood);
	close(mute);
}
END_TEST

START_TEST(test_too_many)
{
	int fd[CTL_CLIENTS_MAX + 8];
	char byte;
	json_t *r = NULL;

	start((gid_t)-1);
	for (int i = 0; i < CTL_CLIENTS_MAX + 8; i++)
		fd[i] = raw_socket();
	/* The surplus is closed; the rest is served again once somebody leaves. */
	ck_assert_int_eq(read(fd[CTL_CLIENTS_MAX + 7], &byte, 1), 0);
	for (int i = 0; i < CTL_CLIENTS_MAX + 8; i++)
		close(fd[i]);
	for (int i = 0; i < 500; i++) {
		const int rc = ask_json(json_pack("{ss}", "command", "no"), &r);

		if (rc == 1)
			break;
		ck_assert_int_eq(rc, -EPIPE);
	}
	ck_assert_ptr_nonnull(r);
	json_decref(r);
}
END_TEST

START_TEST(test_second_daemon)
{
	const struct ctl_server_config cfg = {
		.path = path, .group = (gid_t)-1, .command = commands};
	struct ctl_server *second = NULL;

	start((gid_t)-1);
	ck_assert_int_eq(ctl_server_new(&cfg, &second), -EADDRINUSE);
	ck_assert_ptr_null(second);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_stale_socket)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	strcpy(a.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	start((gid_t)-1);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* In a child with the given ids: the code of an answer, or 100 + errno of connecting. */
static int ask_as(uid_t uid, gid_t gid)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		json_t *r = NULL;
		int rc;

		if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
			_exit(99);
		rc = ask_json(json_pack("{ss}", "command", "no"), &r);
		_exit(rc < 0 ? 100 - rc : rc);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

START_TEST(test_who_may)
{
	if (geteuid() != 0)
		return; /* only root can be others */
	start(4242);
	ck_assert_int_eq(ask_as(65534, 4242), 1);
	ck_assert_int_eq(ask_as(65534, 65534), 100 + EACCES);
	/* Were the file's mode ever wider, the kernel's word on the peer still holds. */
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(ask_as(65534, 65534), 2);
	ck_assert_int_eq(ask_as(65534, 4242), 1);
}
END_TEST

START_TEST(test_nobody_there)
{
	struct ctl_client *c = NULL;

	ck_assert_int_eq(ctl_client_open(path, &c), -ENOENT);
	start((gid_t)-1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl");
	TCase *t = tcase_create("ctl");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_commands);
	tcase_add_test(t, test_large_answer);
	tcase_add_test(t, test_pipelined);
	tcase_add_test(t, test_bad_clients);
	tcase_add_test(t, test_too_many);
	tcase_add_test(t, test_second_daemon);
	tcase_add_test(t, test_stale_socket);
	tcase_add_test(t, test_who_may);
	tcase_add_test(t, test_nobody_there);
	suite_add_tcase(s, t);
	return suite_run(s);
}
