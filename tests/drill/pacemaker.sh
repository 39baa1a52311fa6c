# shellcheck shell=bash disable=SC2034,SC2016
# pacemaker.sh: real Pacemaker and corosync in keepalived's place: each balancer is a node of a cluster
# that has two paths, sync and front. Sourced by scenarios that want it, which are skipped where it is
# not installed.
#
# Nothing is fenced here: power_off is what a fence would do. Real clusters need one.

for tool in pacemakerd corosync cibadmin crm_attribute crm_mon; do
  command -v $tool >/dev/null || skip "$tool is not installed: run make deps-dev"
done
CLUSTER=() # its nodes

corosync_config() {
  local node
  cat <<END
totem {
  version: 2
  cluster_name: drill
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: 1000
  interface {
    linknumber: 0
    knet_ping_interval: 100
    knet_ping_timeout: 300
    knet_pong_count: 1
  }
  interface {
    linknumber: 1
    knet_ping_interval: 100
    knet_ping_timeout: 300
    knet_pong_count: 1
  }
}
quorum {
  provider: corosync_votequorum
  expected_votes: ${#CLUSTER[@]}
}
logging {
  to_stderr: yes
  to_syslog: no
}
nodelist {
END
  for node in "${CLUSTER[@]}"; do
    cat <<END
  node {
    name: $node
    nodeid: ${NODE_NUMBER[$node]}
    ring0_addr: 10.9.9.${NODE_NUMBER[$node]}
    ring1_addr: 172.16.0.${NODE_NUMBER[$node]}
  }
END
  done
  echo "}"
}

# nv ID NAME VALUE
nv() { echo "<nvpair id=\"$1-$2\" name=\"$2\" value=\"$3\"/>"; }

# address ID IP PREFIX INTERFACE
address() {
  echo "<primitive id=\"$1\" class=\"ocf\" provider=\"heartbeat\" type=\"IPaddr2\">"
  echo "<instance_attributes id=\"$1-attributes\">"
  nv "$1" ip "$2"
  nv "$1" cidr_netmask "$3"
  nv "$1" nic "$4"
  nv "$1" nodad true
  nv "$1" arp_interval 50
  echo "</instance_attributes>"
  echo "<operations><op id=\"$1-monitor\" name=\"monitor\" interval=\"10s\"/></operations>"
  echo "</primitive>"
}

# As docs/operations.md has it. $1: the agent's parameter config is the same path on all nodes.
cluster_config() {
  cat <<END
<configuration>
<crm_config><cluster_property_set id="options">
$(nv options stonith-enabled false)
$(nv options no-quorum-policy ignore)
</cluster_property_set></crm_config>
<nodes/>
<resources>
<clone id="web-sync-clone">
<meta_attributes id="clone">$(nv clone promotable true)$(nv clone notify true)</meta_attributes>
<primitive id="web-sync" class="ocf" provider="syncd" type="syncd">
<instance_attributes id="web-sync-attributes">
$(nv web-sync group web)
$(nv web-sync config /run/syncd.conf)
$(nv web-sync syncctl "$B/syncctl")
</instance_attributes>
<operations>
<op id="web-sync-promoted" name="monitor" interval="2s" role="Promoted"/>
<op id="web-sync-unpromoted" name="monitor" interval="3s" role="Unpromoted"/>
</operations>
</primitive>
</clone>
<group id="web-address">
$(address front4 "${FRONT4[web]}" 24 front)
$(address back4 "${BACK4[web]}" 24 back)
$(address front6 "${FRONT6[web]}" 64 front)
$(address back6 "${BACK6[web]}" 64 back)
</group>
</resources>
<constraints>
<rsc_colocation id="with" rsc="web-address" with-rsc="web-sync-clone" with-rsc-role="Promoted" score="INFINITY"/>
<rsc_location id="first" rsc="web-sync-clone" node="${CLUSTER[0]}" role="Promoted" score="1"/>
<rsc_order id="after" first="web-sync-clone" first-action="promote" then="web-address" then-action="start"/>
</constraints>
</configuration>
END
}

# What a box needs of its own: directories, shared memory, and the agent where Pacemaker looks.
cluster_box() {
  in_box "$1" sh -ec '
    mount -t tmpfs tmpfs /dev/shm
    for dir in lib/pacemaker/cib lib/pacemaker/pengine lib/pacemaker/blackbox lib/pacemaker/cores \
      log/pacemaker; do
      mkdir -p /var/$dir
      chown hacluster:haclient /var/$dir
    done
    mkdir -p /var/lib/corosync /var/log/corosync /run/crm /run/resource-agents
    chown hacluster:haclient /run/crm
    cp -a /usr/lib/ocf/resource.d /run/ocf
    install -D -m 755 "$0/dist/ocf/syncd" /run/ocf/syncd/syncd
    mount --bind /run/ocf /usr/lib/ocf/resource.d
    cp "$1" /run/syncd.conf' "$PWD" "$WORK/$1/syncd.conf" || die "$1 is no place for Pacemaker"
}

engine_start() {
  local node=$1
  cluster_box "$node"
  corosync_config >"$WORK/$node/corosync.conf"
  in_box "$node" corosync -f -c "$WORK/$node/corosync.conf" >>"$WORK/$node/corosync.log" 2>&1 &
  disown $!
  until_true 20 "corosync on $node" in_box "$node" corosync-cfgtool -s >/dev/null 2>&1
  in_box "$node" env PCMK_logfile=none PCMK_stderr=yes PCMK_debug=no pacemakerd -f \
    >>"$WORK/$node/pacemaker.log" 2>&1 &
  disown $!
  until_true 60 "pacemaker on $node" in_box "$node" cibadmin -Q >/dev/null 2>&1
  [ "$node" != "${CLUSTER[0]}" ] || [ -e "$WORK/cib.xml" ] || {
    cluster_config >"$WORK/cib.xml"
    in_box "$node" cibadmin --replace -o configuration -x "$WORK/cib.xml" >>"$WORK/log" 2>&1 ||
      die "Pacemaker refuses its configuration"
  }
}

# The node's promotion score, as Pacemaker knows it.
promotion_score() {
  in_box "$1" crm_attribute --promotion=web-sync --node "$2" --lifetime reboot --query --quiet 2>/dev/null
}
scores() { [ "$(promotion_score "$1" "$2")" = "$3" ]; }
