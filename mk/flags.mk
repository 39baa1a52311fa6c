# Compiler and linker flags of each variant.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wconversion \
	-Wno-sign-conversion -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference \
	-Wdouble-promotion -Wframe-larger-than=16384
ifneq (,$(findstring gcc,$(shell $(CC) --version 2>/dev/null | head -1)))
WARN += -Wduplicated-cond -Wduplicated-branches -Wlogical-op
endif
ifeq ($(CI)$(V),truerelease)
WARN += -Werror
endif
ifneq ($(V),release)
WARN += -Wno-frame-larger-than # instrumentation makes frames larger
endif

PKGS    := libconfuse libmnl libprotobuf-c libsodium jansson libxxhash libzstd nettle libmicrohttpd \
	   libcap-ng libseccomp libsystemd libnftables
PKG_CFLAGS := $(shell $(PKG) --cflags $(PKGS) 2>/dev/null)
LDLIBS  := $(shell $(PKG) --libs $(PKGS) 2>/dev/null) -lev -lm -lpthread
VERSION := $(shell sed -n 's/^## *//p;q' NEWS 2>/dev/null | head -1)

HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -fno-common
CPPFLAGS_ALL := -D_GNU_SOURCE -DSYNCD_VERSION='"$(VERSION)"' -I. -isystem $(GEN) -Ikpatch/uapi
CFLAGS   := -std=gnu17 -g $(WARN) $(HARDEN) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(EXTRA_CFLAGS)
LDFLAGS  := -pie -Wl,-z,relro,-z,now $(EXTRA_LDFLAGS)

OPT_release := -O2 -D_FORTIFY_SOURCE=3
OPT_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_tsan    := -O1 -fsanitize=thread
OPT_cov     := -O0 --coverage
OPT_fuzz    := -O1 -fsanitize=address,undefined,fuzzer-no-link
ifeq ($(V),fuzz)
CC := clang
endif
CFLAGS  += $(OPT_$(V))
LDFLAGS += $(filter -fsanitize% --coverage,$(OPT_$(V)))
# Generated code is not ours to warn about.
CFLAGS_GEN := -std=gnu17 -g -w $(HARDEN) -I$(GEN) $(PKG_CFLAGS) $(OPT_$(V))
