edge_fuzz(addr LINK base)
edge_fuzz(text LINK base)
