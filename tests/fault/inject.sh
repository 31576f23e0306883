#!/bin/bash
# timeout: 7200
# Every system call of a build, a push, a pull, a download, a look at a store and a start of the
# runtime stub fails or is short, one at a time: a clear error or the right result, never a wrong
# blob, a leak or a hang, and the next run is right. inject.py says what is looked at.
# WBUILD_TEST_FULL=1: every call of every kind in every way; else a sample of them, always the same.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees
t_use roots
t_use registries
t_use sources
t_use faults

export INJECT_FULL=${WBUILD_TEST_FULL:-}

faults_here || exit
t_case 'a model and the servers'
faults_model "$INJECT_DIR/model"
faults_hub
registry_start registry || t_missing 'the registry'
export REGISTRY=127.0.0.1:$reg_port
root_bundle "$T_TMP/bundle"
export BUNDLE=$T_TMP/bundle

faults_run inject.py 'faults injected' 'clear errors' 'right results' 'wrong blobs' failed
echo "# counts faults: ${counts[0]} faults injected, ${counts[1]} clear errors," \
	"${counts[2]} right results, ${counts[3]} wrong blobs, ${counts[4]} failed"
