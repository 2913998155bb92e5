edge_fuzz(stun_msg LINK stun)
edge_fuzz(stun_frames LINK stun)
edge_fuzz(turn_core LINK turn_core)
edge_fuzz(turn_names LINK turn_core)
