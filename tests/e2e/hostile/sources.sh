#!/bin/bash
# timeout: 3000
# A hub and object stores that lie about names, sizes, digests and pages.
. "$(dirname "$0")/../../lib.sh"
unset "${!AWS_@}" "${!AZURE_STORAGE_@}" "${!GOOGLE_@}" STORAGE_EMULATOR_HOST
t_use registries
t_use hostile

H_SECRETS=(hf-pw-of-me s3-pw-of-me "$(printf 'azure-pw-of-me-is-32-bytes-long!' | base64)")
hostile_start
export HF_TOKEN=hf-pw-of-me HF_TOKEN_PATH=/nonexistent AWS_EC2_METADATA_DISABLED=true
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=s3-pw-of-me

# A model for each kind of source; the case is in the endpoint.
model() {
	mkdir -p "$T_TMP/model-$1"
	printf 'weights: [{source: "%s", mount_location: /w}]\n' "$2" >"$T_TMP/model-$1/config.yaml"
}

model hf hf://acme/tiny@main
model s3 s3://bucket/
model gs gs://bucket/
model azure azure://account/container/

limits=()
# at KIND CASE: the limits and the environment of hostile_opts.
at() {
	local url=http://127.0.0.1:$H_MAIN/$2 key

	case $1 in
	hf) hostile_opts "${limits[@]}" "env={\"HF_ENDPOINT\": \"$url\"}" ;;
	s3) hostile_opts "${limits[@]}" "env={\"AWS_ENDPOINT_URL_S3\": \"$url\"}" ;;
	gs) hostile_opts "${limits[@]}" "env={\"STORAGE_EMULATOR_HOST\": \"$url\"}" ;;
	azure)
		key=$(printf 'azure-pw-of-me-is-32-bytes-long!' | base64)
		hostile_opts "${limits[@]}" "env={\"AZURE_STORAGE_CONNECTION_STRING\":
			\"AccountName=account;AccountKey=$key;BlobEndpoint=$url\"}"
		;;
	web)
		printf 'weights: [{source: "%s", mount_location: /w}]\n' "$url/file" >"$T_TMP/model-web/config.yaml"
		;;
	esac
}

# reading KIND CASE RC REGEX [PLAN-RC [LOCK-RC]]: by a build into a folder. In the full form also by
# a plan, which reads no file, a fetch, and a lock, which reads those that nobody vouches for.
reading() {
	local said=${5:+'.|^$'}

	at "$1" "$2"
	try "$1 $2" "$3" "$4" "$WBUILD" build -q --no-stub -o "type=local,dest={}/dest" "$T_TMP/model-$1"
	[ "$H_FULL" ] || return
	try "plan $1 $2" "${5:-$3}" "${said:-$4}" "$WBUILD" plan "$T_TMP/model-$1"
	try "fetch $1 $2" "$3" "$4" "$WBUILD" fetch -q "$T_TMP/model-$1"
	try "lock $1 $2" "${6:-${5:-$3}}" "${said:-$4}" \
		sh -c 'cp -r "$1" "$2" && exec "$3" lock -q "$2"' sh "$T_TMP/model-$1" '{}/model' "$WBUILD"
}

kinds=(hf s3 gs azure)
for kind in "${kinds[@]}"; do
	for one in honest fine-{case,unicode,spaces,dots3,percent,glob,dash,dollar}; do
		reading "$kind" "$one" 0 '.|^$'
	done
done
hostile_run 'honest twins'

for kind in "${kinds[@]}"; do
	for one in parent parents absolute newline empty-part dot dot-inside dots one-dot long long-part \
		long-path backslash drive file-and-folder twice delete whiteout opaque; do
		reading "$kind" "names-$one" '1 3' 'error: '
	done
	reading "$kind" names-encoded 0 '.|^$'
done
for kind in hf gs; do
	for one in nul slash trailing escape; do
		reading "$kind" "names-$one" '1 3' 'error: '
	done
done
reading hf names-empty 1 'error: '
reading gs names-empty 0 '.|^$' # what stands for a folder
hostile_run 'names'

[ "$H_FULL" ] || reading hf list-loop-empty 1 'error: .*goes in a circle' # the slowest
for kind in "${kinds[@]}"; do
	for one in size-{larger,smaller,negative,overflow,text} digest loop-{one,two} \
		token-long json-{deep,text,utf8} xml-html endless-{body,space,headers} content-encoding-bomb \
		redirect-{file,metadata,metadata-tls,self} error-control status-206; do
		reading "$kind" "list-$one" '1 3' 'error: ' '0 1 3'
	done
done
for kind in "${kinds[@]}"; do reading "$kind" list-size-huge 2 'more than the limit of' 2 '0 1'; done
for one in commit-{short,path,number,none} no-digest next-{elsewhere,file,metadata} json-{pairs,rows,null} \
	json-megabytes; do
	reading hf "list-$one" 1 'error: '
done
for one in json-{pairs,megabytes,duplicate,null}; do reading gs "list-$one" 1 'error: '; done
for kind in s3 azure; do
	for one in entities external parameter deep text attributes attribute name comment truncated unequal nul \
		utf8 encoding html; do
		reading "$kind" "list-xml-$one" 1 'error: '
	done
done
reading s3 list-xml-no-size 1 'error: '
H_JOBS=20 hostile_run 'listings' # most of them wait

if [ "$H_FULL" ]; then # a thousand pages, or a million files
	limits=(seconds=600 mib=600)
	for kind in "${kinds[@]}"; do
		H_FULL='' reading "$kind" list-loop-files 1 'error: .*more than 1000000 files'
		H_FULL='' reading "$kind" list-loop-empty 1 'error: .*goes in a circle'
	done
	limits=()
	hostile_run 'listings without end'
fi

for kind in "${kinds[@]}"; do
	for one in other-bytes longer longer-undeclared shorter empty linked-etag linked-size wrong-part html \
		encoded redirect-{file,metadata,metadata-tls,self,none} endless-headers; do
		reading "$kind" "file-$one" '1 3' 'error: ' '0 1 3'
	done
done
mkdir -p "$T_TMP/model-web"
H_JOBS=32 hostile_run 'files'
hostile_end
