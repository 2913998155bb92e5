edge_fuzz(ctl LINK edgectl_core)
edge_fuzz(ctl_flows LINK edgectl_core)
