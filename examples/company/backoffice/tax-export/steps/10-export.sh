cat /srv/certified-packages.txt
