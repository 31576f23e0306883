#include "builder/build/filekind.h"

#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/text.h"

struct rule {
	const char *glob; /* of the last component */
	enum wb_file_kind kind;
};

/* The first that fits. */
static const struct rule rules[] = {
	{"optimizer*.pt", WB_FILE_OPTIMIZER},
	{"optimizer*.bin", WB_FILE_OPTIMIZER},
	{"optimizer*.safetensors", WB_FILE_OPTIMIZER},
	{"*optim_states.pt", WB_FILE_OPTIMIZER},
	{"scheduler*.pt", WB_FILE_OPTIMIZER},
	{"scaler.pt", WB_FILE_OPTIMIZER},
	{"rng_state*.pth", WB_FILE_OPTIMIZER},
	{"random_states_*.pkl", WB_FILE_OPTIMIZER},
	{"trainer_state.json", WB_FILE_OPTIMIZER},
	{"training_args.bin", WB_FILE_OPTIMIZER},
	{"events.out.tfevents*", WB_FILE_OPTIMIZER},
	{"*.incomplete", WB_FILE_CACHE},
	{"*.pyc", WB_FILE_CACHE},
	{".DS_Store", WB_FILE_CACHE},
	{"tokenizer*", WB_FILE_TOKENIZER},
	{"vocab*", WB_FILE_TOKENIZER},
	{"merges.txt", WB_FILE_TOKENIZER},
	{"special_tokens_map.json", WB_FILE_TOKENIZER},
	{"added_tokens.json", WB_FILE_TOKENIZER},
	{"*.tiktoken", WB_FILE_TOKENIZER},
	{"spiece.model", WB_FILE_TOKENIZER},
	{"*.safetensors", WB_FILE_WEIGHTS},
	{"*.gguf", WB_FILE_WEIGHTS},
	{"*.bin", WB_FILE_WEIGHTS},
	{"*.pt", WB_FILE_WEIGHTS},
	{"*.pth", WB_FILE_WEIGHTS},
	{"*.ckpt", WB_FILE_WEIGHTS},
	{"*.h5", WB_FILE_WEIGHTS},
	{"*.msgpack", WB_FILE_WEIGHTS},
	{"*.onnx", WB_FILE_WEIGHTS},
	{"*.onnx_data", WB_FILE_WEIGHTS},
	{"*.ot", WB_FILE_WEIGHTS},
	{"*.pb", WB_FILE_WEIGHTS},
	{"*.tflite", WB_FILE_WEIGHTS},
	{"*.engine", WB_FILE_WEIGHTS},
	{"*.plan", WB_FILE_WEIGHTS},
	{"*.npz", WB_FILE_WEIGHTS},
	{"*.traineddata", WB_FILE_WEIGHTS},
	{"*.json", WB_FILE_CONFIG},
	{"*.yaml", WB_FILE_CONFIG},
	{"*.jinja", WB_FILE_CONFIG},
	{"*.md", WB_FILE_DOC},
	{"*.pdf", WB_FILE_DOC},
	{"*.png", WB_FILE_DOC},
	{"*.jpg", WB_FILE_DOC},
};

static const char *const cache_folders[] = {
	"__pycache__", ".cache", ".locks", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache"};

static bool has_component(const char *path, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		if (!strncmp(p, name, n) && p[n] == '/')
			return true;
	return false;
}

enum wb_file_kind wb_file_kind_of(const char *path)
{
	const char *base = wb_path_basename(path);

	if (has_component(path, ".git"))
		return WB_FILE_GIT;
	for (size_t i = 0; i < WB_ARRAY_LEN(cache_folders); i++)
		if (has_component(path, cache_folders[i]) && !strstr(path, "/hub/models--") &&
			!strstr(path, "/snapshots/"))
			return WB_FILE_CACHE;
	for (size_t i = 0; i < WB_ARRAY_LEN(rules); i++)
		if (!fnmatch(rules[i].glob, base, 0))
			return rules[i].kind;
	return WB_FILE_OTHER;
}

const char *wb_file_kind_word(enum wb_file_kind k)
{
	switch (k) {
	case WB_FILE_WEIGHTS: return "weights";
	case WB_FILE_OPTIMIZER: return "training state";
	case WB_FILE_GIT: return "git history";
	case WB_FILE_CACHE: return "a tool's cache";
	case WB_FILE_CONFIG: return "config";
	case WB_FILE_TOKENIZER: return "tokenizer";
	case WB_FILE_DOC: return "documentation";
	case WB_FILE_OTHER: return "other";
	}
	return "";
}

bool wb_file_kind_needed(const char *path)
{
	static const char *const names[] = {"config.json", "generation_config.json",
		"model_index.json", "preprocessor_config.json", "processor_config.json",
		"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json",
		"vocab.txt", "merges.txt", "special_tokens_map.json", "chat_template.jinja",
		"chat_template.json", "model.safetensors.index.json",
		"pytorch_model.bin.index.json"};
	const char *base = wb_path_basename(path);

	for (size_t i = 0; i < WB_ARRAY_LEN(names); i++)
		if (!strcmp(base, names[i]))
			return true;
	return false;
}

bool wb_file_is_safetensors(const char *path)
{
	return wb_str_ends(path, ".safetensors") && wb_file_kind_of(path) == WB_FILE_WEIGHTS;
}

bool wb_file_is_old_format(const char *path)
{
	static const char *const ends[] = {
		".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".ot"};

	if (wb_file_kind_of(path) != WB_FILE_WEIGHTS)
		return false;
	for (size_t i = 0; i < WB_ARRAY_LEN(ends); i++)
		if (wb_str_ends(path, ends[i]))
			return true;
	return false;
}
