# shellcheck shell=bash disable=SC2034
# of two sync links that carry everything first one fails, then the other

links_in_turn lb-a lb-b
crash lb-a lb-b
