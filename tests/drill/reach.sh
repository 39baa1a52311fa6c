#!/usr/bin/env bash
# reach.sh: whether the router on the clients' side answers; keepalived's track_script in the drills.
exec timeout 0.8 bash -c 'exec 3<>/dev/tcp/172.16.0.1/7000' 2>/dev/null
