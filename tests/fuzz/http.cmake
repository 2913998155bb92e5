edge_fuzz(http_parse LINK http)
