# Compiler and linker flags of every target: strict warnings always, sanitizers or hardening by preset.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

add_compile_definitions(_GNU_SOURCE HAWK_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2
  -Wpointer-arith -Wcast-qual -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough -Wdouble-promotion
  -Wno-missing-field-initializers -fno-common -fno-strict-aliasing)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()

if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-double-promotion) # the C library's NAN and INFINITY are floats
endif()

# The same bytes from the same sources, wherever they lie.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -fmacro-prefix-map=${CMAKE_SOURCE_DIR}=.)
add_link_options(-Wl,--build-id=sha1)

if(HAWK_SANITIZE)
  add_compile_options(-fsanitize=${HAWK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HAWK_SANITIZE})
  if(HAWK_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT HAWK_SANITIZE)
  add_compile_options(-O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
    -ffunction-sections -fdata-sections)
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed)
endif()
if(HAWK_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()
if(HAWK_TIDY)
  set(CMAKE_C_CLANG_TIDY clang-tidy-14 --quiet)
endif()
