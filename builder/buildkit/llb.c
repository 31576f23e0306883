#include "builder/buildkit/llb.h"

#include <string.h>

#include "base/sha256.h"
#include "builder/buildkit/llb_internal.h"

/* Field numbers of pb.Op, pb.Definition and what they are made of. */
enum {
	OP_INPUT = 1,
	OP_SOURCE = 3,
	OP_MERGE = 6,
	OP_PLATFORM = 10,
	OP_CONSTRAINTS = 11,
	DEF_OP = 1,
	DEF_METADATA = 2,
	DEF_SOURCE = 3,
};

void wb_llb_release(struct wb_llb *l)
{
	wb_vec_foreach (op, &l->ops) {
		wb_buf_release(&op->bytes);
		wb_wire_release(&op->metadata);
		wb_vec_free(&op->inputs);
	}
	wb_vec_free(&l->ops);
	free(l->file);
	free(l->text);
	*l = WB_LLB_INIT;
}

void wb_llb_set_source(struct wb_llb *l, const char *file, const char *text)
{
	free(l->file);
	free(l->text);
	l->file = wb_strdup(file);
	l->text = wb_strdup(text);
}

struct wb_digest_text wb_llb_digest(const struct wb_llb *l, struct wb_llb_ref ref)
{
	return wb_digest_text(&l->ops.items[ref.op - 1].digest);
}

/* --- adding operations -------------------------------------------------------------------- */

void wb_llb_input_(struct wb_wire *w, const struct wb_llb *l, struct wb_llb_ref ref)
{
	WB_AUTO(wb_wire_release) struct wb_wire input;

	wb_wire_init(&input);
	wb_wire_str(&input, 1, wb_llb_digest(l, ref).s);
	wb_wire_u64(&input, 2, ref.output);
	wb_wire_msg(w, OP_INPUT, &input);
}

static void write_metadata(
	struct wb_wire *w, const char *const *caps, const struct wb_llb_note *note)
{
	wb_wire_bool(w, 1, note->no_cache);
	if (note->name)
		wb_wire_pair_str(w, 2, "llb.customname", note->name);
	for (; caps && *caps; caps++) {
		WB_AUTO(wb_wire_release) struct wb_wire entry;

		wb_wire_init(&entry);
		wb_wire_str(&entry, 1, *caps);
		wb_wire_bool(&entry, 2, true);
		wb_wire_msg(w, 5, &entry);
	}
}

static size_t find_op(const struct wb_llb *l, const struct wb_digest *digest)
{
	for (size_t i = 0; i < l->ops.n; i++)
		if (wb_digest_equal(&l->ops.items[i].digest, digest))
			return i + 1;
	return 0;
}

static size_t add_bytes(struct wb_llb *l, const void *p, size_t n, const size_t *inputs,
	size_t n_inputs, struct wb_llb_op **added)
{
	struct wb_err ignored = WB_ERR_INIT; /* the limit is that of the message it came from */
	struct wb_digest digest;

	*added = NULL;
	wb_sha256_once(&digest, p, n);
	size_t known = find_op(l, &digest);

	if (known)
		return known;
	struct wb_llb_op *op = *added = wb_vec_push(&l->ops);

	op->digest = digest;
	wb_buf_init(&op->bytes, WB_WIRE_MAX, "an operation");
	wb_buf_add(&op->bytes, p, n, &ignored);
	wb_wire_init(&op->metadata);
	for (size_t i = 0; i < n_inputs; i++)
		*wb_vec_push(&op->inputs) = inputs[i];
	return l->ops.n;
}

struct wb_llb_ref wb_llb_add_(struct wb_llb *l, const struct wb_wire *op, const size_t *inputs,
	size_t n_inputs, const char *const *caps, const struct wb_llb_note *note)
{
	static const struct wb_llb_note none;
	struct wb_llb_op *added;
	size_t number = add_bytes(l, op->buf.data, op->buf.len, inputs, n_inputs, &added);

	if (added) {
		added->line = note ? note->line : 0;
		added->metadata.error = op->error;
		write_metadata(&added->metadata, caps, note ? note : &none);
	}
	return (struct wb_llb_ref){number, 0};
}

