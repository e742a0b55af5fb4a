awk -F, 'NR > 1 { debit += $1; credit += $2 } END { print "balance", debit - credit; exit debit != credit }' /srv/entries.csv
