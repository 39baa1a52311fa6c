-- SPDX-License-Identifier: GPL-2.0-or-later
-- Wireshark dissector of syncd's datagrams (docs/protocol.md): the clear header, the seal, Data and
-- Control with all their fields. With the cluster's key files it checks tags and decrypts, in plain
-- Lua, since Wireshark lends Lua no cipher that knows Poly1305. README.md tells how to use it.
--
-- Lua 5.1 to 5.4 (Wireshark 3.x and later).

local bits = bit or bit32
local band, bor, bxor = bits.band, bits.bor, bits.bxor
local lshift, rshift, rol = bits.lshift, bits.rshift, bits.rol or bits.lrotate
local floor, byte, char = math.floor, string.byte, string.char
local unpack = table.unpack or unpack

local HEADER_LEN, TAG_LEN, MAGIC, VERSION = 24, 16, 0x5364, 1
local ZERO_TAG = char(0):rep(TAG_LEN)

-- ---- bytes and words ---------------------------------------------------------------------------

-- Bit operations of some Lua versions answer with signed numbers.
local function u32(x)
	return x % 4294967296
end

local function word_le(s, i)
	local a, b, c, d = byte(s, i, i + 3)

	return a + b * 256 + c * 65536 + d * 16777216
end

local function words_le(s)
	local w = {}

	for i = 1, #s, 4 do
		w[#w + 1] = word_le(s, i)
	end
	return w
end

local function word_bytes(w)
	return band(w, 255), band(rshift(w, 8), 255), band(rshift(w, 16), 255), rshift(w, 24)
end

local function zeroes_to(s, multiple)
	return s .. char(0):rep((multiple - #s % multiple) % multiple)
end

-- ---- BLAKE2b (RFC 7693), keyed, of one block, for the session's key ----------------------------

local BLAKE_IV = { -- low and high half of each word
	[0] = 0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372,
	0x5f1d36f1, 0xa54ff53a, 0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c,
	0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
}
local BLAKE_SIGMA = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
}
local BLAKE_LANES = { -- columns, then diagonals
	{ 0, 4, 8, 12 }, { 1, 5, 9, 13 }, { 2, 6, 10, 14 }, { 3, 7, 11, 15 },
	{ 0, 5, 10, 15 }, { 1, 6, 11, 12 }, { 2, 7, 8, 13 }, { 3, 4, 9, 14 },
}

-- v[a] += lo, hi; a word's halves lie at 2a and 2a + 1.
local function add64(v, a, lo, hi)
	local sum = v[2 * a] + lo

	v[2 * a] = u32(sum)
	v[2 * a + 1] = u32(v[2 * a + 1] + hi + (sum >= 4294967296 and 1 or 0))
end

-- v[a] = (v[a] ^ v[b]) >>> n
local function xor_rotate64(v, a, b, n)
	local lo = u32(bxor(v[2 * a], v[2 * b]))
	local hi = u32(bxor(v[2 * a + 1], v[2 * b + 1]))

	if n >= 32 then
		lo, hi, n = hi, lo, n - 32
	end
	if n > 0 then
		lo, hi = bor(rshift(lo, n), lshift(hi, 32 - n)), bor(rshift(hi, n), lshift(lo, 32 - n))
	end
	v[2 * a], v[2 * a + 1] = u32(lo), u32(hi)
end

local function blake_mix(v, lane, m, x, y)
	local a, b, c, d = unpack(lane)

	add64(v, a, v[2 * b], v[2 * b + 1])
	add64(v, a, m[2 * x + 1], m[2 * x + 2])
	xor_rotate64(v, d, a, 32)
	add64(v, c, v[2 * d], v[2 * d + 1])
	xor_rotate64(v, b, c, 24)
	add64(v, a, v[2 * b], v[2 * b + 1])
	add64(v, a, m[2 * y + 1], m[2 * y + 2])
	xor_rotate64(v, d, a, 16)
	add64(v, c, v[2 * d], v[2 * d + 1])
	xor_rotate64(v, b, c, 63)
end

local function blake_block(h, block, total, last)
	local v, m = {}, words_le(block)

	for i = 0, 15 do
		v[i], v[16 + i] = h[i], BLAKE_IV[i]
	end
	v[24] = u32(bxor(v[24], total))
	if last then
		v[28], v[29] = u32(bxor(v[28], 0xffffffff)), u32(bxor(v[29], 0xffffffff))
	end
	for round = 0, 11 do
		local s = BLAKE_SIGMA[round % 10 + 1]

		for i, lane in ipairs(BLAKE_LANES) do
			blake_mix(v, lane, m, s[2 * i - 1], s[2 * i])
		end
	end
	for i = 0, 15 do
		h[i] = u32(bxor(h[i], v[i], v[16 + i]))
	end
end

-- The 32 bytes of BLAKE2b-256 as words: key of 32 bytes, text of at most 128.
local function blake2b_words(key, text)
	local h = {}

	for i = 0, 15 do
		h[i] = BLAKE_IV[i]
	end
	h[0] = u32(bxor(h[0], 0x01010000 + #key * 256 + 32))
	blake_block(h, zeroes_to(key, 128), 128, false)
	blake_block(h, zeroes_to(text, 128), 128 + #text, true)
	return { h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7] }
end

-- ---- ChaCha20-Poly1305 (RFC 8439) --------------------------------------------------------------

local function quarter(x, a, b, c, d)
	local xa, xb, xc, xd = x[a], x[b], x[c], x[d]

	xa = u32(xa + xb)
	xd = rol(bxor(xd, xa), 16)
	xc = u32(xc + xd)
	xb = rol(bxor(xb, xc), 12)
	xa = u32(xa + xb)
	xd = rol(bxor(xd, xa), 8)
	xc = u32(xc + xd)
	xb = rol(bxor(xb, xc), 7)
	x[a], x[b], x[c], x[d] = xa, xb, xc, xd
end

-- 16 words of key stream.
local function chacha_block(key, nonce, count)
	local from = {
		0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[1], key[2], key[3], key[4],
		key[5], key[6], key[7], key[8], count, nonce[1], nonce[2], nonce[3],
	}
	local x = { unpack(from) }

	for _ = 1, 10 do
		quarter(x, 1, 5, 9, 13)
		quarter(x, 2, 6, 10, 14)
		quarter(x, 3, 7, 11, 15)
		quarter(x, 4, 8, 12, 16)
		quarter(x, 1, 6, 11, 16)
		quarter(x, 2, 7, 12, 13)
		quarter(x, 3, 8, 9, 14)
		quarter(x, 4, 5, 10, 15)
	end
	for i = 1, 16 do
		x[i] = u32(x[i] + from[i])
	end
	return x
end

local function chacha_xor(key, nonce, text)
	local out, padded = {}, zeroes_to(text, 64)

	for at = 1, #padded, 64 do
		local stream = chacha_block(key, nonce, (at - 1) / 64 + 1)

		for i = 1, 16 do
			out[#out + 1] = char(word_bytes(bxor(stream[i], word_le(padded, at + 4 * i - 4))))
		end
	end
	return table.concat(out):sub(1, #text)
end

-- 130-bit numbers are six limbs of 22 bits: a product of two, and a sum of six times twenty of
-- them, is exact in a double. 2^132 is 20 modulo 2^130 - 5.
local LIMB, LIMBS = 4194304, 6

local function limbs_of(w0, w1, w2, w3, top)
	return {
		w0 % LIMB,
		floor(w0 / LIMB) + w1 % 4096 * 1024,
		floor(w1 / 4096) + w2 % 4 * 1048576,
		floor(w2 / 4) % LIMB,
		floor(w2 / 16777216) + w3 % 16384 * 256,
		floor(w3 / 16384) + top * 262144,
	}
end

local function carry(h)
	for i = 1, LIMBS - 1 do
		h[i + 1] = h[i + 1] + floor(h[i] / LIMB)
		h[i] = h[i] % LIMB
	end
end

local function multiply(h, r)
	local x = {}

	for i = 1, LIMBS do
		local sum = 0

		for j = 1, LIMBS do
			sum = sum + h[j] * (j <= i and r[i - j + 1] or 20 * r[i - j + 1 + LIMBS])
		end
		x[i] = sum
	end
	for _ = 1, 2 do
		carry(x)
		x[1] = x[1] + 20 * floor(x[LIMBS] / LIMB)
		x[LIMBS] = x[LIMBS] % LIMB
	end
	return x
end

-- Modulo 2^130 - 5, in full.
local function reduce(h)
	local plus, high

	carry(h)
	for _ = 1, 2 do
		high = floor(h[LIMBS] / 1048576)
		h[LIMBS] = h[LIMBS] % 1048576
		h[1] = h[1] + 5 * high
		carry(h)
	end
	plus = { h[1] + 5, unpack(h, 2) }
	carry(plus)
	if plus[LIMBS] >= 1048576 then
		plus[LIMBS] = plus[LIMBS] - 1048576
		return plus
	end
	return h
end

local function poly1305(one_time, text)
	local r = limbs_of(band(one_time[1], 0x0fffffff), band(one_time[2], 0x0ffffffc),
		band(one_time[3], 0x0ffffffc), band(one_time[4], 0x0ffffffc), 0)
	local h, out, over = { 0, 0, 0, 0, 0, 0 }, {}, 0
	local w

	for at = 1, #text, 16 do
		local block = limbs_of(word_le(text, at), word_le(text, at + 4), word_le(text, at + 8),
			word_le(text, at + 12), 1)

		for i = 1, LIMBS do
			block[i] = block[i] + h[i]
		end
		h = multiply(block, r)
	end
	h = reduce(h)
	w = {
		h[1] + h[2] % 1024 * LIMB,
		floor(h[2] / 1024) + h[3] % 1048576 * 4096,
		floor(h[3] / 1048576) + h[4] * 4 + h[5] % 256 * 16777216,
		floor(h[5] / 256) + h[6] % 262144 * 16384,
	}
	for i = 1, 4 do
		over = over + w[i] + one_time[4 + i]
		out[i] = char(word_bytes(u32(over)))
		over = floor(over / 4294967296)
	end
	return table.concat(out)
end

local function length_le64(n)
	return char(n % 256, floor(n / 256) % 256, 0, 0, 0, 0, 0, 0)
end

-- Returns the payload, or nil where the tag is wrong.
local function open_sealed(key, header, sealed, tag)
	local nonce = words_le(char(0, 0, 0, byte(header, 4)) .. header:sub(17, 24))
	local text = zeroes_to(header, 16) .. zeroes_to(sealed, 16) .. length_le64(#header) ..
		length_le64(#sealed)

	if poly1305(chacha_block(key, nonce, 0), text) ~= tag then
		return nil
	end
	return chacha_xor(key, nonce, sealed)
end

-- ---- keys --------------------------------------------------------------------------------------

local function base64_decode(text)
	local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	local out, value, have = {}, 0, 0

	for c in text:gmatch("[%w%+/]") do
		value = value * 64 + alphabet:find(c, 1, true) - 1
		have = have + 6
		if have >= 8 then
			have = have - 8
			out[#out + 1] = char(floor(value / 2 ^ have))
			value = value % 2 ^ have
		end
	end
	return table.concat(out)
end

local secrets, session_keys, opened = {}, {}, {}
local key_trouble

-- A key file as `syncctl genkey` writes it.
local function load_key(path)
	local file, why = io.open(path, "r")
	local id, secret

	if not file then
		return why
	end
	if (file:read("*l") or ""):gsub("%s+$", "") ~= "syncd-key 1" then
		file:close()
		return path .. ": no key file of syncd"
	end
	for line in file:lines() do
		id = line:match("^id +(%d+)") or id
		secret = line:match("^secret +([%w%+/=]+)") or secret
	end
	file:close()
	secret = secret and base64_decode(secret)
	if not id or not secret or #secret ~= 32 then
		return path .. ": id or secret is missing"
	end
	secrets[tonumber(id)] = secret
end

local function load_keys(paths)
	secrets, session_keys, opened, key_trouble = {}, {}, {}, nil
	for path in paths:gmatch("[^,;]+") do
		key_trouble = load_key(path:gsub("^%s+", ""):gsub("%s+$", ""), nil) or key_trouble
	end
end

-- The key of the session that a header names, or nil.
local function session_key(header, key_id)
	local name = header:sub(5, 16)

	if not session_keys[name] and secrets[key_id] then
		session_keys[name] = blake2b_words(secrets[key_id],
			"syncd session v1" .. header:sub(7, 16))
	end
	return session_keys[name]
end

-- ---- the schema: proto/sync.proto --------------------------------------------------------------

local syncd = Proto("syncd", "Connection sync (syncd)")

local kinds = { [1] = "data", [2] = "control" }
local roles = { [0] = "idle", "standby", "active" }
local states = { [0] = "idle", "joining", "repairing", "standby", "degraded", "active" }
local whys = { [0] = "join", "check", "gap", "verify", "kernel" }
local flow_kinds = { [0] = "conntrack", "ipvs" }
local protocols = {
	[0] = "ip", [1] = "icmp", [6] = "tcp", [17] = "udp", [33] = "dccp", [47] = "gre", [50] = "esp",
	[51] = "ah", [58] = "icmpv6", [132] = "sctp", [136] = "udplite",
}
local tag_states = { [0] = "WRONG", "right", "zeroes: insecure", "not checked: no key" }

-- name, then for each field: number, name, type (a message, or how it is read; a varint), names.
local schema = {
	FlowKey = { { 1, "kind", "enum", flow_kinds }, { 2, "zone" }, { 3, "fwmark" },
		{ 4, "l4proto", "enum", protocols }, { 5, "src", "addr" }, { 6, "dst", "addr" },
		{ 7, "ports", "ports" }, { 8, "pe_data", "bytes" } },
	SeqAdj = { { 1, "correction_pos", "fixed32" }, { 2, "offset_before", "sint" },
		{ 3, "offset_after", "sint" } },
	SynProxy = { { 1, "isn", "fixed32" }, { 2, "its", "fixed32" }, { 3, "tsoff", "fixed32" } },
	Conntrack = { { 1, "reply_src", "addr" }, { 2, "reply_dst", "addr" },
		{ 3, "reply_sport", "port" }, { 4, "reply_dport", "port" }, { 5, "status", "hex" },
		{ 6, "state" }, { 7, "tcp_window", "hex" }, { 8, "mark" }, { 9, "labels", "bytes" },
		{ 10, "seqadj_orig", "SeqAdj" }, { 11, "seqadj_reply", "SeqAdj" },
		{ 12, "synproxy", "SynProxy" }, { 13, "helper", "text" }, { 14, "master", "FlowKey" },
		{ 15, "vtag_orig", "fixed32" }, { 16, "vtag_reply", "fixed32" }, { 17, "dccp_role" },
		{ 18, "dccp_handshake_seq", "fixed64" } },
	IpvsSeq = { { 1, "init_seq", "fixed32" }, { 2, "delta", "sint" },
		{ 3, "previous_delta", "sint" } },
	Ipvs = { { 1, "dest", "addr" }, { 2, "dport" }, { 3, "flags", "hex" }, { 4, "state" },
		{ 5, "fwmark" }, { 6, "in_seq", "IpvsSeq" }, { 7, "out_seq", "IpvsSeq" },
		{ 8, "pe_name", "text" }, { 9, "timeout_s" }, { 10, "control", "FlowKey" } },
	Flow = { { 1, "key", "FlowKey" }, { 2, "ct", "Conntrack" }, { 3, "ipvs", "Ipvs" } },
	Range = { { 1, "lo", "fixed64" }, { 2, "depth" } },
	Check = { { 1, "digest", "fixed64" }, { 2, "count" }, { 3, "complete", "bool" } },
	Digests = { { 1, "range", "Range" }, { 2, "count" }, { 3, "digest", "fixed64" } },
	Data = { { 1, "sent_us", "time" }, { 2, "group" }, { 3, "term" }, { 4, "put", "Flow" },
		{ 5, "del", "FlowKey" }, { 6, "range", "Range" }, { 7, "check", "Check" },
		{ 8, "digests", "Digests" }, { 9, "final", "bool" } },
	HelloGroup = { { 1, "id" }, { 2, "role", "enum", roles }, { 3, "state", "enum", states },
		{ 4, "term" }, { 5, "term_node" }, { 6, "position" }, { 7, "ready", "bool" },
		{ 8, "complete", "bool" }, { 9, "fingerprint", "fixed64" }, { 10, "flows" },
		{ 11, "final_counter" }, { 12, "split", "bool" }, { 13, "digest", "fixed64" } },
	Echo = { { 1, "node" }, { 2, "session", "fixed64" }, { 3, "control_counter" },
		{ 4, "held_us" }, { 5, "max_datagram" } },
	FingerprintItem = { { 1, "name", "text" }, { 2, "hash", "fixed64" } },
	Hello = { { 1, "sent_us", "time" }, { 2, "name", "text" }, { 3, "encoder" }, { 4, "page" },
		{ 5, "pages" }, { 6, "group", "HelloGroup" }, { 7, "last_data" }, { 8, "oldest_data" },
		{ 9, "key_id" }, { 10, "digest_key_id", "fixed32" }, { 11, "echo", "Echo" },
		{ 12, "item", "FingerprintItem" }, { 13, "address", "addr" }, { 14, "pad", "bytes" } },
	Status = { { 1, "node" }, { 2, "session", "fixed64" }, { 3, "applied" }, { 4, "installed" },
		{ 5, "window" } },
	CounterRange = { { 1, "first" }, { 2, "count" } },
	Nak = { { 1, "node" }, { 2, "session", "fixed64" }, { 3, "missing", "CounterRange" } },
	RepairRange = { { 1, "range", "Range" }, { 2, "flows", "bool" } },
	Repair = { { 1, "node" }, { 2, "session", "fixed64" }, { 3, "group" },
		{ 4, "why", "enum", whys }, { 5, "range", "RepairRange" } },
	Offer = { { 1, "node" }, { 2, "session", "fixed64" }, { 3, "group" }, { 4, "put", "Flow" } },
	Control = { { 1, "hello", "Hello" }, { 2, "status", "Status" }, { 3, "nak", "Nak" },
		{ 4, "repair", "Repair" }, { 5, "offer", "Offer" } },
}

local header_fields = {
	magic = ProtoField.uint16("syncd.magic", "Magic", base.HEX),
	version = ProtoField.uint8("syncd.version", "Version"),
	kind = ProtoField.uint8("syncd.kind", "Kind", base.DEC, kinds),
	key_id = ProtoField.uint16("syncd.key_id", "Key id"),
	node = ProtoField.uint16("syncd.node", "Node"),
	session = ProtoField.uint64("syncd.session", "Session", base.HEX),
	counter = ProtoField.uint64("syncd.counter", "Counter"),
	payload = ProtoField.bytes("syncd.payload", "Payload"),
	tag = ProtoField.bytes("syncd.tag", "Tag"),
	tag_state = ProtoField.uint8("syncd.tag.state", "Tag is", base.DEC, tag_states),
	unknown = ProtoField.bytes("syncd.unknown", "Unknown field"),
}

local expert_tag = ProtoExpert.new("syncd.tag.wrong", "The tag is wrong", expert.group.CHECKSUM,
	expert.severity.ERROR)
local expert_key = ProtoExpert.new("syncd.tag.no_key", "No key with this id has been given",
	expert.group.DECRYPTION, expert.severity.NOTE)
local expert_malformed = ProtoExpert.new("syncd.malformed.payload", "Malformed payload",
	expert.group.MALFORMED, expert.severity.ERROR)
syncd.experts = { expert_tag, expert_key, expert_malformed }

local field_makers = {
	text = ProtoField.string, bytes = ProtoField.bytes, bool = ProtoField.bool,
	sint = ProtoField.int32, addr = ProtoField.ipv4,
}

local function make_field(abbr, name, kind, names)
	if schema[kind] then
		return ProtoField.none(abbr, name)
	elseif field_makers[kind] then
		return field_makers[kind](abbr, name)
	elseif kind == "enum" then
		return ProtoField.uint32(abbr, name, base.DEC, names)
	elseif kind == "time" then
		return ProtoField.absolute_time(abbr, name, base.UTC)
	elseif kind == "fixed64" then
		return ProtoField.uint64(abbr, name, base.HEX)
	elseif kind == "hex" then
		return ProtoField.uint32(abbr, name, base.HEX)
	end
	return ProtoField.uint64(abbr, name, base.DEC)
end

-- schema[message].by[number] = { name, kind, field, field6 }
do
	local all = {}

	for _, field in pairs(header_fields) do
		all[#all + 1] = field
	end
	for message, fields in pairs(schema) do
		fields.by = {}
		for i, f in ipairs(fields) do
			local abbr = "syncd." .. message:lower() .. "." .. f[2]
			local entry = { name = f[2], kind = f[3] or "uint",
				field = make_field(abbr, f[2], f[3], f[4]) }

			all[#all + 1] = entry.field
			if f[3] == "addr" then
				entry.field6 = ProtoField.ipv6(abbr .. "6", f[2])
				all[#all + 1] = entry.field6
			end
			fields.by[f[1]] = entry
			fields[i] = nil
		end
	end
	syncd.fields = all
end

-- ---- Protocol Buffers --------------------------------------------------------------------------

-- A cursor over bytes first .. last (from 1) of s, which is all of tvb.
local function take(c, n)
	local at = c.at

	if at + n - 1 > c.last then
		error("a field ends beyond its message", 0)
	end
	c.at = at + n
	return at
end

-- Low and high half of a varint.
local function take_varint(c)
	local lo, hi = 0, 0

	for i = 0, 9 do
		local b = byte(c.s, take(c, 1))
		local v = b % 128

		if i < 4 then
			lo = lo + v * 128 ^ i
		elseif i == 4 then
			lo, hi = lo + v % 16 * 268435456, floor(v / 16)
		else
			hi = hi + v * 2 ^ (3 + 7 * (i - 5))
		end
		if b < 128 then
			return lo, u32(hi)
		end
	end
	error("a varint is too long", 0)
end

local function uint64(lo, hi)
	return UInt64.new(lo, hi)
end

local function zigzag(lo)
	return lo % 2 == 0 and lo / 2 or -(lo + 1) / 2
end

local function add_address(tree, f, range)
	if range:len() == 16 then
		tree:add(f.field6, range)
		return "[" .. tostring(range:ipv6()) .. "]"
	elseif range:len() == 4 then
		tree:add(f.field, range)
		return tostring(range:ipv4())
	end
	error("an address of " .. range:len() .. " bytes", 0)
end

local function add_time(tree, f, range, lo, hi)
	local us = hi * 4294967296 + lo

	tree:add(f.field, range, NSTime.new(floor(us / 1000000), us % 1000000 * 1000))
	return us
end

-- One number, however it was encoded. Returns what summaries may need.
local function add_number(tree, f, range, lo, hi)
	local value = hi * 4294967296 + lo

	if f.kind == "enum" or f.kind == "hex" then
		tree:add(f.field, range, lo)
	elseif f.kind == "bool" then
		tree:add(f.field, range, value ~= 0)
		return value ~= 0
	elseif f.kind == "sint" then
		tree:add(f.field, range, zigzag(lo))
	elseif f.kind == "time" then
		return add_time(tree, f, range, lo, hi)
	elseif f.kind == "port" then
		tree:add(f.field, range, uint64(lo, hi)):append_text(" (port " .. value - 1 .. ")")
	elseif f.kind == "ports" then
		tree:add(f.field, range, uint64(lo, hi)):append_text(
			(" (%d > %d)"):format(floor(lo / 65536), lo % 65536))
	else
		tree:add(f.field, range, uint64(lo, hi))
	end
	return value
end

local decode

local function add_slice(tree, c, f, at, n)
	local range = c.tvb(at - 1, n)

	if schema[f.kind] then
		local sub = tree:add(f.field, range)

		sub:set_text(f.name)
		return decode(sub, c.tvb, c.s, at, at + n - 1, f.kind)
	elseif f.kind == "addr" then
		return add_address(tree, f, range)
	elseif f.kind == "text" then
		tree:add(f.field, range)
		return c.s:sub(at, at + n - 1)
	end
	tree:add(f.field, range)
	return n
end

local function is_slice(f)
	return schema[f.kind] or f.kind == "addr" or f.kind == "text" or f.kind == "bytes"
end

-- A number of this wire type at the cursor: low and high half, and where it begins.
local function take_number(c, wire)
	local at = c.at

	if wire == 0 then
		local lo, hi = take_varint(c)

		return lo, hi, at
	elseif wire == 5 then
		return word_le(c.s, take(c, 4)), 0, at
	elseif wire == 1 then
		take(c, 8)
		return word_le(c.s, at), word_le(c.s, at + 4), at
	end
	error("wire type " .. wire, 0)
end

local function packed_wire(f)
	return (f.kind == "fixed64" or f.kind == "time") and 1 or
		(f.kind == "fixed32" or f.kind == "ports") and 5 or 0
end

local function note(found, name, value)
	local n = "n_" .. name

	found[n] = (found[n] or 0) + 1
	found[name] = value
end

local function decode_field(tree, c, f, wire, found)
	local lo, hi, at

	if wire ~= 2 then
		if is_slice(f) then
			error(f.name .. ": wire type " .. wire, 0)
		end
		lo, hi, at = take_number(c, wire)
		note(found, f.name, add_number(tree, f, c.tvb(at - 1, c.at - at), lo, hi))
		return
	end
	local n = take_varint(c)

	at = take(c, n)
	if is_slice(f) then
		note(found, f.name, add_slice(tree, c, f, at, n))
		return
	end
	local inner = { s = c.s, tvb = c.tvb, at = at, last = at + n - 1 }

	while inner.at <= inner.last do
		lo, hi, at = take_number(inner, packed_wire(f))
		note(found, f.name, add_number(tree, f, c.tvb(at - 1, inner.at - at), lo, hi))
	end
end

-- What a message says in a line, from what was found in it.
local summary = {}

-- Bytes first .. last as a message. Returns what it holds, by name, and how often as n_name.
function decode(tree, tvb, s, first, last, message)
	local c, found = { s = s, tvb = tvb, at = first, last = last }, {}

	while c.at <= c.last do
		local start = c.at
		local tag = take_varint(c)
		local f, wire = schema[message].by[floor(tag / 8)], tag % 8

		if f then
			decode_field(tree, c, f, wire, found)
		else
			local n = wire == 2 and take_varint(c)

			if n then
				take(c, n)
			else
				take_number(c, wire)
			end
			tree:add(header_fields.unknown, tvb(start - 1, c.at - start))
		end
	end
	if summary[message] then
		found.line = summary[message](found)
		tree:append_text(": " .. found.line)
	end
	return found
end

-- ---- summaries ---------------------------------------------------------------------------------

local tcp_states = {
	"SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
	"CLOSE", "SYN_SENT2",
}

local function session_text(tree_found)
	return "of node " .. (tree_found.node or 0)
end

-- As proto/flow_text.c writes it.
function summary.FlowKey(k)
	local proto, ports = k.l4proto or 0, k.ports or 0
	local icmp = proto == 1 or proto == 58
	local name = (k.kind == 1 and "ipvs " or "") .. (protocols[proto] or "proto " .. proto)
	local src, dst = k.src or "?", k.dst or "?"

	if icmp then
		return ("%s %s>%s type %d code %d id %d"):format(name, src:gsub("[%[%]]", ""),
			dst:gsub("[%[%]]", ""), floor(ports / 256) % 256, ports % 256, floor(ports / 65536))
	end
	return ("%s %s:%d>%s:%d"):format(name, src, floor(ports / 65536), dst, ports % 65536)
end

local function conntrack_text(k, ct)
	local ports, text = k.ports or 0, ""

	if ct.reply_src or ct.reply_sport then
		text = text .. (" => %s:%d"):format(ct.reply_src or k.dst or "?",
			(ct.reply_sport or ports % 65536 + 1) - 1)
	end
	if ct.reply_dst or ct.reply_dport then
		text = text .. (" <= %s:%d"):format(ct.reply_dst or k.src or "?",
			(ct.reply_dport or floor(ports / 65536) + 1) - 1)
	end
	if ct.state then
		text = text .. " " .. (k.l4proto == 6 and tcp_states[ct.state] or "state " .. ct.state)
	end
	return text
end

function summary.Flow(f)
	local text = f.key and f.key.line or "?"

	if f.ct then
		text = text .. conntrack_text(f.key or {}, f.ct)
	elseif f.ipvs then
		text = text .. (" => %s:%d"):format(f.ipvs.dest or "?", f.ipvs.dport or 0)
	end
	return text
end

function summary.Range(r)
	return r.depth and ("depth %d"):format(r.depth) or "everything"
end

function summary.Check(k)
	return ("%d flows%s"):format(k.count or 0, k.complete and ", complete" or "")
end

function summary.Data(d)
	local text = { "group " .. (d.group or 0), "term " .. (d.term or 0) }
	local function also(count, what)
		if count then
			text[#text + 1] = what:format(count)
		end
	end

	also(d.range and 1, "range-complete")
	also(d.n_put, "%d put")
	also(d.n_del, "%d del")
	also(d.check and d.check.count or d.check and 0, "check of %d")
	also(d.n_digests, "%d digests")
	also(d.final and 1, "final")
	return table.concat(text, ", ")
end

function summary.HelloGroup(g)
	return ("%d %s, %s, term %d of node %d%s"):format(g.id or 0, roles[g.role or 0] or "?",
		states[g.state or 0] or "?", g.term or 0, g.term_node or 0, g.ready and ", ready" or "")
end

function summary.Echo(e)
	return ("node %d, control counter %d, %d us ago"):format(e.node or 0, e.control_counter or 0,
		e.held_us or 0)
end

function summary.Hello(h)
	return ("%s, %d groups, %d echoes, last data %d"):format(h.name or "?", h.n_group or 0,
		h.n_echo or 0, h.last_data or 0)
end

function summary.Status(s)
	return ("%s: applied %d, installed %d, window %d"):format(session_text(s), s.applied or 0,
		s.installed or 0, s.window or 0)
end

function summary.CounterRange(r)
	return ("%d from %d"):format(r.count or 0, r.first or 0)
end

function summary.Nak(n)
	return ("%s: %d ranges missing, %s"):format(session_text(n), n.n_missing or 0,
		n.missing and n.missing.line or "none")
end

function summary.Repair(r)
	return ("%s: group %d, %s, %s"):format(session_text(r), r.group or 0, whys[r.why or 0] or "?",
		r.n_range and r.n_range .. " ranges" or "a check")
end

function summary.Offer(o)
	return ("%s: group %d, %d flows"):format(session_text(o), o.group or 0, o.n_put or 0)
end

function summary.Control(c)
	for _, name in ipairs({ "hello", "status", "nak", "repair", "offer" }) do
		if c[name] then
			return name .. " " .. c[name].line
		end
	end
	return "nothing"
end

-- ---- the datagram ------------------------------------------------------------------------------

syncd.prefs.keys = Pref.string("Key files", "",
	"Paths of the cluster's key files, separated by commas; needed to check tags and to decrypt")
syncd.prefs.port = Pref.uint("UDP port", 8849, "Port of the datagrams")

local port_table, port_used = DissectorTable.get("udp.port"), nil

local function use_port(port)
	if port_used ~= port then
		if port_used then
			port_table:remove(port_used, syncd)
		end
		port_table:add(port, syncd)
		port_used = port
	end
end

function syncd.prefs_changed()
	load_keys(syncd.prefs.keys)
	use_port(syncd.prefs.port)
end

function syncd.init()
	load_keys(syncd.prefs.keys)
end

local function add_header(tree, tvb)
	local h = tree:add(syncd, tvb(0, HEADER_LEN))

	h:set_text("Header")
	h:add(header_fields.magic, tvb(0, 2))
	h:add(header_fields.version, tvb(2, 1))
	h:add(header_fields.kind, tvb(3, 1))
	h:add(header_fields.key_id, tvb(4, 2))
	h:add(header_fields.node, tvb(6, 2))
	h:add(header_fields.session, tvb(8, 8))
	h:add(header_fields.counter, tvb(16, 8))
end

-- Payload in the clear, or nil, and which of tag_states its tag has. Remembered by frame, since
-- Wireshark dissects a frame many times.
local function open_frame(number, tvb)
	local len = tvb:len() - HEADER_LEN - TAG_LEN
	local header, tag = tvb:raw(0, HEADER_LEN), tvb:raw(HEADER_LEN + len, TAG_LEN)
	local payload = len > 0 and tvb:raw(HEADER_LEN, len) or ""
	local key, known = nil, opened[number]

	if known and known.tag == tag then
		return known.payload, known.state
	end
	known = { tag = tag, payload = payload, state = 2 }
	if tag ~= ZERO_TAG then
		key = session_key(header, tvb(4, 2):uint())
		known.payload = key and open_sealed(key, header, payload, tag)
		known.state = not key and 3 or known.payload and 1 or 0
	end
	opened[number] = known
	return known.payload, known.state
end

local function add_payload(tree, tvb, payload, state, kind)
	local range = tvb
	local message = kind == 1 and "Data" or "Control"
	local sub, good, found

	if state == 1 then
		range = ByteArray.new(payload, true):tvb("Decrypted")
	else
		range = tvb(HEADER_LEN, #payload):tvb()
	end
	sub = tree:add(syncd, range(0, #payload))
	sub:set_text(message)
	good, found = pcall(decode, sub, range, payload, 1, #payload, message)
	if not good then
		sub:add_proto_expert_info(expert_malformed, "Malformed payload: " .. tostring(found))
		return message .. ", malformed"
	end
	return found.line
end

function syncd.dissector(tvb, pinfo, root)
	local len = tvb:len()
	local tree, tag, payload, state, text

	if len < HEADER_LEN + TAG_LEN or tvb(0, 2):uint() ~= MAGIC or tvb(2, 1):uint() ~= VERSION or
		not kinds[tvb(3, 1):uint()] then
		return 0
	end
	pinfo.cols.protocol = "syncd"
	tree = root:add(syncd, tvb())
	tree:append_text((", %s of node %d"):format(kinds[tvb(3, 1):uint()], tvb(6, 2):uint()))
	add_header(tree, tvb)
	payload, state = open_frame(pinfo.number, tvb)
	tree:add(header_fields.payload, tvb(HEADER_LEN, len - HEADER_LEN - TAG_LEN))
	tag = tree:add(header_fields.tag, tvb(len - TAG_LEN, TAG_LEN))
	tag:add(header_fields.tag_state, tvb(len - TAG_LEN, TAG_LEN), state):set_generated()
	if state == 0 then
		tag:add_proto_expert_info(expert_tag)
	elseif state == 3 then
		tag:add_proto_expert_info(expert_key, key_trouble or "No key with this id has been given")
	end
	text = payload and #payload > 0 and
		add_payload(tree, tvb, payload, state, tvb(3, 1):uint()) or
		(payload and "empty" or state == 0 and "wrong tag" or "sealed")
	pinfo.cols.info = ("%d #%s %s"):format(tvb(6, 2):uint(), tostring(tvb(16, 8):uint64()), text)
	return len
end

use_port(8849)
