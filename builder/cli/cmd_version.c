#include <stdio.h>
#include <zstd.h>

#include "base/sha256.h"
#include "builder/cli/command.h"
#include "layers/layer_key.h"
#include "wbuild_version.h"

static int run(const struct wb_args *args, struct wb_err *err)
{
	printf("wbuild %s\n", WBUILD_VERSION);
	if (wb_args_has(args, OPT_VERBOSE))
		printf("packer %d\nlibzstd %s\nsha256 %s\n", WB_PACKER_VERSION,
			ZSTD_versionString(), wb_sha256_kernel());
	return 0;
}

static const enum wb_opt options[] = {OPT_VERBOSE, OPT_END};

const struct wb_command wb_cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "print the version (-v: of the packer and libraries too)",
	.options = options,
	.run = run,
};
