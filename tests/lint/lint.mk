# `make lint`: everything, in under three minutes. `make check` runs the two that need no tool.
.PHONY: lint lint-floors
lint: $(PB_HDR)
	@tests/lint/run.sh floors lengths format shell cppcheck tidy
lint-floors:
	@tests/lint/run.sh floors lengths
check: lint-floors
