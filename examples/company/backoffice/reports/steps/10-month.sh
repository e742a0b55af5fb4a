echo "report for $(date +%Y-%m)"
