#!/bin/sh
# Runs in the instance, for examples/web-files.json.
set -eu
mkdir -p /srv/www
mv /tmp/index.html /srv/www/index.html
echo "<!-- version $VERSION -->" >> /srv/www/index.html
# Whatever prints a sensitive variable prints <sensitive>.
echo "the password is $PASSWORD"
