/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's bytes: segment header, blocks, records (docs/journal-format.md). A segment is a
 * sequence of zstd frames, so `zstd -dc` unpacks it; header and block headers are skippable frames,
 * which make a time index that is read without unpacking. All integers are little-endian. Knows
 * bytes only: no files, no clock; syncd/journal/ writes them and replay/ reads them.
 */
#ifndef PROTO_JOURNAL_H
#define PROTO_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/control.h"
#include "proto/limits.h"

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_HEADER_LEN = 128,
	JOURNAL_BLOCK_LEN = 64,	     /* a block's header */
	JOURNAL_RECORD_LEN = 48 + 8, /* a record without its payload: head and checksum */
	JOURNAL_PAYLOAD_MAX = 16384, /* a datagram's payload and some text */
	JOURNAL_RECORD_MAX = JOURNAL_RECORD_LEN + JOURNAL_PAYLOAD_MAX,
	JOURNAL_BLOCK_AIM = 256 << 10, /* a block is closed once it holds so many bytes */
	JOURNAL_BLOCK_MAX = JOURNAL_BLOCK_AIM + JOURNAL_RECORD_MAX,
	JOURNAL_HASH_LEN = 32, /* SHA-256 */
};

#define JOURNAL_NAME_FORMAT "journal-%u-%010u.zst" /* node, segment */

enum journal_type {
	JOURNAL_SENT = 1, /* payload: Data */
	JOURNAL_APPLIED,  /* Data of another node, applied in order */
	JOURNAL_KEPT,	  /* Data with a range, of which nothing was removed: active not complete */
	JOURNAL_TAIL,	  /* a predecessor's late Data, applied to what had not changed since */
	JOURNAL_DROPPED,  /* text: why */
	JOURNAL_CONTROL,  /* Control that this node sent: a nak, a repair request, an offer */
	JOURNAL_STATE,	  /* journal_change: a transition */
	JOURNAL_TERM,	  /* journal_change: highest term seen, role */
	JOURNAL_KEYFRAME, /* journal_keyframe: all flows of a range of a group's table */
	JOURNAL_RESYNC,	  /* journal_note: table changed outside the stream, keyframe follows */
	JOURNAL_LOST,	  /* journal_lost: records that could not be kept */
	JOURNAL_SAMPLE,	  /* journal_sample: a group's figures */
	JOURNAL_START,	  /* journal_note: the daemon began; version */
	JOURNAL_END,	  /* journal_note: "rotated" or "stopped": last of a segment */
	JOURNAL_RECONCILE, /* journal_note */
	JOURNAL_KEY,	   /* journal_note: ids, never secrets */
	JOURNAL_CONFIG,	   /* journal_note */
	JOURNAL_ALARM,	   /* journal_note */
	JOURNAL_INSTALLED, /* the kernel has all of the node's stream up to the counter */
	JOURNAL_TYPES
};

enum journal_flag {
	JOURNAL_KEYFRAME_FIRST = 1, /* first slice of a group's keyframe */
	JOURNAL_KEYFRAME_LAST = 2,
};

/* "sent"; NULL past the last. */
const char *journal_type_name(unsigned type);

struct journal_header {
	uint16_t node;
	uint32_t segment; /* from 1, one series a directory and node */
	uint64_t session;
	uint64_t wall_us, mono_us; /* its beginning */
	uint32_t digest_key_id;
	uint8_t previous[JOURNAL_HASH_LEN]; /* of the whole segment before; zero: none */
	char name[NODE_NAME_MAX];
};

/* Writes JOURNAL_HEADER_LEN bytes. */
void journal_header_write(const struct journal_header *h, uint8_t *buf);

/* Returns 0, -EBADMSG (cut, not a journal, damaged), -EPROTONOSUPPORT (another version). */
int journal_header_read(const uint8_t *buf, size_t len, struct journal_header *out);

enum journal_method { JOURNAL_STORED = 0, JOURNAL_ZSTD = 1 };

struct journal_block {
	uint32_t stored, raw, records; /* bytes in the file, unpacked; how many records */
	uint8_t method;		       /* enum journal_method */
	uint64_t first_number;
	uint64_t first_us, last_us; /* wall clock of its first and last record */
	uint64_t hash;		    /* XXH3 of the stored bytes */
};

