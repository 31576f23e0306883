#include "builder/build/prepared.h"

int wb_prepared_open(struct wb_prepared *out, const struct wb_build_opts *opts, struct wb_err *err)
{
	*out = WB_PREPARED_INIT;
	if (wb_config_open(&out->config, opts->dir, opts->file, err))
		return -1;
	out->store = wb_store_open(opts->cache_dir, err);
	return out->store ? wb_plan_make(&out->plan, &out->config, out->store, &opts->plan, err)
	                  : -1;
}

void wb_prepared_release(struct wb_prepared *p)
{
	wb_plan_release(&p->plan);
	wb_store_close(p->store);
	wb_config_release(&p->config);
}
