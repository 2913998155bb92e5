edge_fuzz(addr LINK base)
edge_fuzz(text LINK base)
edge_fuzz(jwt LINK base)
edge_fuzz(dns_records LINK base)