/* Writes JOURNAL_BLOCK_LEN bytes. */
void journal_block_write(const struct journal_block *b, uint8_t *buf);

/* Returns 0 or -EBADMSG: cut, no block's header, damaged, or over a limit. */
int journal_block_read(const uint8_t *buf, size_t len, struct journal_block *out);

/* Packs and unpacks blocks; keeps the compressor's memory. */
struct journal_packer;

struct journal_packer *journal_packer_new(void);
void journal_packer_free(struct journal_packer *p);

/* Bytes that journal_pack may write for so many raw ones. */
size_t journal_pack_bound(size_t raw);

/*
 * Packs b->raw bytes into out (journal_pack_bound bytes) by b->method, sets b->stored and b->hash.
 * Returns 0 or -EIO.
 */
int journal_pack(struct journal_packer *p, const uint8_t *raw, struct journal_block *b,
		 uint8_t *out);

/* Unpacks into raw (JOURNAL_BLOCK_MAX bytes). 0 or -EBADMSG: not what its header says. */
int journal_unpack(struct journal_packer *p, const struct journal_block *b, const uint8_t *stored,
		   uint8_t *raw);

struct journal_record {
	uint8_t type;	 /* enum journal_type */
	uint8_t flags;	 /* enum journal_flag */
	uint16_t node;	 /* whose stream; 0: of none */
	uint64_t number; /* from 1, without a gap in a session */
	uint64_t session, counter;
	uint64_t wall_us, mono_us;
	const uint8_t *payload; /* borrowed */
	size_t len;
};

/* Writes a record; len is at most JOURNAL_PAYLOAD_MAX. Returns its length in bytes. */
size_t journal_record_write(const struct journal_record *r, uint8_t *buf);

/*
 * Reads the record at the front of buf; payload borrows from it. Returns its length, or -EBADMSG:
 * cut, of impossible length, or another checksum. An unknown type is no error.
 */
int journal_record_read(const uint8_t *buf, size_t len, struct journal_record *out);

/* ---- payloads of the types that are not messages of the wire; text is printable ASCII ---- */

enum { JOURNAL_TEXT_MAX = 200, JOURNAL_PART_MAX = 64 + JOURNAL_TEXT_MAX };

struct journal_change {
	uint32_t group;
	uint8_t from, to; /* enum node_state; TERM: the role twice */
	struct term term;
	char text[JOURNAL_TEXT_MAX + 1];
};

struct journal_note {
	uint32_t group; /* 0: the node */
	char text[JOURNAL_TEXT_MAX + 1];
};

struct journal_lost {
	uint64_t records, bytes;
};

struct journal_sample {
	uint32_t group;
	uint8_t state;
	bool equal, ready, complete;
	uint64_t flows, kernel_queued, wire_queued, refused, lag_us, would_lose;
	uint64_t digest, naks_sent, retransmitted;
};

/* Each writes into buf (JOURNAL_PART_MAX bytes) and returns the length. */
size_t journal_change_write(const struct journal_change *c, uint8_t *buf);
size_t journal_note_write(const struct journal_note *n, uint8_t *buf);
size_t journal_lost_write(const struct journal_lost *l, uint8_t *buf);
size_t journal_sample_write(const struct journal_sample *s, uint8_t *buf);

/* Each returns 0 or -EBADMSG. */
int journal_change_read(const uint8_t *buf, size_t len, struct journal_change *out);
int journal_note_read(const uint8_t *buf, size_t len, struct journal_note *out);
int journal_lost_read(const uint8_t *buf, size_t len, struct journal_lost *out);
int journal_sample_read(const uint8_t *buf, size_t len, struct journal_sample *out);

/*
 * A keyframe's payload is 8 bytes, changes that waited for the wire, and a Data with a range and
 * the flows in it. Flows that wait are in it as they are, so digests compare again once so many
 * more changes were sent. The group's last slice has a check: digest and count of the whole table.
 */
enum { JOURNAL_KEYFRAME_LEN = 8 };
void journal_keyframe_write(uint64_t queued, uint8_t *buf);

/* Returns 0 with the Data in *data and *data_len, or -EBADMSG. */
int journal_keyframe_read(const uint8_t *buf, size_t len, uint64_t *queued, const uint8_t **data,
			  size_t *data_len);

#endif
