# What `cmake --install` puts where, and the Debian package that `cpack` makes of it.
install(TARGETS wbuild RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")

# Files that wbuild puts into images (cmake/WbuildStub.cmake lists them); found below
# WBUILD_LIBEXECDIR at run time.
if(WBUILD_STUB_PROGRAMS)
	install(PROGRAMS ${WBUILD_STUB_PROGRAMS} ${WBUILD_FETCH_PROGRAM}
		DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/wbuild")
endif()

# Man pages: docs/man/NAME.SECTION.scd, made by scdoc; its output carries no date, so that two
# builds are equal.
find_program(SCDOC scdoc)
file(GLOB man_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/docs/man/*.scd")
if(SCDOC)
	set(man_pages)
	foreach(source ${man_sources})
		get_filename_component(page "${source}" NAME_WLE)
		string(REGEX REPLACE "^.*\\.([0-9])$" "\\1" section "${page}")
		set(output "${CMAKE_BINARY_DIR}/man/man${section}/${page}")
		set(man_filter cat)
		set(man_depends)
		# a command's page has the options of its help, which only the program knows
		file(STRINGS "${source}" has_options REGEX "^@OPTIONS@$")
		if(has_options AND page MATCHES "^wbuild-(.*)\\.1$")
			if(CMAKE_CROSSCOMPILING)
				continue()
			endif()
			set(man_filter "'${CMAKE_SOURCE_DIR}/cmake/man_options.sh' '$<TARGET_FILE:wbuild>' ${CMAKE_MATCH_1}")
			set(man_depends wbuild "${CMAKE_SOURCE_DIR}/cmake/man_options.sh")
		endif()
		add_custom_command(OUTPUT "${output}"
			COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/man/man${section}"
			COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=0
				sh -c "${man_filter} <'${source}' | '${SCDOC}' >'${output}'"
			DEPENDS "${source}" ${man_depends} VERBATIM)
		list(APPEND man_pages "${output}")
		install(FILES "${output}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
	endforeach()
	add_custom_target(man ALL DEPENDS ${man_pages})
else()
	message(STATUS "scdoc is not there: no man pages")
endif()

# The image that "# syntax=" names in a config (docs/buildkit.md), as an OCI layout.
if(NOT CMAKE_CROSSCOMPILING)
	add_custom_target(frontend-image
		COMMAND sh "${CMAKE_SOURCE_DIR}/cmake/frontend_image.sh" "$<TARGET_FILE:wbuild>"
			"${CMAKE_BINARY_DIR}/frontend-image"
		DEPENDS wbuild stub VERBATIM)
endif()

# Completions: the program prints its own, so they cannot fall behind its options.
if(NOT CMAKE_CROSSCOMPILING)
	set(bash_file ${CMAKE_INSTALL_DATADIR}/bash-completion/completions/wbuild)
	set(zsh_file ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions/_wbuild)
	set(fish_file ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/wbuild.fish)
	foreach(shell bash zsh fish)
		set(output "${CMAKE_BINARY_DIR}/completions/${${shell}_file}")
		get_filename_component(folder "${output}" DIRECTORY)
		get_filename_component(destination "${${shell}_file}" DIRECTORY)
		add_custom_command(OUTPUT "${output}"
			COMMAND ${CMAKE_COMMAND} -E make_directory "${folder}"
			COMMAND sh -c "'$<TARGET_FILE:wbuild>' completion ${shell} >'${output}'"
			DEPENDS wbuild VERBATIM)
		list(APPEND completions "${output}")
		install(FILES "${output}" DESTINATION "${destination}")
	endforeach()
	add_custom_target(completions ALL DEPENDS ${completions})
endif()

install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
	RENAME copyright)
file(GLOB doc_files "${CMAKE_SOURCE_DIR}/docs/*.md")
list(REMOVE_ITEM doc_files "${CMAKE_SOURCE_DIR}/docs/architecture.md")
install(FILES ${doc_files} DESTINATION "${CMAKE_INSTALL_DOCDIR}")
if(EXISTS "${CMAKE_SOURCE_DIR}/README.md")
	install(FILES "${CMAKE_SOURCE_DIR}/README.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME wbuild)
set(CPACK_PACKAGE_VENDOR "The wbuild authors")
set(CPACK_PACKAGE_CONTACT "The wbuild authors <wbuild@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"wbuild reads a Truss-style config.yaml, downloads, filters and verifies the
model weights that it names, packs them into deduplicated, reproducible zstd
layers and appends them to a base image, with a runtime stub that verifies or
mounts them where the model expects them.")
include(CPack)
