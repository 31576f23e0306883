/* What a file of a model's repository is, by its name. */
#ifndef WB_BUILDER_BUILD_FILEKIND_H
#define WB_BUILDER_BUILD_FILEKIND_H

#include <stdbool.h>

enum wb_file_kind {
	WB_FILE_WEIGHTS,
	WB_FILE_OPTIMIZER, /* state of a training run: optimizers, schedulers, random numbers */
	WB_FILE_GIT,
	WB_FILE_CACHE, /* that some tool left behind */
	WB_FILE_CONFIG,
	WB_FILE_TOKENIZER,
	WB_FILE_DOC,
	WB_FILE_OTHER,
};

enum wb_file_kind wb_file_kind_of(const char *path);
const char *wb_file_kind_word(enum wb_file_kind k);
/* Config and tokenizer files that loaders look for by name. */
bool wb_file_kind_needed(const char *path);

/* Weights formats that repositories keep beside safetensors, with the same content. */
bool wb_file_is_safetensors(const char *path);
bool wb_file_is_old_format(const char *path);

#endif
