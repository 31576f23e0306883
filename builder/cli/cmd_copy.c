#include "builder/cli/transfer.h"

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place src = WB_PLACE_INIT;
	WB_AUTO(wb_place_release) struct wb_place dst = WB_PLACE_INIT;

	if (wb_transfer_place(&src, args->operands.items[0], false, err) ||
		wb_transfer_place(&dst, args->operands.items[1], false, err))
		return -1;
	return wb_transfer(&src, &dst, args, err);
}

static const enum wb_opt options[] = {OPTS_TRANSFER, OPT_END};

const struct wb_command wb_cmd_copy = {
	.name = "copy",
	.operands = "SRC DEST",
	.summary = "copy an image between layouts, archives and registries",
	.about = "SRC and DEST are oci:DIR[:TAG], oci-archive:FILE[:TAG], "
		 "docker-archive:FILE[:REF] or a\n"
		 "name in a registry. From registry to registry nothing is stored in between, and "
		 "within\n"
		 "one registry blobs are mounted. Prints the digest.",
	.min_operands = 2,
	.max_operands = 2,
	.options = options,
	.run = run,
};
