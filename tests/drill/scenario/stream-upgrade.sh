# shellcheck shell=bash disable=SC2034
# one daemon after the other is replaced by one of the next version, the role goes both ways

needs stop handover
balancers_up lb-a lb-b
flows_usual
steady lb-a lb-b
sync_stop lb-b
DAEMON["lb-b"]=syncd-next
daemon_start lb-b
flows_few mixed
steady lb-a lb-b
fault
sync_handover lb-a web
taken_over_by lb-b
flows_few later
steady lb-b lb-a
sync_stop lb-a
DAEMON["lb-a"]=syncd-next
daemon_start lb-a
steady lb-b lb-a
crash lb-b lb-a
