# The program that fetches `use_volume: true` entries when a container starts. Like the stub beside it
# it needs nothing of the image, so it is linked statically, libcurl and OpenSSL included.
#
# Debian's libcurl.a speaks protocols and logins whose own libraries have no static form (LDAP, RTMP,
# SFTP, Kerberos) or are of no use here (cookies' suffix list, names that are not ASCII). base/http.h
# asks for http and https only, so none of that is ever reached: their functions are stood in for by
# one that answers 0, for "nothing" or "not there". Which ones there are, libcurl.a itself says.
set(WBUILD_FETCH_PROGRAM)
add_executable(wbuild-fetch "${CMAKE_SOURCE_DIR}/builder/volume/main.c")

set(static_missing)
foreach(name curl nghttp2 ssl crypto jansson expat yaml zstd brotlidec brotlicommon z)
	find_library(WBUILD_STATIC_${name} lib${name}.a)
	if(WBUILD_STATIC_${name})
		list(APPEND static_libraries "${WBUILD_STATIC_${name}}")
	else()
		list(APPEND static_missing lib${name}.a)
	endif()
endforeach()

if(WBUILD_SANITIZE OR WBUILD_COVERAGE OR static_missing)
	target_link_libraries(wbuild-fetch PRIVATE wb_volume)
	if(static_missing)
		list(JOIN static_missing ", " static_missing)
		message(STATUS "images cannot fetch at start: ${static_missing} not found")
	endif()
	return()
endif()

set(absent "${CMAKE_BINARY_DIR}/gen/absent.c")
add_custom_command(OUTPUT "${absent}"
	COMMAND sh "${CMAKE_SOURCE_DIR}/cmake/absent.sh" "${CMAKE_NM}" "${WBUILD_STATIC_curl}" "${absent}"
	DEPENDS "${CMAKE_SOURCE_DIR}/cmake/absent.sh" "${WBUILD_STATIC_curl}" VERBATIM)
set(own_libraries wb_volume wb_fetch wb_source wb_config wb_layers wb_oci wb_base)
foreach(library ${own_libraries})
	list(APPEND own_archives $<TARGET_FILE:${library}>)
endforeach()
target_sources(wbuild-fetch PRIVATE "${absent}")
target_include_directories(wbuild-fetch PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/gen")
add_dependencies(wbuild-fetch ${own_libraries})
set_target_properties(wbuild-fetch PROPERTIES WBUILD_STATIC ON)
target_link_options(wbuild-fetch PRIVATE -static-pie -Wl,--gc-sections)
# It says that getaddrinfo() may load libraries of the image; main.c sees to it that it does not.
include(CheckLinkerFlag)
check_linker_flag(C -Wl,--no-warnings WBUILD_LD_NO_WARNINGS)
if(WBUILD_LD_NO_WARNINGS)
	target_link_options(wbuild-fetch PRIVATE -Wl,--no-warnings)
endif()
target_link_libraries(wbuild-fetch PRIVATE wbuild_flags ${own_archives} ${static_libraries}
	Threads::Threads m)

set(WBUILD_FETCH_PROGRAM "${CMAKE_BINARY_DIR}/stub/fetch-${WBUILD_STUB_ARCH}")
add_custom_command(OUTPUT "${WBUILD_FETCH_PROGRAM}"
	COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/stub"
	COMMAND ${CMAKE_STRIP} -o "${WBUILD_FETCH_PROGRAM}" $<TARGET_FILE:wbuild-fetch>
	DEPENDS wbuild-fetch VERBATIM)
set(python_module "${CMAKE_SOURCE_DIR}/builder/runtime/python/lazy_data_resolver.py")
add_custom_command(OUTPUT "${CMAKE_BINARY_DIR}/stub/lazy_data_resolver.py"
	COMMAND ${CMAKE_COMMAND} -E copy "${python_module}" "${CMAKE_BINARY_DIR}/stub"
	DEPENDS "${python_module}" VERBATIM)
add_custom_target(fetch ALL
	DEPENDS "${WBUILD_FETCH_PROGRAM}" "${CMAKE_BINARY_DIR}/stub/lazy_data_resolver.py")
