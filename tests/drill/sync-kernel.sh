# shellcheck shell=bash disable=SC2034
# sync-kernel.sh: the kernel's own IPVS sync daemon, as keepalived starts it. Interface: see
# sync-none.sh. Sourced by one.sh.

SYNC_CAN=()

sync_start() { :; }
sync_notify() { echo /bin/true; }

sync_keepalived() {
  cat <<END
global_defs {
  lvs_sync_daemon sync VI_WEB id 51
}
END
}

# Nothing tells when it is done; what it sends at all it has sent after its flush time of 2 s. Waiting for
# another exchange of each flow would let those expire that ipvs-idle wants to be silent.
sync_steady() { sleep 3; }
sync_equal() { echo null; }
