#!/bin/bash
# timeout: 3600
# The power fails at any moment of a build, a download, an export and a copy of the stub: names are
# never believed whose bytes are lost, what had ended well is all there, and the next run gives the
# right result. power_loss.py says what a disk may keep. WBUILD_TEST_FULL=1: every state, else a
# sample of them, always the same.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees
t_use roots
t_use sources
t_use faults

export POWER_LOSS_STATES=16
[ "${WBUILD_TEST_FULL:-}" != 1 ] || POWER_LOSS_STATES=0

faults_here || exit
t_case 'a model and the hub'
faults_model "$INJECT_DIR/model"
faults_hub
root_bundle "$T_TMP/bundle"
export BUNDLE=$T_TMP/bundle

faults_run power_loss.py states 'of ended runs' failed
echo "# counts power: ${counts[0]} states after a power loss, ${counts[1]} of them after a run" \
	"that had ended well, ${counts[2]} failed"
