#!/bin/sh
set -eu
exec httpd -f -p "$PORT" -h /srv/www
