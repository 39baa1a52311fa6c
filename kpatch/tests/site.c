/* site: see site.h. */
#include "kpatch/tests/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 60

static const char *const node_names[] = {"kp-client", "kp-director", "kp-server"};

static const char batch[] =
	"netns add kp-client\n"
	"netns add kp-director\n"
	"netns add kp-server\n"
	"link add c0 netns kp-client type veth peer name c1 netns kp-director\n"
	"link add s0 netns kp-server type veth peer name s1 netns kp-director\n";

static const char *const node_batch[] = {
	"link set lo up\nlink set c0 up\naddr add 10.1.0.2/24 dev c0\n"
	"addr add fd01::2/64 dev c0 nodad\nroute add default via 10.1.0.1\n",
	"link set lo up\nlink set c1 up\nlink set s1 up\naddr add 10.1.0.1/24 dev c1\n"
	"addr add 10.1.0.100/32 dev c1\naddr add 10.2.0.1/24 dev s1\n"
	"addr add fd01::1/64 dev c1 nodad\naddr add fd01::100/128 dev c1 nodad\n"
	"addr add fd02::1/64 dev s1 nodad\n",
	"link set lo up\nlink set s0 up\naddr add 10.2.0.2/24 dev s0\n"
	"addr add 10.2.0.3/24 dev s0\naddr add fd02::2/64 dev s0 nodad\n"
	"route add default via 10.2.0.1\nroute add default via fd02::1\n",
};

static int feed(const char *command, const char *text)
{
	FILE *pipe = popen(command, "w");

	if (!pipe)
		return -1;
	fputs(text, pipe);
	return pclose(pipe) ? -1 : 0;
}

static int enter(enum site_node node)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/run/netns/%s", node_names[node]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	return err;
}

static int set_sysctl(const char *path, const char *value)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	fputs(value, file);
	return fclose(file) ? -errno : 0;
}

int site_open(void)
{
	char command[64];
	int err;

	if (feed("ip -batch -", batch))
		return -EINVAL;
	for (size_t i = 0; i < 3; i++) {
		snprintf(command, sizeof(command), "ip -n %s -batch -", node_names[i]);
		if (feed(command, node_batch[i]))
			return -EINVAL;
	}
	err = enter(SITE_AT_DIRECTOR);
	if (!err)
		err = set_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
	if (!err)
		err = set_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
	return err;
}

int site_rules(const char *rules)
{
	return feed("ipvsadm -R", rules);
}

int site_socket(enum site_node node, int family, int type, int protocol, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd, on = 1, err = enter(node);

	if (err)
		return err;
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	err = fd < 0 ? -errno : enter(SITE_AT_DIRECTOR);
	if (err)
		return err;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (family == AF_INET6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6))
			       : bind(fd, (struct sockaddr *)&v4, sizeof(v4))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int site_connect(int fd, const char *addr, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, addr, &v4.sin_addr) == 1)
		return connect(fd, (struct sockaddr *)&v4, sizeof(v4)) ? -errno : 0;
	if (inet_pton(AF_INET6, addr, &v6.sin6_addr) == 1)
		return connect(fd, (struct sockaddr *)&v6, sizeof(v6)) ? -errno : 0;
	return -EINVAL;
}
