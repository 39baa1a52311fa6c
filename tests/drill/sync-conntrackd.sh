# shellcheck shell=bash disable=SC2034
# sync-conntrackd.sh: conntrackd in FT-FW mode with the usual primary-backup script of keepalived.
# Interface: see sync-none.sh. Sourced by one.sh.

SYNC_CAN=()

sync_start() {
  local node=$1 n=${NODE_NUMBER[$1]}
  command -v conntrackd >/dev/null || die "conntrackd is missing: run make deps"
  cat >"$WORK/$node/conntrackd.conf" <<END
Sync {
  Mode FTFW {
  }
  Multicast {
    IPv4_address 225.0.0.50
    Group 3780
    IPv4_interface 10.9.9.$n
    Interface sync
    SndSocketBuffer 8388608
    RcvSocketBuffer 8388608
    Checksum on
  }
}
General {
  HashSize 65536
  HashLimit 262144
  LogFile $WORK/$node/conntrackd.log
  LockFile /run/lock/conntrack.lock
  UNIX {
    Path /run/conntrackd.ctl
  }
  NetlinkBufferSize 8388608
  NetlinkBufferSizeMaxGrowth 33554432
  Filter From Userspace {
    Protocol Accept {
      TCP
      UDP
    }
    Address Ignore {
      IPv4_address 127.0.0.1
      IPv4_address 10.9.9.$n
      IPv4_address 172.16.0.$n
      IPv4_address 10.0.0.$n
      IPv6_address ::1
    }
  }
}
END
  # What the shipped script does, in its order; $5 is the state after -g GROUP INSTANCE NAME.
  in_box "$node" tee /run/notify >/dev/null <<END
#!/bin/sh
ctl() { /usr/sbin/conntrackd -C "$WORK/$node/conntrackd.conf" "\$@" >>"$WORK/$node/notify.log" 2>&1; }
case \$5 in
  MASTER) ctl -c; ctl -f; ctl -R; ctl -B ;;
  BACKUP) ctl -t; ctl -n ;;
  FAULT) ctl -t ;;
esac
END
  in_box "$node" chmod +x /run/notify
  in_box "$node" conntrackd -C "$WORK/$node/conntrackd.conf" -d >>"$WORK/$node/log" 2>&1
  until_true 5 "conntrackd on $node" in_box "$node" test -S /run/conntrackd.ctl
}

sync_notify() { echo /run/notify; }

# How many flows the node's cache (internal: its own; external: its peers') holds.
cache_size() {
  in_box "$1" conntrackd -C "$WORK/$1/conntrackd.conf" -s |
    awk -v cache="cache $2:" '$0 ~ cache {here = 1} here && /current active/ {print $NF; exit}'
}

holds_as_many() {
  [ "$(cache_size "$2" external)" -ge "$(cache_size "$1" internal)" ]
}

sync_steady() {
  local active=$1 standby
  shift
  for standby; do
    until_true 20 "$standby to hold what $active holds" holds_as_many "$active" "$standby"
  done
}

sync_equal() { echo null; }
