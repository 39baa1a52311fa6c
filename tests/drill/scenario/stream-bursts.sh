# shellcheck shell=bash disable=SC2034
# a hundred datagrams in a row of each five hundred on the sync link are lost, both ways

box_settings() { lossy_bursts "$1"; }
usual_crash lb-a lb-b
