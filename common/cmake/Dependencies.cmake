# Every library comes as a Debian package (deploy/install-deps) and is found
# through pkg-config. edge::<name> is what targets link.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

function(edge_dependency name spec)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${spec})
    add_library(edge::${name} ALIAS PkgConfig::${name})
endfunction()

# edge::<name> from the archive alone: for packages that install where Debian
# has no such library (mbedTLS 3.6 and llhttp 9 on Debian 12), or another
# version of it (libunistring).
option(BUNDLE "put mbedTLS, llhttp and libunistring into the programs" OFF)
function(edge_bundled name spec)
    if(NOT BUNDLE)
        edge_dependency(${name} ${spec})
        return()
    endif()
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    pkg_check_modules(${name} REQUIRED ${spec})
    find_library(${name}_archive NAMES lib${name}.a REQUIRED
                 HINTS ${${name}_LIBRARY_DIRS})
    add_library(edge_${name} STATIC IMPORTED GLOBAL)
    set_target_properties(edge_${name} PROPERTIES
        IMPORTED_LOCATION ${${name}_archive}
        INTERFACE_LINK_LIBRARIES "${ARG_LINK}")
    add_library(edge::${name} ALIAS edge_${name})
endfunction()

edge_dependency(libuv libuv>=1.44)

# The packaged mbedTLS, or the faster one that deploy/fast-tls/build has put
# into a folder: an archive, over nettle and GMP.
set(EDGE_MBEDTLS "" CACHE PATH "prefix of deploy/fast-tls/build; empty: the packaged mbedTLS")
function(edge_fast_tls)
    find_library(fast_tls_archive edge-mbedtls REQUIRED PATHS ${EDGE_MBEDTLS}/lib NO_DEFAULT_PATH)
    foreach(name hogweed nettle gmp)
        set(names ${name})
        if(BUNDLE) # their packages are called otherwise in each Debian
            set(names lib${name}.a)
        endif()
        find_library(fast_tls_${name} NAMES ${names} REQUIRED)
        list(APPEND below ${fast_tls_${name}})
    endforeach()
    add_library(edge_fast_tls STATIC IMPORTED GLOBAL)
    set_target_properties(edge_fast_tls PROPERTIES
        IMPORTED_LOCATION ${fast_tls_archive}
        INTERFACE_INCLUDE_DIRECTORIES ${EDGE_MBEDTLS}/include
        INTERFACE_LINK_LIBRARIES "${below};Threads::Threads")
    foreach(name mbedcrypto mbedx509 mbedtls)
        add_library(edge::${name} ALIAS edge_fast_tls)
    endforeach()
endfunction()

if(EDGE_MBEDTLS)
    edge_fast_tls()
else()
    edge_bundled(mbedcrypto mbedcrypto>=3.6)
    edge_bundled(mbedx509 mbedx509>=3.6 LINK edge::mbedcrypto)
    edge_bundled(mbedtls mbedtls>=3.6 LINK edge::mbedx509)
endif()
edge_bundled(llhttp libllhttp>=9)
edge_dependency(cjson libcjson>=1.7.13)
edge_dependency(cares libcares>=1.18)
edge_dependency(nghttp2 libnghttp2>=1.52)

# libunistring has no pkg-config file.
find_path(unistring_include uninorm.h REQUIRED)
if(BUNDLE)
    find_library(unistring_archive libunistring.a REQUIRED)
    set(unistring_library ${unistring_archive})
else()
    find_library(unistring_library unistring REQUIRED)
endif()
add_library(edge_unistring INTERFACE)
target_include_directories(edge_unistring SYSTEM INTERFACE ${unistring_include})
target_link_libraries(edge_unistring INTERFACE ${unistring_library})
add_library(edge::unistring ALIAS edge_unistring)
