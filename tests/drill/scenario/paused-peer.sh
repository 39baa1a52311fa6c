# shellcheck shell=bash disable=SC2034
# one of two standbys is stopped while flows are born, heals, and takes over last

needs pause
balancers_up lb-a lb-b lb-c
sync_signal lb-c STOP
flows_usual
steady lb-a lb-b
fault
power_off lb-a
taken_over_by lb-b
sync_signal lb-c CONT
steady lb-b lb-c
fault
power_off lb-b
taken_over_by lb-c
