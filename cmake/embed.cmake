# slipway_embed(<layer> <file> <symbol> [<namespace>]): compiles a text file into the layer as
# `extern const std::string_view slipway::<layer>::<symbol>` (the reader declares it), or of another namespace in slipway.
function(slipway_embed layer file symbol)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  string(REPLACE "/" "::" namespace ${layer})
  if(ARGC GREATER 3)
    set(namespace ${ARGV3})
  endif()
  string(REPLACE "/" "_" target slipway_${layer})
  file(READ ${file} text)
  string(LENGTH "${text}" length)
  file(SIZE ${file} size)
  if(NOT length EQUAL size OR text MATCHES "\\)embedded\"")
    message(FATAL_ERROR "${file} cannot be embedded: it holds NUL bytes or the end mark of the literal")
  endif()
  set(generated ${PROJECT_BINARY_DIR}/generated/${layer}/${symbol}.cc)
  file(
    CONFIGURE OUTPUT ${generated} @ONLY CONTENT
    "#include <string_view>

namespace slipway::@namespace@ {
extern const std::string_view @symbol@;
static constexpr char @symbol@Text[] = R\"embedded(@text@)embedded\";
constinit const std::string_view @symbol@(@symbol@Text, sizeof(@symbol@Text) - 1);
}  // namespace slipway::@namespace@
")
  target_sources(${target} PRIVATE ${generated})
endfunction()
