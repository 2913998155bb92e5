edge_fuzz(web_path LINK web_core)
edge_fuzz(web_core LINK web_core)
edge_fuzz(web_h2 LINK web_core)
edge_fuzz(web_content LINK web_core)
