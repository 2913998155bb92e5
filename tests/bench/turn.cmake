edge_bench(turn_load LINK stun edge::mbedtls edge::mbedx509 edge::mbedcrypto)
target_sources(turn_load PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/turn_load_conn.c)
edge_bench(turn_floor LINK base)
