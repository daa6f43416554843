"""Reading and writing image files, with errors that name the file."""

from affordance_grounding_core.images.arrays import RgbImage
from affordance_grounding_core.images.reading import (
    IMAGE_SUFFIXES,
    DecodedImage,
    decode_image,
    decode_rgb,
    is_image_file,
    read_bytes,
    read_grey,
    read_rgb,
    write_png,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "DecodedImage",
    "RgbImage",
    "decode_image",
    "decode_rgb",
    "is_image_file",
    "read_bytes",
    "read_grey",
    "read_rgb",
    "write_png",
]
