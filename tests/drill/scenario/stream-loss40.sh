# shellcheck shell=bash disable=SC2034
# two fifths of all that crosses the sync link are lost, both ways

box_settings() { lossy "$1" 40; }
usual_crash lb-a lb-b
