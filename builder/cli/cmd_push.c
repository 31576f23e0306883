#include "builder/cli/transfer.h"

static int run(const struct wb_args *args, struct wb_err *err)
{
	WB_AUTO(wb_place_release) struct wb_place src = WB_PLACE_INIT;
	WB_AUTO(wb_place_release) struct wb_place dst = WB_PLACE_INIT;

	if (wb_transfer_place(&src, args->operands.items[0], false, err) ||
		wb_transfer_place(&dst, args->operands.items[1], true, err))
		return -1;
	return wb_transfer(&src, &dst, args, err);
}

static const enum wb_opt options[] = {OPTS_TRANSFER, OPT_END};

const struct wb_command wb_cmd_push = {
	.name = "push",
	.operands = "SRC REF",
	.summary = "bring a finished image to a registry",
	.about = "Copies an image from a layout, an archive or another registry to REF, digests "
		 "unchanged.\n"
		 "Blobs that are there are not sent, those in another repository of the registry "
		 "are\n"
		 "mounted, and a push that was interrupted goes on where it stopped. Prints the "
		 "digest.",
	.min_operands = 2,
	.max_operands = 2,
	.options = options,
	.run = run,
};
