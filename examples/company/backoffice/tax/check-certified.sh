#!/bin/sh
# check-certified.sh LIST: every package in LIST must be installed in exactly that version.
set -eu
while read -r package version; do
  found=$(awk -v package="$package" '
    $1 == "Package:" { current = $2 }
    $1 == "Version:" && current == package { print $2 }' /var/lib/dpkg/status)
  if [ "$found" != "$version" ]; then
    echo "$package ${found:-(missing)} is not certified; the certificate names $version" >&2
    exit 3
  fi
done < "$1"
