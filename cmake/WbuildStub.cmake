# The runtime stub: a static executable that needs nothing of the image it runs in. It is compiled
# from builder/runtime and the few files of base/ and layers/ that it uses, apart from the libraries
# above, because those link shared libraries.
file(GLOB stub_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/builder/runtime/*.c")
