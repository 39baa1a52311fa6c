# shellcheck shell=bash disable=SC2034
# one in twenty of all that crosses the sync link is lost, both ways

box_settings() { lossy "$1" 5; }
usual_crash lb-a lb-b
