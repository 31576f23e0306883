/* Operations of LLB that run a program: pb.ExecOp. */
#include <string.h>

#include "builder/buildkit/llb_internal.h"

enum { OP_EXEC = 2, MOUNT_SECRET = 1, MOUNT_CACHE = 3 };

struct inputs {
	struct wb_wire *op;
	const struct wb_llb *l;
	WB_VEC(struct wb_llb_ref) refs;
	WB_VEC(size_t) numbers;
};

/* Its index among the operation's inputs, each output there once; -1 for scratch. */
static int64_t input_index(struct inputs *in, struct wb_llb_ref ref)
{
	if (!ref.op)
		return -1;
	for (size_t i = 0; i < in->refs.n; i++)
		if (in->refs.items[i].op == ref.op && in->refs.items[i].output == ref.output)
			return (int64_t)i;
	wb_llb_input_(in->op, in->l, ref);
	*wb_vec_push(&in->refs) = ref;
	*wb_vec_push(&in->numbers) = ref.op;
	return (int64_t)in->refs.n - 1;
}

static void write_cache(struct wb_wire *mount, const struct wb_llb_mount *m)
{
	WB_AUTO(wb_wire_release) struct wb_wire cache;

	wb_wire_init(&cache);
	wb_wire_str(&cache, 1, m->id);
	wb_wire_u64(mount, 6, MOUNT_CACHE);
	wb_wire_msg(mount, 20, &cache);
}

static void write_secret(struct wb_wire *mount, const struct wb_llb_mount *m)
{
	WB_AUTO(wb_wire_release) struct wb_wire secret;

	wb_wire_init(&secret);
	wb_wire_str(&secret, 1, m->id);
	wb_wire_u64(&secret, 4, 0400);
	wb_wire_bool(&secret, 5, !m->required);
	wb_wire_u64(mount, 6, MOUNT_SECRET);
	wb_wire_msg(mount, 21, &secret);
}

static void write_mount(struct wb_wire *exec, struct inputs *in, const struct wb_llb_mount *m)
{
	WB_AUTO(wb_wire_release) struct wb_wire mount;

	wb_wire_init(&mount);
	wb_wire_i64(&mount, 1, m->kind == WB_LLB_TREE ? input_index(in, m->tree) : -1);
	wb_wire_str(&mount, 2, m->selector);
	wb_wire_str(&mount, 3, m->dest);
	wb_wire_i64(&mount, 4, m->kind == WB_LLB_TREE ? m->output : WB_LLB_NO_OUTPUT);
	wb_wire_bool(&mount, 5, m->readonly);
	switch (m->kind) {
	case WB_LLB_TREE: break;
	case WB_LLB_CACHE: write_cache(&mount, m); break;
	case WB_LLB_SECRET: write_secret(&mount, m); break;
	}
	wb_wire_msg(exec, 2, &mount);
}

static void write_proxy(struct wb_wire *meta, const struct wb_llb_proxy *p)
{
	WB_AUTO(wb_wire_release) struct wb_wire proxy;

	wb_wire_init(&proxy);
	wb_wire_str(&proxy, 1, p->http);
	wb_wire_str(&proxy, 2, p->https);
	wb_wire_str(&proxy, 3, p->ftp);
	wb_wire_str(&proxy, 4, p->no);
	wb_wire_str(&proxy, 5, p->all);
	if (proxy.buf.len)
		wb_wire_msg(meta, 5, &proxy);
}

static void write_meta(struct wb_wire *exec, const struct wb_llb_exec *e)
{
	WB_AUTO(wb_wire_release) struct wb_wire meta;

	wb_wire_init(&meta);
	for (const char *const *a = e->args; *a; a++)
		wb_wire_str_always(&meta, 1, *a);
	for (const char *const *v = e->env; v && *v; v++)
		wb_wire_str_always(&meta, 2, *v);
	wb_wire_str(&meta, 3, e->cwd);
	wb_wire_str(&meta, 4, e->user);
	write_proxy(&meta, &e->proxy);
	wb_wire_msg(exec, 1, &meta);
}

static void write_secret_env(struct wb_wire *exec, const char *const *names)
{
	for (; names && *names; names++) {
		WB_AUTO(wb_wire_release) struct wb_wire secret;

		wb_autofree char *id = wb_strndup(*names, strcspn(*names, "="));

		wb_wire_init(&secret);
		wb_wire_str(&secret, 1, id);
		wb_wire_str(&secret, 2, *names + strlen(id) + 1);
		wb_wire_bool(&secret, 3, true);
		wb_wire_msg(exec, 5, &secret);
	}
}

/* What the daemon has to know for this one, in ascending order. */
static void list_caps(const char **caps, const struct wb_llb_exec *e)
{
	bool cache = false, secret = false, selector = false;

	for (size_t i = 0; i < e->n_mounts; i++) {
		cache |= e->mounts[i].kind == WB_LLB_CACHE;
		secret |= e->mounts[i].kind == WB_LLB_SECRET;
		selector |= e->mounts[i].selector != NULL;
	}
	*caps++ = "exec.meta.base";
	*caps++ = "exec.mount.bind";
	if (cache)
		*caps++ = "exec.mount.cache";
	if (secret)
		*caps++ = "exec.mount.secret";
	if (selector)
		*caps++ = "exec.mount.selector";
	if (e->secret_env && *e->secret_env)
		*caps++ = "exec.secretenv";
	*caps = NULL;
}

struct wb_llb_ref wb_llb_exec(
	struct wb_llb *l, const struct wb_llb_exec *e, const struct wb_llb_note *note)
{
	WB_AUTO(wb_wire_release) struct wb_wire op, exec;
	struct inputs in = {.op = &op, .l = l};
	const char *caps[8];

	wb_wire_init(&op);
	wb_wire_init(&exec);
	write_meta(&exec, e);
	for (size_t i = 0; i < e->n_mounts; i++)
		write_mount(&exec, &in, &e->mounts[i]);
	wb_wire_u64(&exec, 3, (uint64_t)e->network);
	write_secret_env(&exec, e->secret_env);
	wb_llb_platform_(&op, e->platform);
	wb_wire_msg(&op, OP_EXEC, &exec);
	list_caps(caps, e);
	struct wb_llb_ref ref = wb_llb_add_(l, &op, in.numbers.items, in.numbers.n, caps, note);

	wb_vec_free(&in.refs);
	wb_vec_free(&in.numbers);
	return ref;
}
