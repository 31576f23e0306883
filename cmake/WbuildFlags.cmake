set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

set(WBUILD_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")
option(WBUILD_COVERAGE "instrument for gcov" OFF)
option(WBUILD_ANALYZE "run gcc -fanalyzer" OFF)

add_library(wbuild_flags INTERFACE)
target_compile_definitions(wbuild_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(wbuild_flags INTERFACE
	-Wall -Wextra -Werror=implicit-function-declaration -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wvla -Wwrite-strings -Wpointer-arith -Wundef -Wswitch-enum
	-Wno-unused-parameter -fno-common -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
	target_compile_options(wbuild_flags INTERFACE
		-Wassign-enum -Wcomma -Wconditional-uninitialized -Wextra-semi
		-Wextra-semi-stmt -Wformat-type-confusion -Widiomatic-parentheses -Wloop-analysis
		-Wmissing-variable-declarations -Wover-aligned -Wshift-sign-overflow
		-Wtautological-compare -Wunreachable-code-aggressive -Wunused-macros)
endif()
if(NOT WBUILD_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	target_compile_options(wbuild_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
# What the compiler can put in the way of somebody who found a fault; tests/static/release.sh looks
# at the result.
target_compile_options(wbuild_flags INTERFACE -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
	target_compile_options(wbuild_flags INTERFACE -fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	target_compile_options(wbuild_flags INTERFACE -mbranch-protection=standard)
endif()
target_link_options(wbuild_flags INTERFACE -Wl,-z,relro,-z,now -Wl,-z,noexecstack
	-Wl,-z,separate-code -Wl,--as-needed)
# A release does not tell where it was built, so that it is the same wherever that is.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
	target_compile_options(wbuild_flags INTERFACE -ffile-prefix-map=${CMAKE_BINARY_DIR}=build
		-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
endif()
if(WBUILD_SANITIZE)
	target_compile_options(wbuild_flags INTERFACE -fsanitize=${WBUILD_SANITIZE}
		-fno-omit-frame-pointer -fno-sanitize-recover=all)
	target_link_options(wbuild_flags INTERFACE -fsanitize=${WBUILD_SANITIZE})
else()
	# but for the static runtime stub, which gcc would link to shared libraries with both
	target_link_options(wbuild_flags INTERFACE
		"$<$<NOT:$<BOOL:$<TARGET_PROPERTY:WBUILD_STATIC>>>:-pie>")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	set_source_files_properties("${CMAKE_SOURCE_DIR}/base/sha256_arm.c" PROPERTIES
		COMPILE_OPTIONS "-march=armv8-a+crypto")
endif()
if(WBUILD_SANITIZE MATCHES "undefined" AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
	# clang takes five minutes for UBSan's checks of the unrolled intrinsics; gcc, in the preset
	# asan, takes seconds and checks the same.
	set_source_files_properties("${CMAKE_SOURCE_DIR}/base/sha256_x86.c" PROPERTIES
		COMPILE_OPTIONS "-fno-sanitize=undefined")
endif()
if(WBUILD_COVERAGE)
	target_compile_options(wbuild_flags INTERFACE --coverage -O0 -fprofile-update=atomic)
	target_link_options(wbuild_flags INTERFACE --coverage)
	# Hashing unoptimised is most of the time that the tests take; base/ is not what is measured.
	file(GLOB hashing "${CMAKE_SOURCE_DIR}/base/hash*.c" "${CMAKE_SOURCE_DIR}/base/sha256*.c"
		"${CMAKE_SOURCE_DIR}/base/crc64*.c")
	set_property(SOURCE ${hashing} APPEND PROPERTY COMPILE_OPTIONS -O2 -fno-profile-arcs)
endif()
if(WBUILD_ANALYZE)
	# Leaks are LeakSanitizer's to find (preset asan): the analyzer does not follow what a hash
	# table of uthash or a list takes over. gcc 12 takes members that "{0}" sets for uninitialised.
	target_compile_options(wbuild_flags INTERFACE -fanalyzer -Wno-analyzer-malloc-leak
		-Wno-analyzer-use-of-uninitialized-value)
	# It takes an element of a vector for one bit wide.
	set_property(SOURCE "${CMAKE_SOURCE_DIR}/base/crc64.c" APPEND PROPERTY COMPILE_OPTIONS
		-Wno-analyzer-shift-count-overflow)
endif()
