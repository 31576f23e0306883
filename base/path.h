/* Path text. Paths inside an image are absolute in config ("/app/data") and relative without a
 * leading slash in tars and manifests ("app/data/x"); both are bytes, not locale text. */
#ifndef WB_BASE_PATH_H
#define WB_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Why a relative path from outside cannot be used below a root, or NULL when it can: empty,
 * absolute, "." or ".." or empty component, component longer than 255 bytes, whole longer than
 * 4096, NUL or backslash or control byte, a component that starts with ".wh." (whiteout names
 * cannot be represented in a layer, image-spec layer.md). A literal. */
const char *wb_path_unsafe(const char *path, size_t len);

/* Lexical: joins with one slash, folds "//", "/./" and a trailing "/"; keeps "..". */
char *wb_path_join(const char *a, const char *b);
/* Absolute, with "." and ".." resolved lexically and no trailing slash ("/" alone stays). A
 * relative path is taken from base (absolute). */
char *wb_path_normalize(const char *base, const char *path);
const char *wb_path_basename(const char *path); /* a pointer into path */
char *wb_path_dirname(const char *path);        /* "." when there is none */
/* path equals dir or lies below it (both normalised). */
bool wb_path_within(const char *path, const char *dir);
/* strcmp by bytes, but "/" sorts before every other byte: a directory's content follows it. */
int wb_path_cmp(const char *a, const char *b);

#endif
