# Every test. A unit test is tests/unit/test_NAME.c (pure, any user); a net test is
# tests/net/test_NAME.c (root; makes its own namespaces); each is one Check program.
LDLIBS_TEST := $(shell $(PKG) --libs check 2>/dev/null)
TEST_LIB_SRC := $(wildcard tests/lib/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
# A race needs threads; most pure programs have none (and test_replay runs little but readers, for long).
ifeq ($(V),tsan)
UNIT_SRC := $(patsubst %,tests/unit/test_%.c,ctl ready report)
endif
NET_SRC  := $(wildcard tests/net/test_*.c)
ifeq ($(V),tsan)
# A closed system-call filter, and a guest's small memory, leave the sanitizer no room.
NET_SRC  := $(filter-out %/test_privilege.c %/test_table_full.c,$(NET_SRC))
endif
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRC))
NET_BIN  := $(patsubst tests/net/%.c,$(B)/tests/%,$(NET_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/tests/%,$(FUZZ_SRC))
REPLAY_BIN := $(if $(filter-out tsan,$(V)),$(patsubst tests/fuzz/fuzz_%.c,$(B)/tests/replay_%,$(FUZZ_SRC)))
TEST_LIB := $(B)/libtest.a

$(TEST_LIB): $(call obj,$(TEST_LIB_SRC) kpatch/tests/client.c)
# Generated headers are system headers, which -MMD leaves out; the pattern's order-only prerequisite
# hides them here too, so it is the code beside them.
$(call obj,tests/unit/test_data.c tests/unit/test_control.c tests/lib/pb_flow.c): $(PB_SRC)
# The kernel patch's own client, whose loops are macros of libmnl that convert.
$(B)/obj/kpatch/tests/client.o: CFLAGS += -Wno-conversion
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(TEST_LIB) $(LIB_REPLAY) $(LIBS_ALL)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_TEST) $(LDLIBS)
$(B)/tests/%: $(B)/obj/tests/net/%.o $(TEST_LIB) $(LIB_REPLAY) $(LIBS_ALL)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_TEST) $(LDLIBS)
# A daemon of a later version of the encoder, for the test of upgrades; it is installed nowhere.
NEXT_WRAPS := engine_encoder flow_encode data_begin control_write
$(B)/syncd-next: $(call obj,syncd/main.c tests/next/next.c) $(LIBS_ALL)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) $(NEXT_WRAPS:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS)
$(B)/tests/test_upgrade: | $(B)/syncd-next
check-net check: $(B)/syncd-next
build/fuzz/tests/%: build/fuzz/obj/tests/fuzz/%.o $(TEST_LIB) $(LIB_REPLAY) $(LIBS_ALL)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
$(B)/tests/replay_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/replay.o $(LIB_REPLAY) $(LIBS_ALL)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: check check-unit check-net fuzz
check-unit: all $(UNIT_BIN) $(REPLAY_BIN)
	@tests/run-checks.sh $(UNIT_BIN) $(REPLAY_BIN)
check-net: $(NET_BIN)
	@tests/run-checks.sh $(NET_BIN)
check: all $(UNIT_BIN) $(REPLAY_BIN) $(NET_BIN)
	@tests/run-checks.sh $(UNIT_BIN) $(REPLAY_BIN) $(SIM_CHECK) $(NET_BIN)

# In CI also the unit tests under the sanitizers (the simulation with a tenth of its seeds), and lint.
.PHONY: check-asan
check-asan:
	@$(MAKE) V=asan check-unit check-sim
ifeq ($(CI)$(V),truerelease)
check: check-asan lint
endif

# FUZZ_SECONDS a decoder; committed seeds are in tests/fuzz/seeds/NAME/ (`make check` replays them).
FUZZ_SECONDS ?= 30
fuzz:
	@$(MAKE) V=fuzz build-fuzz
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_BIN)
.PHONY: build-fuzz
build-fuzz: $(FUZZ_BIN)

-include tests/sim/sim.mk
-include docs/model/model.mk
-include tests/drill/drill.mk
-include tests/bench/bench.mk
-include tests/rig/rig.mk
-include tests/lint/lint.mk
