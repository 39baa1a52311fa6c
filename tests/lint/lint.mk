# `make lint`: everything, in some three minutes on two cores. `make check` runs the two that need no tool.
.PHONY: lint lint-floors
lint: $(PB_HDR)
	@tests/lint/run.sh floors lengths format shell cppcheck analyzer tidy
lint-floors:
	@tests/lint/run.sh floors lengths
check: lint-floors
