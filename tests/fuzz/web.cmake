edge_fuzz(web_path LINK web_core)
edge_fuzz(web_core LINK web_core)
