#!/usr/bin/env bash
# Runs a command in the environment `make setup` built.
#
#   tools/setup/with_environment.bash python -m affordance_grounding_core --help

# Not `set -u`: the setup files of colcon and ROS read variables that may be unset.
set -eo pipefail

# shellcheck disable=SC1091
source "$(dirname "${BASH_SOURCE[0]}")/environment.bash"
exec "$@"
