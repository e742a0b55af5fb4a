#!/bin/sh
set -eu
for step in "${STEPS:-/srv/steps}"/*; do
  [ -e "$step" ] || continue
  echo "step $(basename "$step")"
  sh "$step"
done
