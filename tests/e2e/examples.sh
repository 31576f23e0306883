#!/bin/bash
# timeout: 900
# Each example runs as a reader would run it.
. "$(dirname "$0")/../lib.sh"

t_case 'examples/quickstart.sh makes, shows and verifies an image with a real model in it'
rm -rf "$T_SRC/out/quickstart"
t_run "$T_SRC/examples/quickstart.sh"
t_rc 0
t_match "$out" '^image digest: sha256:[0-9a-f]{64}$'
t_match "$out" 'eng\.traineddata'
digest=$(sed -n 's/^image digest: //p' <<<"$out")
t_eq "$(skopeo inspect --raw "oci:$T_SRC/out/quickstart/image:quickstart" | sha256sum)" \
	"${digest#sha256:}  -" 'digest of the manifest, as skopeo has it'

t_case 'a second run gives the same digest, and is quick: it compiles nothing and packs nothing'
t_time "$T_SRC/examples/quickstart.sh"
t_rc 0
t_eq "$(sed -n 's/^image digest: //p' <<<"$out")" "$digest" 'image digest'
t_match "$(<"$T_SRC/build/quickstart.log")" '^ninja: no work to do'
t_eq "$(grep -c 'nothing packed' <<<"$err")" 2 'builds that packed nothing'
echo "# $ms ms"
