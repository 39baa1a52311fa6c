# shellcheck shell=bash disable=SC2034
# sync-none.sh: nothing keeps the tables alike. Shows what a crash does then, and the interface that
# each sync-*.sh has. Sourced by one.sh.

# Starts what syncs on the node, before its keepalived.
sync_start() { :; }

# Lines for keepalived's global_defs, and for the instance of a group.
sync_globals() { :; }
sync_instance() { :; }

# Waits until the standbys hold what the active node holds: sync_steady ACTIVE STANDBY...
sync_steady() { :; }
