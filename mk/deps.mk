# Debian packages. `make deps` installs what build, tests and the main drill need and is missing;
# `make deps-dev` what the rest needs. Services of the packages are kept from starting.
DEPS := gcc make pkg-config protobuf-c-compiler protobuf-compiler libprotobuf-c-dev libmnl-dev \
	libnetfilter-conntrack-dev libsodium-dev libev-dev libjansson-dev libconfuse-dev \
	libxxhash-dev libzstd-dev nettle-dev libpcap-dev libbpf-dev libmicrohttpd-dev libcap-ng-dev libseccomp-dev \
	libsystemd-dev libnftables-dev clang bpftool check keepalived conntrackd conntrack nftables iproute2 \
	iputils-ping procps python3-minimal
DEPS_LINT := clang-format clang-tidy cppcheck shellcheck jq
DEPS_DEV := $(DEPS_LINT) llvm libclang-rt-14-dev \
	ipvsadm tshark tcpdump chromium pacemaker pacemaker-cli-utils corosync resource-agents \
	libxml2-utils prometheus qemu-system-x86 busybox-static \
	spin linux-perf valgrind universal-ctags groff mandoc dpkg-dev \
	sparse netcat-openbsd socat

ifeq ($(CI),true) # there `make check` lints too
DEPS += $(DEPS_LINT)
endif

# The README's commands install what is missing themselves, before flags.mk asks pkg-config. On standard
# error, since what $(shell) prints on standard output would be read as a rule.
ifneq (,$(filter check drill bench,$(MAKECMDGOALS)))
$(shell mk/deps.sh $(DEPS) >&2)
endif

.PHONY: deps deps-dev
deps:
	@mk/deps.sh $(DEPS)
deps-dev:
	@mk/deps.sh $(DEPS) $(DEPS_DEV)
