# Benches: each tests/bench/bench_NAME.c is one program; tests/bench/*.sh are run as they are.
# QUICK=1 keeps all of them under three minutes. Results also go to build/bench/NAME.json.
BENCH_SRC := $(wildcard tests/bench/bench_*.c)
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(BENCH_SRC))
BENCH_SH  := $(wildcard tests/bench/bench_*.sh)

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(TEST_LIB) $(LIBS_ALL)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_TEST) $(LDLIBS)
.PRECIOUS: $(B)/obj/tests/bench/%.o

.PHONY: bench
bench: all $(BENCH_BIN)
	@mkdir -p build/bench
	@for p in $(BENCH_BIN) $(BENCH_SH); do \
		n=$$(basename $$p .sh); echo "== $$n"; \
		QUICK=$(QUICK) $$p >build/bench/$$n.json || exit 1; cat build/bench/$$n.json; done
