# Puts the page's files into the program, plain and compressed: PAGE_SOURCES.
include(${CMAKE_CURRENT_LIST_DIR}/files.cmake)
enable_language(ASM)
find_program(GZIP gzip REQUIRED)

set(embedded ${CMAKE_CURRENT_BINARY_DIR}/page)
file(MAKE_DIRECTORY ${embedded})
set(index 0)
set(data ".section .rodata\n")
set(declarations "")
set(table "")
set(inputs "")
foreach(file IN LISTS PAGE_FILES PAGE_ASSETS)
  set(path ${CMAKE_CURRENT_LIST_DIR}/${file})
  if(file IN_LIST PAGE_ASSETS)
    set(path ${PROJECT_SOURCE_DIR}/build/page-assets/${file})
  endif()
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "${path} is missing: run ./scripts/setup build")
  endif()
  get_filename_component(name ${file} NAME)
  add_custom_command(OUTPUT ${embedded}/${name}.gz
    COMMAND ${GZIP} -9 -n -c ${path} > ${embedded}/${name}.gz
    DEPENDS ${path} VERBATIM)
  list(APPEND inputs ${path} ${embedded}/${name}.gz)
  foreach(form plain gzip)
    set(from ${path})
    if(form STREQUAL gzip)
      set(from ${embedded}/${name}.gz)
    endif()
    string(APPEND data ".global page_${form}_${index}\n.global page_${form}_${index}_end\n"
      "page_${form}_${index}:\n.incbin \"${from}\"\npage_${form}_${index}_end:\n")
    string(APPEND declarations
      "extern const char page_${form}_${index}[];\nextern const char page_${form}_${index}_end[];\n")
  endforeach()
  string(APPEND table "      {\"${name}\",\n"
    "       {page_plain_${index}, page_plain_${index}_end},\n"
    "       {page_gzip_${index}, page_gzip_${index}_end}},\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND data ".section .note.GNU-stack,\"\",%progbits\n")

file(CONFIGURE OUTPUT ${embedded}/page_data.S CONTENT "${data}" @ONLY)
file(CONFIGURE OUTPUT ${embedded}/page_files.cc CONTENT
"#include \"collector/http/page_files.h\"

extern \"C\" {
${declarations}}

namespace collector {

std::vector<PageFile> PageFiles() {
  return {
${table}  };
}

}  // namespace collector
" @ONLY)
set_source_files_properties(${embedded}/page_data.S PROPERTIES OBJECT_DEPENDS "${inputs}")
set(PAGE_SOURCES ${embedded}/page_data.S ${embedded}/page_files.cc)
