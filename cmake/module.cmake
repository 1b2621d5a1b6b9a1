# hawk_module(NAME USES other folders... LIBS libraries... [EMBED folder]): the library of one folder of src/.
# Files under src/NAME/embed/ (or the folder named) become byte arrays: embed/x/0001_a.sql is declared as
# embed_x_0001_a_sql in "NAME_embed.h", and all of them are listed in NAME_embed_files.
function(hawk_module name)
  cmake_parse_arguments(arg "" "EMBED" "USES;LIBS" ${ARGN})
  if(NOT arg_EMBED)
    set(arg_EMBED src/${name}/embed)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  file(GLOB_RECURSE embedded CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${arg_EMBED}/*)
  list(FILTER embedded EXCLUDE REGEX "__pycache__")
  set(generated ${CMAKE_BINARY_DIR}/embed/${name})
  if(embedded)
    add_custom_command(OUTPUT ${generated}/${name}_embed.c ${generated}/${name}_embed.h
      COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/embed.py ${CMAKE_SOURCE_DIR}/${arg_EMBED} ${generated}/${name}_embed
      DEPENDS ${embedded} ${CMAKE_SOURCE_DIR}/tools/embed.py VERBATIM)
    list(APPEND sources ${generated}/${name}_embed.c ${generated}/${name}_embed.h)
  endif()
  if(NOT sources)
    add_library(hawk_${name} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(hawk_${name} STATIC ${sources})
    set(scope PUBLIC)
  endif()
  target_include_directories(hawk_${name} ${scope} ${CMAKE_SOURCE_DIR}/src ${generated})
  list(TRANSFORM arg_USES PREPEND hawk_)
  target_link_libraries(hawk_${name} ${scope} ${arg_USES} ${arg_LIBS})
endfunction()
