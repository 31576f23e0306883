# The runtime stub: a static executable that needs nothing of the image it runs in. It is compiled
# from builder/runtime and the few files of base/ and layers/ that it uses, apart from the libraries
# above, because those link shared libraries; it links none but the C library.
file(GLOB runtime_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/builder/runtime/*.c")
set(stub_sources ${runtime_sources})
foreach(module alloc buf cancel digest err file json_text mapped path pool sha256 sha256_arm sha256_x86
		text)
	list(APPEND stub_sources "${CMAKE_SOURCE_DIR}/base/${module}.c")
endforeach()
foreach(module manifest root verify verify_extra verify_hash)
	list(APPEND stub_sources "${CMAKE_SOURCE_DIR}/layers/${module}.c")
endforeach()

file(GLOB stub_headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/base/*.h"
	"${CMAKE_SOURCE_DIR}/layers/*.h" "${CMAKE_SOURCE_DIR}/builder/runtime/*.h")

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

add_executable(wbuild-init ${stub_sources})
target_include_directories(wbuild-init PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/gen")
target_link_libraries(wbuild-init PRIVATE wbuild_flags Threads::Threads)
# Verification runs at the speed of the hash, whatever the build is for.
target_compile_options(wbuild-init PRIVATE $<$<CONFIG:Debug>:-O1> -ffunction-sections -fdata-sections)
target_link_options(wbuild-init PRIVATE -Wl,--gc-sections)
if(NOT WBUILD_SANITIZE AND NOT WBUILD_COVERAGE)
	set_target_properties(wbuild-init PROPERTIES WBUILD_STATIC ON)
	target_link_options(wbuild-init PRIVATE -static-pie)
endif()

# As it goes into images: without symbols, under the platform's name.
set(WBUILD_STUB_PROGRAMS "${CMAKE_BINARY_DIR}/stub/init-${WBUILD_STUB_ARCH}")
add_custom_command(OUTPUT ${WBUILD_STUB_PROGRAMS}
	COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/stub"
	COMMAND ${CMAKE_STRIP} -o ${WBUILD_STUB_PROGRAMS} $<TARGET_FILE:wbuild-init>
	DEPENDS wbuild-init VERBATIM)

# Images of the other platform, on bases that have both, need the other stub.
function(wb_cross_stub arch prefix)
	set(other "${CMAKE_BINARY_DIR}/stub/init-${arch}")
	find_program(WBUILD_CC_${arch} ${prefix}-gcc)
	if(WBUILD_STUB_ARCH STREQUAL arch OR NOT WBUILD_CC_${arch} OR WBUILD_SANITIZE
			OR WBUILD_COVERAGE)
		return()
	endif()
	set(flags -std=gnu17 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_FORTIFY_SOURCE=3
		-fstack-protector-strong -fstack-clash-protection -ffunction-sections
		-fdata-sections -ffile-prefix-map=${CMAKE_BINARY_DIR}=build
		-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -static-pie -fPIE -s
		-Wl,--gc-sections,-z,relro,-z,now,-z,noexecstack,-z,separate-code -pthread)
	if(arch STREQUAL arm64)
		list(APPEND flags -march=armv8-a -mbranch-protection=standard)
	else()
		list(APPEND flags -fcf-protection=full)
	endif()
	# sha256_arm.c alone is compiled for the crypto extension (WbuildFlags.cmake)
	set(arm_object "${CMAKE_BINARY_DIR}/stub/sha256_arm-${arch}.o")
	set(sources ${stub_sources})
	list(FILTER sources EXCLUDE REGEX "/sha256_arm\\.c$")
	add_custom_command(OUTPUT "${other}"
		COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/stub"
		COMMAND ${WBUILD_CC_${arch}} ${flags} $<$<STREQUAL:${arch},arm64>:-march=armv8-a+crypto>
			-I${CMAKE_SOURCE_DIR} -c "${CMAKE_SOURCE_DIR}/base/sha256_arm.c" -o "${arm_object}"
		COMMAND ${WBUILD_CC_${arch}} ${flags} -I${CMAKE_SOURCE_DIR} -I${CMAKE_BINARY_DIR}/gen
			${sources} "${arm_object}" -o "${other}"
		DEPENDS ${stub_sources} ${stub_headers} VERBATIM COMMAND_EXPAND_LISTS)
	set(WBUILD_STUB_PROGRAMS ${WBUILD_STUB_PROGRAMS} "${other}" PARENT_SCOPE)
endfunction()
wb_cross_stub(arm64 aarch64-linux-gnu)
wb_cross_stub(amd64 x86_64-linux-gnu)

add_custom_target(stub ALL DEPENDS ${WBUILD_STUB_PROGRAMS})

# For servers in Python; goes into images beside a stub that fetches.
install(FILES "${CMAKE_SOURCE_DIR}/builder/runtime/python/lazy_data_resolver.py"
	DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/wbuild")
