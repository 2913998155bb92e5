edge_fuzz(ws LINK ws)
edge_fuzz(ws_handshake LINK ws)
