#!/bin/bash
# lazy_data_resolver, the Python module beside the stub: it waits for the marker files that the real
# stub writes, and tells a model that its files are bad.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use roots

export PYTHONPATH=$T_SRC/builder/runtime/python PYTHONDONTWRITEBYTECODE=1
root=$T_TMP/root ready=$T_TMP/run/ready failed=$T_TMP/run/failed
mkdir -p "$root" "$T_TMP/run"
root_bundle "$root"
cat >"$T_TMP/server.py" <<'END'
import sys
from lazy_data_resolver import LazyDataResolver


class Model:
    def __init__(self, **kwargs):
        self._lazy_data_resolver = kwargs["lazy_data_resolver"]

    def load(self):
        return self._lazy_data_resolver.block_until_download_complete()


resolver = LazyDataResolver("data")
if sys.argv[1:] == ["forgets"]:
    resolver.raise_if_not_collected()
print(repr(Model(lazy_data_resolver=resolver).load()))
resolver.raise_if_not_collected()
END
# server [forgets]
# shellcheck disable=SC2120
server() {
	python3 "$T_TMP/server.py" "$@"
}

t_case 'with nothing to wait for it returns at once'
t_run server
t_rc 0
t_eq "$out" "''"
t_run server forgets
t_rc 0

export WBUILD_READY_FILE=$ready WBUILD_FAILED_FILE=$failed

t_case 'a model waits until the stub is done'
server >"$T_TMP/out" 2>&1 &
pid=$!
sleep 0.3
t_ok kill -0 $pid
t_run "$INIT" --from "$root" --mount none --verify full
t_rc 0
wait $pid || t_fail "server: $?" "$(<"$T_TMP/out")"
t_match "$(<"$T_TMP/out")" "^'3 files, 9075000 bytes, [0-9.]+ s'$"

t_case 'as the command of the stub it does not wait'
t_run "$INIT" --from "$root" --mount none --verify full -- python3 "$T_TMP/server.py"
t_rc 0
t_match "$out" '3 files'

t_case 'a server finds out that its model forgot to wait'
t_run server forgets
t_rc 1
t_match "$err" 'Missing lazy_data_resolver.block_until_download_complete'

t_case 'bad files are an error that names them'
rm "$root/models/m/tokenizer.bin"
t_run "$INIT" --from "$root" --mount none --verify full
t_rc 3
t_run server
t_rc 1
t_match "$err" 'RuntimeError: wbuild: "/models/m/tokenizer.bin": missing'

t_case 'a timeout'
rm -f "$ready" "$failed"
t_run python3 -c 'import lazy_data_resolver as l; l.block_until_download_complete(timeout=0.2)'
t_rc 1
t_match "$err" 'TimeoutError: .* did not appear within 0.2 s'
