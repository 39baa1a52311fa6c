# shellcheck shell=bash disable=SC2034
# sync-none.sh: nothing keeps the tables alike. Shows what a crash does then, and the interface that
# each sync-*.sh has. Sourced by one.sh.

# What it can do beyond the least: of `stop kill pause handover gate verify`; scenarios ask.
SYNC_CAN=()

# Starts what syncs on the node, before its keepalived.
sync_start() { :; }

# The command that the node's keepalived runs with -g GROUP INSTANCE|GROUP NAME STATE PRIORITY.
sync_notify() { echo /bin/true; }

# sync_steady ACTIVE STANDBY...: waits until the standbys hold what the active node holds.
sync_steady() { :; }

# sync_equal ACTIVE STANDBY...: says true, false, or null where it has no way to know.
sync_equal() { echo null; }