void wb_llb_platform_(struct wb_wire *op, const struct wb_llb_platform *p)
{
	WB_AUTO(wb_wire_release) struct wb_wire platform, constraints;

	wb_wire_init(&platform);
	wb_wire_init(&constraints);
	if (p) {
		wb_wire_str(&platform, 1, p->arch);
		wb_wire_str(&platform, 2, p->os);
		wb_wire_str(&platform, 3, p->variant);
		wb_wire_msg(op, OP_PLATFORM, &platform);
	}
	wb_wire_msg(op, OP_CONSTRAINTS, &constraints);
}

struct wb_llb_ref wb_llb_source(struct wb_llb *l, const char *identifier, const char *const *attrs,
	const char *cap, const struct wb_llb_platform *platform, const struct wb_llb_note *note)
{
	WB_AUTO(wb_wire_release) struct wb_wire op, source;
	const char *const caps[] = {cap, NULL};

	wb_wire_init(&op);
	wb_wire_init(&source);
	wb_wire_str(&source, 1, identifier);
	for (; attrs && attrs[0]; attrs += 2)
		wb_wire_pair_str(&source, 2, attrs[0], attrs[1]);
	wb_llb_platform_(&op, platform);
	wb_wire_msg(&op, OP_SOURCE, &source);
	return wb_llb_add_(l, &op, NULL, 0, caps, note);
}

struct wb_llb_ref wb_llb_merge(
	struct wb_llb *l, const struct wb_llb_ref *parts, size_t n, const struct wb_llb_note *note)
{
	static const char *const caps[] = {"mergeop", NULL};
	WB_AUTO(wb_wire_release) struct wb_wire op, merge;
	WB_VEC(size_t) inputs = {0};
	struct wb_llb_ref last = WB_LLB_SCRATCH;

	wb_wire_init(&op);
	wb_wire_init(&merge);
	for (size_t i = 0; i < n; i++) {
		if (!parts[i].op)
			continue;
		WB_AUTO(wb_wire_release) struct wb_wire input;

		last = parts[i];
		wb_wire_init(&input);
		wb_wire_u64(&input, 1, inputs.n);
		wb_wire_msg(&merge, 1, &input);
		wb_llb_input_(&op, l, parts[i]);
		*wb_vec_push(&inputs) = parts[i].op;
	}
	if (inputs.n > 1) {
		wb_llb_platform_(&op, NULL);
		wb_wire_msg(&op, OP_MERGE, &merge);
		last = wb_llb_add_(l, &op, inputs.items, inputs.n, caps, note);
	}
	wb_vec_free(&inputs);
	return last;
}

/* --- graphs ------------------------------------------------------------------------------- */

static int import_op(size_t *number, struct wb_llb *l, struct wb_wire_view bytes,
	struct wb_wire_view definition, struct wb_err *err)
{
	WB_VEC(size_t) inputs = {0};
	struct wb_wire_view rest = bytes;
	struct wb_wire_field f;
	struct wb_llb_op *added;
	int rc;

	while ((rc = wb_wire_next(&f, &rest, err)) > 0) {
		struct wb_digest digest;
		size_t input = 0;

		if (f.number != OP_INPUT)
			continue;
		wb_autofree char *text = wb_wire_get_str(f.view, 1);

		if (text && !wb_digest_parse(&digest, text, err))
			input = find_op(l, &digest);
		if (!input) {
			rc = wb_err_set(err, WB_ERR_FORMAT,
				"buildkit: an operation of the frontend's image comes before its "
				"input");
			break;
		}
		*wb_vec_push(&inputs) = input;
	}
	if (!rc) {
		*number = add_bytes(l, bytes.p, bytes.n, inputs.items, inputs.n, &added);
		if (added) {
			struct wb_wire_view metadata = wb_wire_get_pair(
				definition, DEF_METADATA, wb_digest_text(&added->digest).s, NULL);

			wb_wire_raw(&added->metadata, metadata.p, metadata.n);
		}
	}
	wb_vec_free(&inputs);
	return rc;
}

/* The last operation only points to the one that counts. */
int wb_llb_import(struct wb_llb_ref *out, struct wb_llb *l, struct wb_wire_view definition,
	struct wb_err *err)
{
	struct wb_wire_view rest = definition, end = {0};
	struct wb_wire_field f;
	struct wb_digest digest;
	size_t number;
	int rc;

	while ((rc = wb_wire_next(&f, &rest, err)) > 0) {
		if (f.number != DEF_OP || f.type != 2)
			continue;
		if (end.p && import_op(&number, l, end, definition, err))
			return -1;
		end = f.view;
	}
	if (rc)
		return rc;
	struct wb_wire_view input = wb_wire_get(end, OP_INPUT);
	wb_autofree char *text = wb_wire_get_str(input, 1);

