"""What `make` runs beside the product itself; nothing in the product imports it."""
