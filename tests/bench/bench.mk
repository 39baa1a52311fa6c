# Benches: tests/bench/bench_NAME.c, one program each, with bench.c's help; tests/bench/bench_NAME.sh
# as they are. Each prints one line of JSON a figure (bench.h); run.sh appends them, with run and
# commit, to build/bench.jsonl. T=glob picks by NAME, QUICK=1 keeps all of them under three minutes.
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/bench_*.c))
BENCH_SH  := $(wildcard tests/bench/bench_*.sh)
BENCH_IN  := $(B)/bench/ipvs_packets $(B)/bench/ipvs_edges # run by bench_ipvs.sh in a guest

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/obj/tests/bench/bench.o $(TEST_LIB) $(LIBS_ALL)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_TEST) $(LDLIBS)

.PHONY: bench
bench: all $(BENCH_BIN) $(BENCH_IN)
	@B='$(B)' QUICK=$(QUICK) T='$(T)' tests/bench/run.sh $(BENCH_BIN) $(BENCH_SH)
# They are run by hand, so that CI at least builds them.
ifeq ($(CI)$(V),truerelease)
check: $(BENCH_BIN) $(BENCH_IN)
endif
