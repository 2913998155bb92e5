edge_fuzz(sip_msg LINK sip_msg)
edge_fuzz(sip_uri LINK sip_msg)
edge_fuzz(sip_hdr LINK sip_msg)
edge_fuzz(sip_frame LINK sip_msg)
edge_fuzz(sip_txn LINK sip_core)
edge_fuzz(sip_script LINK sip_core)
edge_fuzz(sip_hide LINK sip_core)

# The RFCs' messages are seeds too (their first byte then picks the framing).
if(NOT FUZZ)
    add_test(NAME fuzz_replay_sip_msg_vectors COMMAND replay_sip_msg
             ${CMAKE_SOURCE_DIR}/tests/vectors/rfc4475
             ${CMAKE_SOURCE_DIR}/tests/vectors/rfc5118)
endif()
