# Every library comes as a Debian package (deploy/install-deps) and is found
# through pkg-config. edge::<name> is what targets link.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

function(edge_dependency name spec)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${spec})
    add_library(edge::${name} ALIAS PkgConfig::${name})
endfunction()

edge_dependency(libuv libuv>=1.44)
edge_dependency(mbedcrypto mbedcrypto>=3.6)
edge_dependency(mbedtls mbedtls>=3.6)
edge_dependency(mbedx509 mbedx509>=3.6)
edge_dependency(llhttp libllhttp>=9)
edge_dependency(cjson libcjson>=1.7.13)
edge_dependency(cares libcares>=1.18)
