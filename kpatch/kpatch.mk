# The kernel patch's own make is kpatch/Makefile; these are its tests.
.PHONY: check-kpatch check-kasan
check-kpatch:
	@$(MAKE) -s -C kpatch check
check-kasan:
	@$(MAKE) -s -C kpatch check-kasan
