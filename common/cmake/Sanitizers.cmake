set(SANITIZE "" CACHE STRING "e.g. address,undefined or thread")
option(FUZZ "build the fuzz targets with libFuzzer (clang)" OFF)

if(SANITIZE)
    add_compile_options(-fsanitize=${SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SANITIZE})
endif()
if(FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
