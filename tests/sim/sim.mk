# The simulation. `make check` runs SIM_SEEDS of it; `make sim SEEDS=N SEED0=S PROFILE=P` more.
SIM_SRC := $(filter-out tests/sim/sim_main.c,$(wildcard tests/sim/*.c))
LIB_SIM := $(B)/libsim.a
SIM     := $(B)/sim

$(LIB_SIM): $(call obj,$(SIM_SRC))
$(SIM): $(call obj,tests/sim/sim_main.c) $(LIB_SIM) $(TEST_LIB) $(LIBS_ALL)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/tests/test_sim $(B)/tests/test_deep: $(B)/tests/%: $(B)/obj/tests/unit/%.o $(LIB_SIM) \
    $(TEST_LIB) $(LIBS_ALL)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS_TEST) $(LDLIBS)

# Sanitizers take ten times as long.
SIM_SEEDS_release := 2000
SIM_SEEDS_cov     := 300
SIM_SEEDS := $(or $(SIM_SEEDS_$(V)),200)
SIM_CHECK := $(if $(filter-out tsan,$(V)),$(B)/tests/sim_$(SIM_SEEDS)_seeds)
$(B)/tests/sim_%_seeds: tests/sim/sim.mk
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec %s --regressions tests/sim/regressions --seeds %s\n' $(SIM) $* >$@
	@chmod +x $@
$(SIM_CHECK): | $(SIM)
check: $(SIM_CHECK) $(SIM)
.PHONY: check-sim
check-sim: $(SIM_CHECK) $(SIM)
	@tests/run-checks.sh $(SIM_CHECK)


SEEDS   ?= 10000
SEED0   ?= 1
PROFILE ?=
.PHONY: sim
sim: $(SIM)
	$(SIM) --regressions tests/sim/regressions --seeds $(SEEDS) --seed0 $(SEED0) \
		$(if $(PROFILE),--profile $(PROFILE))
