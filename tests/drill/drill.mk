# The drills: `make drill` (T= chooses, SYNC= what keeps the tables alike), `make drill-list`.
T    ?= crash
SYNC ?= syncd
IPVS ?= auto
DRILL_DIR  := tests/drill
DRILL_BIN  := $(patsubst %,$(B)/drill/%,drive serve watch)
DRILL_OBJ  := $(B)/obj/$(DRILL_DIR)/traffic
DRILL_LIB  := $(DRILL_OBJ)/content.o $(DRILL_OBJ)/netns.o

$(B)/drill/%: $(DRILL_OBJ)/%.o $(DRILL_LIB)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lm
$(B)/drill/drive: $(patsubst %,$(DRILL_OBJ)/%.o,heap flow fleet report)

.PHONY: drill drill-list soak
drill: all $(DRILL_BIN) $(B)/syncd-next
	@B='$(B)' SYNC='$(SYNC)' IPVS='$(IPVS)' $(DRILL_DIR)/run.sh '$(T)'
drill-list:
	@$(DRILL_DIR)/run.sh --list

# One site that is broken again and again: MINUTES= how long.
MINUTES ?= 10
soak:
	@SOAK_MINUTES='$(MINUTES)' $(MAKE) --no-print-directory drill T=soak
