#include <string.h>

#include "base/text.h"
#include "builder/build/pickle.h"

/* name NULL: everything of the module and of modules below it. */
struct known {
	const char *module, *name;
};

static const struct known unsafe[] = {
	{"os", NULL},
	{"posix", NULL},
	{"nt", NULL},
	{"subprocess", NULL},
	{"sys", NULL},
	{"socket", NULL},
	{"shutil", NULL},
	{"runpy", NULL},
	{"pty", NULL},
	{"importlib", NULL},
	{"webbrowser", NULL},
	{"ctypes", NULL},
	{"code", NULL},
	{"codeop", NULL},
	{"pdb", NULL},
	{"bdb", NULL},
	{"timeit", NULL},
	{"profile", NULL},
	{"cProfile", NULL},
	{"pip", NULL},
	{"requests", NULL},
	{"urllib", NULL},
	{"urllib2", NULL},
	{"httplib", NULL},
	{"http", NULL},
	{"ftplib", NULL},
	{"smtplib", NULL},
	{"asyncio", NULL},
	{"multiprocessing", NULL},
	{"signal", NULL},
	{"pickle", NULL},
	{"_pickle", NULL},
	{"dill", NULL},
	{"cloudpickle", NULL},
	{"marshal", NULL},
	{"types", "CodeType"},
	{"types", "FunctionType"},
	{"operator", "attrgetter"},
	{"operator", "methodcaller"},
	{"operator", "itemgetter"},
	{"functools", "partial"},
	{"torch.hub", NULL},
	{"torch", "load"},
	{"numpy", "load"},
	{"numpy.testing", NULL},
	{"torch.utils.cpp_extension", NULL},
	{"torch._dynamo", NULL},
	{"torch.utils.collect_env", NULL},
};

/* Of the built-ins, those that make a value; the others can run code or reach other objects. */
static const char *const builtin_values[] = {"set", "frozenset", "slice", "range", "xrange",
	"complex", "bytearray", "bytes", "dict", "list", "tuple", "int", "long", "float", "str",
	"unicode", "bool", "object", "Ellipsis", "NotImplemented"};

static const struct known plain[] = {
	{"torch", NULL},
	{"numpy", NULL},
	{"collections", NULL},
	{"_codecs", "encode"},
	{"copy_reg", "_reconstructor"},
	{"copyreg", "_reconstructor"},
	{"argparse", "Namespace"},
	{"datetime", NULL},
	{"decimal", "Decimal"},
	{"fractions", "Fraction"},
	{"pathlib", "PosixPath"},
	{"pathlib", "Path"},
	{"uuid", "UUID"},
	{"typing", NULL},
	{"scipy.sparse", NULL},
	{"pandas.core", NULL},
	{"sklearn", NULL},
	{"transformers", NULL},
	{"tokenizers", NULL},
	{"accelerate.utils", NULL},
};

static bool within(const char *module, const char *of)
{
	size_t n = strlen(of);

	return !strncmp(module, of, n) && (!module[n] || module[n] == '.');
}

static bool listed(const struct known *list, size_t n, const char *module, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].name ? !strcmp(module, list[i].module) && !strcmp(name, list[i].name)
				 : within(module, list[i].module))
			return true;
	return false;
}

static enum wb_import_kind builtin_kind(const char *name)
{
	for (size_t i = 0; i < WB_ARRAY_LEN(builtin_values); i++)
		if (!strcmp(name, builtin_values[i]))
			return WB_IMPORT_PLAIN;
	return WB_IMPORT_UNSAFE;
}

enum wb_import_kind wb_pickle_import_kind(const char *module, const char *name)
{
	/* "builtins" in disguise: protocol 4 walks dots in the name too */
	if (!strcmp(module, "builtins") || !strcmp(module, "__builtin__"))
		return builtin_kind(name);
	if (listed(unsafe, WB_ARRAY_LEN(unsafe), module, name))
		return WB_IMPORT_UNSAFE;
	if (strstr(name, "__") || strstr(name, "."))
		return WB_IMPORT_UNKNOWN;
	return listed(plain, WB_ARRAY_LEN(plain), module, name) ? WB_IMPORT_PLAIN
	                                                        : WB_IMPORT_UNKNOWN;
}
