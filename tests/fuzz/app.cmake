edge_fuzz(config LINK app)
