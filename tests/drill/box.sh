#!/usr/bin/env bash
# box.sh DIR: the first process of a balancer: private /run, /var/lib and /var/log, then nothing but
# waiting (and reaping what the others leave). Killing it is the loss of the box's power.
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/lock
mount -t tmpfs tmpfs /var/lib
mkdir /var/lib/syncd
mount --bind "$1/disk" /var/lib/syncd
mount -t tmpfs tmpfs /var/log
touch "$1/ready"
while :; do
  sleep infinity &
  wait
done
