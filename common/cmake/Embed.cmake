# Files put into a program as they are.
#
# edge_embed(<target> DIR <folder> FILES <files...>): each becomes an array
# and its length, page_html and page_html_len of page.html, for the
# declarations that the folder's header makes.
set(edge_embed_script ${CMAKE_CURRENT_LIST_DIR}/EmbedFile.cmake)

function(edge_embed target)
    cmake_parse_arguments(ARG "" "DIR" "FILES" ${ARGN})
    foreach(file ${ARG_FILES})
        string(MAKE_C_IDENTIFIER ${file} name)
        set(from ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_DIR}/${file})
        set(to ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.c)
        add_custom_command(OUTPUT ${to}
            COMMAND ${CMAKE_COMMAND} -DFROM=${from} -DTO=${to} -DNAME=${name}
                    -P ${edge_embed_script}
            DEPENDS ${from} ${edge_embed_script} VERBATIM
            COMMENT "Embedding ${ARG_DIR}/${file}")
        target_sources(${target} PRIVATE ${to})
    endforeach()
endfunction()
