/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key files: a first line that says what it is, then one `name value` a line; empty lines and lines
 * from a # on are comments. Every buffer that held a secret is wiped before it is given up.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/key_file.h"

static const char first_line[] = "syncd-key 1";

enum {
	SECRET_LEN = 32,
	BASE64_LEN = sodium_base64_ENCODED_LEN(SECRET_LEN, sodium_base64_VARIANT_ORIGINAL),
};
static_assert(sizeof(((struct group_key *)0)->secret) == SECRET_LEN, "secret");
static_assert(sizeof(((struct group_key *)0)->cluster_secret) == SECRET_LEN, "cluster secret");

enum { HAS_FIRST = 1, HAS_ID = 2, HAS_SECRET = 4, HAS_CLUSTER = 8, HAS_ALL = 15 };

struct slice {
	const char *p;
	size_t len;
};

static bool slice_is(struct slice s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.p, word, s.len);
}

/* Takes the next line off the text, without its newline and the blanks at its end. */
static struct slice take_line(struct slice *text)
{
	const char *nl = memchr(text->p, '\n', text->len);
	size_t len = nl ? (size_t)(nl - text->p) : text->len;
	struct slice line = {text->p, len};

	text->p += nl ? len + 1 : len;
	text->len -= nl ? len + 1 : len;
	while (line.len && strchr(" \t\r", line.p[line.len - 1]) && line.p[line.len - 1])
		line.len--;
	return line;
}

/* Splits "name value" at its blanks. */
static bool split(struct slice line, struct slice *name, struct slice *value)
{
	const char *blank = memchr(line.p, ' ', line.len);

	if (!blank)
		return false;
	*name = (struct slice){line.p, (size_t)(blank - line.p)};
	while (blank < line.p + line.len && *blank == ' ')
		blank++;
	*value = (struct slice){blank, (size_t)(line.p + line.len - blank)};
	return value->len > 0;
}

static bool parse_id(struct slice s, uint16_t *out)
{
	uint32_t v = 0;

	if (s.len > 5)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*out = (uint16_t)v;
	return v >= 1 && v <= UINT16_MAX;
}

static bool parse_secret(struct slice s, uint8_t out[SECRET_LEN])
{
	const char *end;
	size_t len;

	return !sodium_base642bin(out, SECRET_LEN, s.p, s.len, NULL, &len, &end,
				  sodium_base64_VARIANT_ORIGINAL) &&
	       len == SECRET_LEN && end == s.p + s.len;
}

/* Returns which line it was, or 0 where it is none. */
static unsigned parse_line(struct slice line, struct group_key *k)
{
	struct slice name, value;

	if (slice_is(line, first_line))
		return HAS_FIRST;
	if (!split(line, &name, &value))
		return 0;
	if (slice_is(name, "id"))
		return parse_id(value, &k->id) ? HAS_ID : 0;
	if (slice_is(name, "secret"))
		return parse_secret(value, k->secret) ? HAS_SECRET : 0;
	if (slice_is(name, "cluster"))
		return parse_secret(value, k->cluster_secret) ? HAS_CLUSTER : 0;
	return 0;
}

int key_file_parse(const char *text, size_t len, struct group_key *out)
{
	struct slice rest = {text, len};
	struct group_key k = {0};
	unsigned has = 0;
	int ret = -EBADMSG;

	while (rest.len) {
		struct slice line = take_line(&rest);
		unsigned what;

		if (!line.len || line.p[0] == '#')
			continue;
		what = parse_line(line, &k);
		if (!what || has & what || (!has && what != HAS_FIRST))
			goto out;
		has |= what;
	}
	if (has != HAS_ALL)
		goto out;
	*out = k;
	ret = 0;
out:
	sodium_memzero(&k, sizeof(k));
	return ret;
}

size_t key_file_format(const struct group_key *k, char *buf)
{
	char secret[BASE64_LEN], cluster[BASE64_LEN];
	int n;

	sodium_bin2base64(secret, sizeof(secret), k->secret, SECRET_LEN,
			  sodium_base64_VARIANT_ORIGINAL);
	sodium_bin2base64(cluster, sizeof(cluster), k->cluster_secret, SECRET_LEN,
			  sodium_base64_VARIANT_ORIGINAL);
	n = snprintf(
		buf, KEY_FILE_MAX,
		"%s\n"
		"# Whoever can read this can read, forge and delete synchronised connections.\n"
		"id %" PRIu16 "\n"
		"secret %s\n"
		"# alike in all keys of a cluster:\n"
		"cluster %s\n",
		first_line, k->id, secret, cluster);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(cluster, sizeof(cluster));
	assert(n > 0 && n < KEY_FILE_MAX);
	return (size_t)n;
}

/* Reads to the end, or fills cap. Returns the length or -errno. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int key_file_read(const char *path, struct group_key *out)
{
	char text[KEY_FILE_MAX];
	struct stat st;
	ssize_t len;
	int ret;
	/* O_NONBLOCK: a FIFO in its place must not hang the daemon. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		ret = -errno;
		goto out;
	}
	ret = -EBADMSG;
	if (!S_ISREG(st.st_mode) || st.st_size >= KEY_FILE_MAX)
		goto out;
	ret = -EACCES;
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		goto out;
	len = read_all(fd, text, sizeof(text));
	ret = len < 0 ? (int)len : key_file_parse(text, (size_t)len, out);
	sodium_memzero(text, sizeof(text));
out:
	(void)close(fd);
	return ret;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int key_file_write(const char *path, const struct group_key *k)
{
	char text[KEY_FILE_MAX];
	size_t len;
	int ret;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	len = key_file_format(k, text);
	ret = write_all(fd, text, len);
	sodium_memzero(text, sizeof(text));
	if (!ret && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	if (ret)
		(void)unlink(path);
	return ret;
}

void group_key_generate(struct group_key *out, uint16_t id, const struct group_key *like)
{
	out->id = id;
	randombytes_buf(out->secret, sizeof(out->secret));
	if (like)
		memcpy(out->cluster_secret, like->cluster_secret, sizeof(out->cluster_secret));
	else
		randombytes_buf(out->cluster_secret, sizeof(out->cluster_secret));
}
