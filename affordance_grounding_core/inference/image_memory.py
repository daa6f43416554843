"""Stops glibc from returning image-sized buffers to the system."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
"""Numbers of the settings in glibc's `malloc.h`."""

KEPT = 256 * 2**20
"""Bytes of freed memory, at most, that stay with the process."""

LARGEST = 32 * 2**20
"""Bytes of the largest piece of memory that is kept; what glibc allows at most."""


def keep_freed_memory() -> bool:
    """Let the process keep freed memory of images, and hand it out again.

    By default glibc gives large pieces back to the system as soon as they are free, and the
    system clears them, page by page, when they are asked for again. For a 640 x 480 image and
    its result that takes about a millisecond, in every frame.

    Returns:
        Whether it could be set: on Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    set_both = [mallopt(_TRIM_THRESHOLD, KEPT), mallopt(_MMAP_THRESHOLD, LARGEST)]
    return all(set_both)
