# Installation below $(DESTDIR)$(PREFIX); configuration and units where the system looks for them.
SBINDIR     ?= $(PREFIX)/sbin
LIBEXECDIR  ?= $(PREFIX)/libexec/syncd
MANDIR      ?= $(PREFIX)/share/man
DOCDIR      ?= $(PREFIX)/share/doc/syncd
SYSCONFDIR  ?= /etc
UNITDIR     ?= /usr/lib/systemd/system
SYSCTLDIR   ?= /usr/lib/sysctl.d
MODLOADDIR  ?= /usr/lib/modules-load.d
OCFDIR      ?= /usr/lib/ocf/resource.d/syncd
COMPDIR     ?= $(PREFIX)/share/bash-completion/completions

install: all
	install -d -m 755 $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DOCDIR)
	install -d -m 700 $(DESTDIR)$(SYSCONFDIR)/syncd/keys
	install -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	install -m 755 dist/keepalived/syncd-notify dist/keepalived/vrrp-paths $(DESTDIR)$(LIBEXECDIR)
	install -D -m 755 dist/ocf/syncd $(DESTDIR)$(OCFDIR)/syncd
	install -d -m 755 $(DESTDIR)$(UNITDIR)
	sed 's|@SBINDIR@|$(SBINDIR)|g; s|@LIBEXECDIR@|$(LIBEXECDIR)|g' dist/systemd/syncd.service \
	  >$(DESTDIR)$(UNITDIR)/syncd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/syncd.service
	sed 's|@SBINDIR@|$(SBINDIR)|g' dist/systemd/syncd-stop >$(DESTDIR)$(LIBEXECDIR)/syncd-stop
	chmod 755 $(DESTDIR)$(LIBEXECDIR)/syncd-stop
	install -D -m 644 dist/sysctl.d/60-syncd.conf $(DESTDIR)$(SYSCTLDIR)/60-syncd.conf
	install -D -m 644 dist/modules-load.d/syncd.conf $(DESTDIR)$(MODLOADDIR)/syncd.conf
	install -D -m 644 dist/bash-completion/syncctl $(DESTDIR)$(COMPDIR)/syncctl
	install -d -m 755 $(DESTDIR)$(DOCDIR)/keepalived
	for sample in dist/keepalived/*.conf dist/keepalived/*.nft; do \
	  sed 's|/usr/local/libexec/syncd|$(LIBEXECDIR)|g' $$sample \
	    >$(DESTDIR)$(DOCDIR)/keepalived/$${sample##*/} || exit 1; done
	install -D -m 644 dist/nftables/sync-link.nft $(DESTDIR)$(DOCDIR)/nftables/sync-link.nft
	install -m 644 README.md NEWS LICENSE docs/*.md docs/report.png docs/examples/syncd.conf $(DESTDIR)$(DOCDIR)
	install -d -m 755 $(DESTDIR)$(DOCDIR)/wireshark
	install -m 644 docs/wireshark/* $(DESTDIR)$(DOCDIR)/wireshark
	for page in docs/man/*.[1-8]; do \
	  install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done

# A Debian package below build/deb. Nothing is enabled by installing it.
.PHONY: deb
deb:
	rm -rf build/deb/stage
	$(MAKE) V=release install DESTDIR=build/deb/stage PREFIX=/usr
	mk/deb.sh '$(VERSION)' build/deb/stage build/deb
