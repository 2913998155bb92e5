option(WERROR "treat warnings as errors" OFF)

add_library(project_warnings INTERFACE)
target_compile_options(project_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wvla -Wwrite-strings -Wundef
    -Wformat=2 -Wimplicit-fallthrough
    # Not in test programs: optimising, GCC cannot see that libcheck's
    # assertions do not return.
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:IS_TEST>>>:-Wnull-dereference>
    $<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond>
    $<$<BOOL:${WERROR}>:-Werror>
    # GCC 14 takes a pointer that was checked for one "at address zero".
    $<$<C_COMPILER_ID:GNU>:-Wno-error=stringop-overflow>)
