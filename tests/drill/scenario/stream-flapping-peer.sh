# shellcheck shell=bash disable=SC2034
# of two standbys one loses its sync link again and again, heals, and takes over last

needs pause
balancers_up lb-a lb-b lb-c
flows_usual
steady lb-a lb-b lb-c
for round in 1 2 3; do
  cable lb-c sync down
  flows_few "down$round"
  settle
  cable lb-c sync up
  flows_few "up$round"
done
no_gap lb-b
steady lb-a lb-b lb-c
crash lb-a lb-b
steady lb-b lb-c
crash lb-b lb-c
