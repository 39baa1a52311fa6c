# shellcheck shell=bash disable=SC2034
# a fifth of all that crosses the sync link is lost, both ways

box_settings() { lossy "$1" 20; }
usual_crash lb-a lb-b
