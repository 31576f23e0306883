#include "builder/cli/transfer.h"

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place src = WB_PLACE_INIT;
	WB_AUTO(wb_place_release) struct wb_place dst = WB_PLACE_INIT;

	if (wb_transfer_place(&src, args->operands.items[0], true, err) ||
		wb_transfer_place(&dst, args->operands.items[1], false, err))
		return -1;
	return wb_transfer(&src, &dst, args, err);
}

static const enum wb_opt options[] = {OPTS_TRANSFER, OPT_END};

const struct wb_command wb_cmd_pull = {
	.name = "pull",
	.operands = "REF DEST",
	.summary = "bring an image from a registry to a layout or archive",
	.about = "Copies the image REF to a layout (oci:DIR[:TAG]) or an archive "
		 "(oci-archive:FILE[:TAG],\n"
		 "docker-archive:FILE[:REF]), every platform of it unless --platform says which.\n"
		 "Every blob is verified. Prints the digest.",
	.min_operands = 2,
	.max_operands = 2,
	.options = options,
	.run = run,
};
