edge_fuzz(dtls_hello LINK net)
edge_fuzz(proxy_protocol LINK net)
