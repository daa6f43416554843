# Gives a bash shell the environment `make setup` built: source it, do not run it.
#
#   source tools/setup/environment.bash
#   SETUP_DISTRO=jazzy source tools/setup/environment.bash   # after `make setup DISTRO=jazzy`

_repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
_own=""
case "${SETUP_DISTRO:-kilted}" in kilted) ;; *) _own="-${SETUP_DISTRO}" ;; esac
_environment="${_repository}/.venv${_own}"
if [ ! -f "${_environment}/.setup/ros" ]; then
  echo "error: ${_environment} is not set up; run 'make setup${_own:+ DISTRO=${_own#-}}' in" \
    "${_repository} first" >&2
  unset _repository _environment _own
  return 1
fi

export VIRTUAL_ENV="${_environment}"
case ":${PATH}:" in
  *":${VIRTUAL_ENV}/bin:"*) ;;
  *) export PATH="${VIRTUAL_ENV}/bin:${PATH}" ;;
esac

# "wheels", or the prefix of the ROS 2 distribution the environment was built on.
_ros="$(cat "${_environment}/.setup/ros")"
if [ "${_ros}" = wheels ]; then
  # Python packages of another ROS or Python must not come before ours. An empty PYTHONPATH
  # would mean the current directory, so it is removed instead.
  unset PYTHONPATH
  export AMENT_PREFIX_PATH="${VIRTUAL_ENV}" CMAKE_PREFIX_PATH="${VIRTUAL_ENV}"
  # The ROS wheels start Python a second time to set this path themselves, unless told that it
  # is set; the second start would break signals, timings and debuggers.
  LD_LIBRARY_PATH="${VIRTUAL_ENV}/lib"
  for _libraries in "${VIRTUAL_ENV}"/lib/python3.*/site-packages/ros_*.libs; do
    LD_LIBRARY_PATH="${LD_LIBRARY_PATH}:${_libraries}"
  done
  export LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
elif [ -z "${AMENT_PREFIX_PATH:-}" ]; then
  # shellcheck disable=SC1091
  source "${_ros}/setup.bash"
fi

# COLCON_CURRENT_PREFIX: install/setup.bash is reading this file and will do that itself.
if [ -z "${COLCON_CURRENT_PREFIX:-}" ] && [ -f "${_repository}/install${_own}/local_setup.bash" ]; then
  # shellcheck disable=SC1091
  source "${_repository}/install${_own}/local_setup.bash"
fi

# Without more shared memory Fast DDS loses nearly every image of a camera's size. Fast DDS 2, of
# Humble and Jazzy, knows the file by another name, which Fast DDS 3 warns about at every start.
_profiles=FASTDDS_DEFAULT_PROFILES_FILE
if [[ "${ROS_DISTRO:-}" =~ ^(humble|iron|jazzy)$ ]] || \
  { [ "${_ros}" = wheels ] && compgen -G "${VIRTUAL_ENV}/lib/libfastrtps.so*" >/dev/null; }; then
  _profiles=FASTRTPS_DEFAULT_PROFILES_FILE
fi
export "${_profiles}=${!_profiles:-${_repository}/config/fastdds.xml}"
unset _repository _environment _own _ros _libraries _profiles
