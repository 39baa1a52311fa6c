# Installation below $(DESTDIR)$(PREFIX).
install: all
	install -D -m 755 $(B)/syncd $(DESTDIR)$(PREFIX)/sbin/syncd
	install -D -m 755 $(B)/syncctl $(DESTDIR)$(PREFIX)/sbin/syncctl
