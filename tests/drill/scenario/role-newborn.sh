# shellcheck shell=bash disable=SC2034
# a crash while 600 connections a second are born: how young are those that are lost?

balancers_up lb-a lb-b
FLOWS_SCALE=50
flows_usual
flows churn4 synced tcp churn cl "${FRONT4[web]}" 80 300 pace_ms=500
steady lb-a lb-b
say 5 demand newborn_ms=20
fault
power_off lb-a
taken_over_by lb-b
settle 30