	if (!text || wb_digest_parse(&digest, text, err) || !(number = find_op(l, &digest)))
		return wb_err_set(err, WB_ERR_FORMAT,
			"buildkit: the graph of the frontend's image has no end");
	*out = (struct wb_llb_ref){number, (unsigned)wb_wire_get_u64(input, 2)};
	return 0;
}

void wb_llb_source_info(struct wb_wire *out, const struct wb_llb *l)
{
	if (!l->file)
		return;
	wb_wire_str(out, 1, l->file);
	wb_wire_bytes(out, 2, l->text, strlen(l->text));
	wb_wire_str(out, 4, "YAML");
}

/* An entry of pb.Source.locations: this operation stands for that line. */
static void write_location(struct wb_wire *source, const struct wb_llb_op *op)
{
	WB_AUTO(wb_wire_release) struct wb_wire entry, locations, location, range, position;
	struct wb_wire *const all[] = {&entry, &locations, &location, &range, &position};

	for (size_t i = 0; i < WB_ARRAY_LEN(all); i++)
		wb_wire_init(all[i]);
	wb_wire_u64(&position, 1, op->line);
	wb_wire_msg(&range, 1, &position);
	wb_wire_msg(&range, 2, &position);
	wb_wire_msg(&location, 2, &range);
	wb_wire_msg(&locations, 1, &location);
	wb_wire_str(&entry, 1, wb_digest_text(&op->digest).s);
	wb_wire_msg(&entry, 2, &locations);
	wb_wire_msg(source, 1, &entry);
}

static void write_source(struct wb_wire *out, const struct wb_llb *l, const bool *needed)
{
	WB_AUTO(wb_wire_release) struct wb_wire source, info;

	wb_wire_init(&source);
	wb_wire_init(&info);
	for (size_t i = 0; i < l->ops.n; i++)
		if (needed[i] && l->ops.items[i].line)
			write_location(&source, &l->ops.items[i]);
	wb_llb_source_info(&info, l);
	wb_wire_msg(&source, 2, &info);
	wb_wire_msg(out, DEF_SOURCE, &source);
}

static void write_end(struct wb_wire *out, struct wb_wire *metadata, const struct wb_llb *l,
	struct wb_llb_ref ref)
{
	static const char *const caps[] = {"constraints", "platform", NULL};
	static const struct wb_llb_note note;
	WB_AUTO(wb_wire_release) struct wb_wire end, md;
	struct wb_digest digest;

	wb_wire_init(&end);
	wb_wire_init(&md);
	wb_llb_input_(&end, l, ref);
	wb_sha256_once(&digest, end.buf.data, end.buf.len);
	wb_wire_msg(out, DEF_OP, &end);
	write_metadata(&md, caps, &note);
	wb_wire_pair(metadata, DEF_METADATA, wb_digest_text(&digest).s, md.buf.data, md.buf.len);
}

/* ref is not scratch. */
void wb_llb_definition(struct wb_wire *out, const struct wb_llb *l, struct wb_llb_ref ref)
{
	WB_AUTO(wb_wire_release) struct wb_wire metadata;
	wb_autofree bool *needed = wb_calloc(l->ops.n, sizeof(*needed));

	wb_wire_init(&metadata);
	needed[ref.op - 1] = true;
	for (size_t i = ref.op; i; i--)
		wb_vec_foreach (input, &l->ops.items[i - 1].inputs)
			needed[*input - 1] |= needed[i - 1];
	for (size_t i = 0; i < l->ops.n; i++) {
		const struct wb_llb_op *op = &l->ops.items[i];

		if (!needed[i])
			continue;
		if (op->metadata.error.code && !out->error.code)
			out->error = op->metadata.error;
		wb_wire_bytes(out, DEF_OP, op->bytes.data, op->bytes.len);
		wb_wire_pair(&metadata, DEF_METADATA, wb_digest_text(&op->digest).s,
			op->metadata.buf.data, op->metadata.buf.len);
	}
	write_end(out, &metadata, l, ref);
	if (metadata.error.code && !out->error.code)
		out->error = metadata.error;
	wb_wire_raw(out, metadata.buf.data, metadata.buf.len);
	if (l->file)
		write_source(out, l, needed);
}
