# A library target per layer; what a layer may call is what it links, so a
# core that calls libuv does not link. Sources are the folder's .c files.

# edge_library(<name> DIRS <folders...> LINK <targets...>)
function(edge_library name)
    cmake_parse_arguments(ARG "" "" "DIRS;LINK" ${ARGN})
    set(sources)
    foreach(dir ${ARG_DIRS})
        file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.c)
        list(APPEND sources ${found})
    endforeach()
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE project_warnings)
endfunction()

# edge_daemon(<name> LINK <targets...>): main.c and the shell beside it.
function(edge_daemon name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_executable(${name} ${sources})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE ${ARG_LINK} project_warnings)
endfunction()
