# Guest kernels with IPVS, for tests and drills (tests/rig/README.md). They live in a cache outside
# the tree, $SYNCD_RIG_CACHE or /var/cache/syncd-rig, so a clean checkout finds them.
#   rig         the light guest: Debian's user-mode Linux         rig-qemu  Debian's own kernels
#   rig-custom  user-mode Linux with everything, built from source rig-kasan the same, KASAN, lockdep
#   rig-qemu-kasan  KASAN, lockdep and kmemleak with several processors, under QEMU
RIG := tests/rig

.PHONY: rig rig-qemu rig-custom rig-kasan rig-qemu-kasan check-rig
rig:
	@$(RIG)/prepare uml
rig-qemu:
	@$(RIG)/prepare qemu qemu-6.12
rig-custom:
	@nice $(RIG)/prepare custom
rig-kasan:
	@nice $(RIG)/prepare kasan
rig-qemu-kasan:
	@nice $(RIG)/prepare qemu-kasan

# The runner's own test, with every kind that is in the cache.
check-rig: rig
	@tests/run-checks.sh $(RIG)/test_contract.sh

# Every kind of IPVS connection with every back end, and 100,000 of them between two daemons;
# check has those that take seconds.
.PHONY: check-ipvs
check-ipvs: all $(B)/tests/test_ipvs_kinds $(B)/tests/test_ipvs_pair $(B)/tests/test_unit
	@IPVS_KINDS=all tests/run-checks.sh $(B)/tests/test_ipvs_kinds $(B)/tests/test_unit
	@IPVS_FLOWS=100000 tests/run-checks.sh $(B)/tests/test_ipvs_pair

-include kpatch/kpatch.mk
