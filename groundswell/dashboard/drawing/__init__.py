"""A cascade as a picture: who stands on whom, what is folded, where each box lies. Pure."""
