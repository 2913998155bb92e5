edge_bench(turn_load LINK stun)
