# The runtime stub: a static executable that needs nothing of the image it runs in. It is compiled
# from builder/runtime and the few files of base/ and layers/ that it uses, apart from the libraries
# above, because those link shared libraries.
file(GLOB runtime_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/builder/runtime/*.c")
list(FILTER runtime_sources EXCLUDE REGEX "/main\\.c$")
set(stub_sources builder/runtime/main.c ${runtime_sources})
foreach(module alloc buf cancel digest err file json path pool sha256 sha256_arm sha256_x86 text)
	list(APPEND stub_sources base/${module}.c)
endforeach()
foreach(module manifest root verify verify_extra verify_hash)
	list(APPEND stub_sources layers/${module}.c)
endforeach()

# For the unit tests, which link the rest from the libraries.
wb_library(wb_runtime builder/runtime DEPS wb_layers)

# The machine's name as OCI has it: images ask for the stub of their platform.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
	set(WBUILD_STUB_ARCH amd64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	set(WBUILD_STUB_ARCH arm64)
else()
	set(WBUILD_STUB_ARCH "${CMAKE_SYSTEM_PROCESSOR}")
endif()

find_library(JANSSON_STATIC libjansson.a)
add_executable(wbuild-init ${stub_sources})
target_include_directories(wbuild-init PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/gen")
target_link_libraries(wbuild-init PRIVATE wbuild_flags Threads::Threads)
# Verification runs at the speed of the hash, whatever the build is for.
target_compile_options(wbuild-init PRIVATE $<$<CONFIG:Debug>:-O1> -ffunction-sections -fdata-sections)
target_link_options(wbuild-init PRIVATE -Wl,--gc-sections)
if(WBUILD_SANITIZE OR WBUILD_COVERAGE OR NOT JANSSON_STATIC)
	if(NOT JANSSON_STATIC)
		message(STATUS "libjansson.a is not there: the stub will not be static")
	endif()
	target_link_libraries(wbuild-init PRIVATE PkgConfig::jansson)
else()
	target_link_options(wbuild-init PRIVATE -static-pie)
	target_link_libraries(wbuild-init PRIVATE ${JANSSON_STATIC})
endif()

# As it goes into images: without symbols, under the platform's name.
set(WBUILD_STUB_PROGRAMS "${CMAKE_BINARY_DIR}/stub/init-${WBUILD_STUB_ARCH}")
add_custom_command(OUTPUT ${WBUILD_STUB_PROGRAMS}
	COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/stub"
	COMMAND ${CMAKE_STRIP} -o ${WBUILD_STUB_PROGRAMS} $<TARGET_FILE:wbuild-init>
	DEPENDS wbuild-init VERBATIM)
add_custom_target(stub ALL DEPENDS ${WBUILD_STUB_PROGRAMS})

# For servers in Python; goes into images beside a stub that fetches.
install(FILES "${CMAKE_SOURCE_DIR}/builder/runtime/python/lazy_data_resolver.py"
	DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/wbuild")
