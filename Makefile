# syncd: one non-recursive build. `make` builds the programs, `make check` runs every test,
# `make drill` fails over a real site. Variants live side by side under build/$(V).
V       ?= release
B       := build/$(V)
GEN     := build/gen
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
PKG     := pkg-config

Q       := $(if $(VERBOSE),,@)# VERBOSE=1 shows the commands

.DEFAULT_GOAL := all
.SECONDARY: # objects are kept
include mk/deps.mk
include mk/flags.mk

# ---- floors: each archive may use itself and lower ones only (tests/lint/floors.sh holds it) ----
PROTO_SRC  := $(wildcard proto/*.c)
BASE_SRC   := $(wildcard syncd/base/*.c)
PARTS_DIRS := table kernel stream role net ctl journal box warm
PARTS_SRC  := $(filter-out %.bpf.c,$(foreach d,$(PARTS_DIRS),$(wildcard syncd/$(d)/*.c)))
MAINS      := syncd/main.c syncd/syncctl.c syncd/doctor.c
PATHS_SRC  := $(filter-out $(MAINS),$(wildcard syncd/*.c))
REPLAY_SRC := $(filter-out replay/main.c,$(wildcard replay/*.c))
PB_SRC     := $(GEN)/proto/sync.pb-c.c
PB_HDR     := $(PB_SRC:.c=.h)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

LIB_PROTO := $(B)/libproto.a
LIB_BASE  := $(B)/libbase.a
LIB_PARTS := $(B)/libparts.a
LIB_PATHS := $(B)/libpaths.a
LIB_REPLAY := $(B)/libreplay.a
LIBS_ALL  := $(LIB_PATHS) $(LIB_PARTS) $(LIB_BASE) $(LIB_PROTO)

PROGRAMS := $(if $(wildcard syncd/main.c),$(B)/syncd) $(if $(wildcard syncd/syncctl.c),$(B)/syncctl) \
	    $(if $(wildcard replay/main.c),$(B)/sync-replay)

.PHONY: all clean install lint cov asan tsan
all: $(PROGRAMS)

$(LIB_PROTO): $(call obj,$(PROTO_SRC)) $(B)/obj/gen/sync.pb-c.o
$(LIB_BASE):  $(call obj,$(BASE_SRC))
$(LIB_PARTS): $(call obj,$(PARTS_SRC))
$(LIB_PATHS): $(call obj,$(PATHS_SRC))
$(LIB_REPLAY): $(call obj,$(REPLAY_SRC))
%.a:
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/syncd: $(call obj,syncd/main.c) $(LIBS_ALL)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/syncctl: $(call obj,syncd/syncctl.c syncd/doctor.c) $(LIB_PARTS) $(LIB_BASE) $(LIB_PROTO)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/obj/replay/assets.o: $(wildcard replay/page/* replay/vendor/*/*)
$(B)/sync-replay: LDLIBS += -lpcap
$(B)/sync-replay: $(call obj,replay/main.c) $(LIB_REPLAY) $(LIBS_ALL)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- the BPF program of the bpf source; left out, and so said, where clang or bpftool is missing ----
BPF_CLANG := $(shell command -v clang 2>/dev/null)
BPF_TOOL  := $(firstword $(shell command -v bpftool 2>/dev/null) $(wildcard /usr/sbin/bpftool))
BPF_SKEL  := $(GEN)/ipvs.skel.h
BPF_ARCH  := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
ifneq (,$(and $(BPF_CLANG),$(BPF_TOOL)))
CFLAGS  += -DHAVE_IPVS_BPF
LDLIBS  += -lbpf
$(B)/obj/syncd/kernel/ipvs_bpf_source.o: $(BPF_SKEL)
else
$(info syncd: without clang and bpftool the bpf back end of IPVS is left out)
endif
$(BPF_SKEL): syncd/kernel/ipvs.bpf.c syncd/kernel/ipvs_bpf.h
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	$(Q)$(BPF_CLANG) -std=gnu17 -O2 -g -Wall -target bpf -I. -D__TARGET_ARCH_$(BPF_ARCH) \
		-I/usr/include/$(shell $(CC) -print-multiarch) -c -o $(GEN)/ipvs.bpf.o $<
	@{ echo '/* NOLINTBEGIN: generated */'; $(BPF_TOOL) gen skeleton $(GEN)/ipvs.bpf.o name ipvs_bpf && \
		echo '/* NOLINTEND */'; } >$@.new
	@mv $@.new $@

# ---- generated code -----------------------------------------------------------------------------
$(PB_SRC) $(PB_HDR) &: proto/sync.proto
	@mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(GEN) $<
$(B)/obj/gen/sync.pb-c.o: $(PB_SRC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_GEN) -c -o $@ $<

$(B)/obj/%.o: %.c | $(PB_HDR)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
-include $(shell [ -d $(B)/obj ] && find $(B)/obj -name '*.d')

include tests/tests.mk
include mk/install.mk

# What is watched runs several times slower.
asan tsan: export CK_TIMEOUT_MULTIPLIER = 5
asan tsan:
	$(MAKE) V=$@ check
cov:
	$(MAKE) V=cov check
	gcov -n $$(find build/cov -name '*.gcno') >build/cov/gcov.log 2>&1
	@tests/lint/coverage.sh build/cov

compile_commands.json: export COMPILE_FLAGS = $(CFLAGS)
.PHONY: compile_commands.json
compile_commands.json:
	@tests/lint/compile-commands.py >$@

clean:
	rm -rf build compile_commands.json
