# The drills: `make drill` (T= chooses, SYNC= what keeps the tables alike), `make drill-list`.
T    ?= crash
SYNC ?= syncd
IPVS ?= auto
DRILL_DIR  := tests/drill
DRILL_BIN  := $(patsubst %,$(B)/drill/%,drive serve watch)
DRILL_LIB  := $(patsubst %,$(B)/$(DRILL_DIR)/traffic/%.o,content netns)

# Of its own: traffic needs none of the generated code.
$(B)/$(DRILL_DIR)/%.o: $(DRILL_DIR)/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/drill/%: $(B)/$(DRILL_DIR)/traffic/%.o $(DRILL_LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^
$(B)/drill/drive: $(patsubst %,$(B)/$(DRILL_DIR)/traffic/%.o,heap flow fleet report)
.PRECIOUS: $(B)/$(DRILL_DIR)/traffic/%.o

.PHONY: drill drill-list
drill: all $(DRILL_BIN)
	@B='$(B)' SYNC='$(SYNC)' IPVS='$(IPVS)' $(DRILL_DIR)/run.sh '$(T)'
drill-list:
	@$(DRILL_DIR)/run.sh --list
